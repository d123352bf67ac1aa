"""The world itself: the same seed, the same run."""

from __future__ import annotations

import errno
from random import Random

import pytest
from tests.sim.disk import SimDisk
from tests.sim.world import EPOCH_MS, World


def run(seed: int) -> str:
    """Some actors that schedule each other by chance; the hash of what they did."""
    world = World(seed)

    def act(name: str) -> None:
        world.note(f"{name} {world.entropy.random_u64()}")
        world.after(world.rng.randrange(1, 1_000), lambda: act(name))

    act("one")
    act("other")
    world.run(until_us=20_000)
    return world.trace_hash


def test_a_seed_decides_everything() -> None:
    assert run(1) == run(1)
    assert run(1) != run(2)


def test_time_passes_when_the_world_says_so() -> None:
    world = World(1)
    seen: list[int] = []
    world.after(5_000, lambda: seen.append(world.clock.now_ms()))
    world.after(2_000, lambda: seen.append(world.clock.now_ms()))
    world.run(until_us=10_000)
    assert seen == [EPOCH_MS + 2, EPOCH_MS + 5]
    assert world.clock.monotonic_ns() == 10_000_000


def test_a_power_cut_loses_what_was_not_synced() -> None:
    disk = SimDisk()
    file = disk.create("a")
    file.pwrite(b"kept", 0)
    file.fdatasync()
    disk.fsync_dir("")
    file.pwrite(b"lost", 0)
    disk.create("b").fdatasync()
    after = disk.crash(Random(1), 0.0)
    assert after.contents("a") == b"kept"
    assert not after.exists("b")
    assert disk.contents("a") == b"lost"


def test_a_power_cut_tears_writes_between_sectors() -> None:
    disk = SimDisk()
    file = disk.create("a")
    disk.fsync_dir("")
    file.pwrite(b"x" * 4096, 0)
    torn = {bytes(disk.crash(Random(seed), 0.5).contents("a")) for seed in range(20)}
    sectors = {content[start : start + 512] for content in torn for start in range(0, 4096, 512)}
    assert len(torn) > 10
    assert b"x" * 512 in sectors
    assert bytes(512) in sectors


def test_a_failed_sync_lies_the_second_time() -> None:
    disk = SimDisk()
    file = disk.create("a")
    disk.fsync_dir("")
    file.pwrite(b"dirty", 0)
    disk.fail("fdatasync", errno.EIO)
    with pytest.raises(OSError, match="error"):
        file.fdatasync()
    file.fdatasync()
    assert file.pread(5, 0) == b"dirty"
    assert disk.crash(Random(1), 1.0).contents("a") == b""
