"""Real things and simulated ones fit the same ports, which the type checker holds, and do the
same.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.sim.disk import SimDisk
from tests.sim.world import World

from grevy.broker.system import OsDisk, OsEntropy, SystemClock
from grevy.ports import Clock, Disk, Entropy
from grevy.testing.clock import VirtualClock

CLOCKS: list[Clock] = [SystemClock(), World(1).clock, VirtualClock()]
ENTROPIES: list[Entropy] = [OsEntropy(), World(1).entropy]


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    """An empty disk of each kind."""
    return OsDisk(tmp_path / "disk") if request.param == "real" else SimDisk()


@pytest.mark.parametrize("clock", CLOCKS, ids=lambda clock: type(clock).__name__)
def test_clocks(clock: Clock) -> None:
    assert clock.now_ms() > 1_600_000_000_000
    first, second = clock.monotonic_ns(), clock.monotonic_ns()
    assert first <= second


@pytest.mark.parametrize("entropy", ENTROPIES, ids=lambda entropy: type(entropy).__name__)
def test_entropies(entropy: Entropy) -> None:
    assert len(entropy.random_bytes(16)) == 16
    assert entropy.random_bytes(16) != entropy.random_bytes(16)
    numbers = {entropy.random_u64() for _ in range(100)}
    assert len(numbers) == 100
    assert 0 <= min(numbers) < 1 << 63 <= max(numbers) < 1 << 64


def test_files(disk: Disk) -> None:
    file = disk.create("a")
    assert (file.size(), file.pread(10, 0)) == (0, b"")
    file.pwrite(b"hello", 0)
    file.pwrite(b"!", 7)
    file.fdatasync()
    assert (file.size(), file.pread(10, 0), file.pread(2, 1)) == (8, b"hello\0\0!", b"el")
    file.truncate(4)
    assert file.pread(10, 0) == b"hell"
    file.truncate(6)
    assert file.pread(10, 0) == b"hell\0\0"
    file.close()
    file.close()
    with pytest.raises(OSError, match="descriptor"):
        file.size()
    assert disk.open("a").size() == 6


def test_names(disk: Disk) -> None:
    with pytest.raises(FileNotFoundError):
        disk.open("a")
    with pytest.raises(FileNotFoundError):
        disk.remove("a")
    disk.mkdir("one/two")
    disk.mkdir("one/two")
    for path in ("one/b", "one/a", "one/two/c"):
        disk.create(path).close()
    with pytest.raises(FileExistsError):
        disk.create("one/a")
    assert disk.list("one") == ["a", "b", "two"]
    assert [disk.exists(path) for path in ("one", "one/two", "one/a", "x", "one/x")] == [
        *(True, True, True, False, False)
    ]
    disk.rename("one/a", "one/b")
    disk.fsync_dir("one")
    assert disk.list("one") == ["b", "two"]
    with pytest.raises(OSError, match="not empty"):
        disk.rmdir("one/two")
    disk.remove("one/two/c")
    disk.rmdir("one/two")
    assert disk.list("one") == ["b"]
    assert disk.free_bytes() > 0
