"""Damage to checkpoints is refused by name, and a start then takes another way to the same state,
or says that there is none: no silent wrong state, no empty start.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from random import Random

import pytest
from tests.partition.bare import BarePartition, publish_many
from tests.sim.disk import SimDisk

from grevy.journal import JournalError
from grevy.partition.errors import StorageFailed
from grevy.state import (
    TEXT,
    U64,
    CheckpointCorrupted,
    KeyOf,
    MemoryBackend,
    State,
    TableSpec,
    open_checkpoint,
)

IS_WHOLE = os.environ.get("GREVY_FLIPS") == "all"
STRIDE = 1 if IS_WHOLE else 63
"""Odd, so that a sample has every bit of a byte."""
PIECE_BYTES = 1_000
FILES = ("image", "manifest")
HERE, OTHER = "checkpoints/1", "checkpoints/2"
SPEC: TableSpec[tuple[int, str], int] = TableSpec(
    1, "numbers", key=KeyOf(U64, TEXT), value=int, ordered=True
)

Damage = Callable[[bytearray], None]


def make_state(seed: int) -> State:
    """A state of some hundred rows, committed in steps."""
    rng = Random(seed)
    state = State(MemoryBackend())
    table = state.table(SPEC)
    for index in range(1, 30):
        state.begin()
        for _ in range(10):
            table.put((rng.randrange(40), rng.choice("abcdefgh") * 3), rng.randrange(1 << 40))
        state.commit([state.seal()], index, index)
    return state


def copy_of(disk: SimDisk) -> SimDisk:
    """The whole disk once more."""
    return disk.crash(Random(0), 1.0)


def removed(disk: SimDisk, path: str) -> SimDisk:
    """A copy without a file."""
    damaged = copy_of(disk)
    damaged.remove(path)
    return damaged


class Victim:
    """Two checkpoints of different states with equal progress; one of them is damaged again and
    again.
    """

    def __init__(self) -> None:
        self.disk = SimDisk()
        self._expected = self._write(HERE, 1)
        self._write(OTHER, 2)

    def _write(self, directory: str, seed: int) -> int:
        state = make_state(seed)
        handle = state.checkpoint_handle()
        manifest = handle.write(self.disk, directory)
        assert len(manifest.pieces) > 4
        return state.hash

    def judge(self, damaged: SimDisk) -> str:
        """Open the checkpoint: why it is refused; empty when it is whole."""
        try:
            state = open_checkpoint(damaged, HERE, MemoryBackend())
        except CheckpointCorrupted as error:
            return str(error)
        assert state.hash == state.recompute_hash() == self._expected, "a silent wrong state"
        assert state.applied_index == 29
        return ""

    def judge_content(self, file: str, damage: Damage) -> str:
        """The same after damage to the content of a file, on a copy."""
        damaged = copy_of(self.disk)
        damage(damaged.contents(f"{HERE}/{file}"))
        return self.judge(damaged)


@pytest.fixture
def victim(monkeypatch: pytest.MonkeyPatch) -> Victim:
    for module in ("backend", "checkpoint"):
        monkeypatch.setattr(f"grevy.state.{module}.CHECKPOINT_PIECE_BYTES", PIECE_BYTES)
    return Victim()


def flip(content: bytearray, bit: int) -> None:
    """Turn one bit over."""
    content[bit // 8] ^= 1 << bit % 8


def resize(content: bytearray, size: int) -> None:
    """Cut, or lengthen with zeros."""
    del content[size:]
    content.extend(bytes(size - len(content)))


def swap(content: bytearray, one: slice, other: slice) -> None:
    """Exchange two places of the same length."""
    content[one], content[other] = content[other], content[one]


def replace(content: bytearray, by: bytes) -> None:
    """Put in something else."""
    content[:] = by


@pytest.mark.parametrize("file", FILES)
def test_each_bit_counts(victim: Victim, file: str) -> None:
    bits = range(0, len(victim.disk.contents(f"{HERE}/{file}")) * 8, STRIDE)
    for bit in bits:
        assert f"{HERE}/{file}" in victim.judge_content(file, partial(flip, bit=bit)), bit


@pytest.mark.parametrize("file", FILES)
def test_each_length_but_the_right_one_is_refused(victim: Victim, file: str) -> None:
    size = len(victim.disk.contents(f"{HERE}/{file}"))
    for length in (*range(0, size, 1 if IS_WHOLE else 7), size - 1, size + 1, 2 * size):
        assert f"{HERE}/{file}" in victim.judge_content(file, partial(resize, size=length))
    assert victim.judge_content(file, partial(resize, size=size)) == ""


def test_pieces_in_each_others_place_are_refused(victim: Victim) -> None:
    size = len(victim.disk.contents(f"{HERE}/image"))
    pieces = [slice(at, at + PIECE_BYTES) for at in range(0, size - PIECE_BYTES, PIECE_BYTES)]
    for one, other in product(pieces, pieces):
        refusal = victim.judge_content("image", partial(swap, one=one, other=other))
        assert (refusal == "") == (one == other)


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_gone_is_named(victim: Victim, file: str) -> None:
    assert f"{HERE} has no {file}" in victim.judge(removed(victim.disk, f"{HERE}/{file}"))


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_another_checkpoint_is_refused(victim: Victim, file: str) -> None:
    other = bytes(victim.disk.contents(f"{OTHER}/{file}"))
    assert f"{HERE}/image" in victim.judge_content(file, partial(replace, by=other))


@pytest.mark.parametrize("file", FILES)
def test_a_device_that_cannot_read_has_lost_the_file(victim: Victim, file: str) -> None:
    damaged = copy_of(victim.disk)
    damaged.fail("pread", errno.EIO, skip=FILES[::-1].index(file))
    assert f"{HERE}/{file} cannot be read" in victim.judge(damaged)


# ── a partition's start ───────────────────────────────────────────────────────────────────────────


class Partition:
    """A partition's folder with two checkpoints, and the state hashes that its entries led to."""

    def __init__(self, folder: Path, *, is_compacted: bool) -> None:
        self._folder = folder
        self.is_compacted = is_compacted
        self.disk = SimDisk()
        live = BarePartition(self.disk, folder / "live")
        self.newest = self.older = ""
        for first in (0, 30, 60):
            live.run(*publish_many(first, 30))
            if first < 60:
                self.older, self.newest = self.newest, live.checkpoint()
                if is_compacted:
                    live.compact()
        self.hashes = live.hashes
        live.close()

    def start(self, disk: SimDisk) -> int:
        """Start on a disk; the index that the start began with. The state must be the right one."""
        started = BarePartition(disk, self._folder / "again")
        try:
            assert started.found == max(self.hashes)
            assert started.state.hash == self.hashes[started.found], "a silent wrong state"
            assert started.state.recompute_hash() == started.state.hash
            return started.started_from
        finally:
            started.close()

    def outcome(self, disk: SimDisk) -> tuple[int, str]:
        """The same, or -1 and why the start is refused."""
        try:
            return self.start(disk), ""
        except StorageFailed as error:
            return -1, str(error)


@pytest.fixture(params=[False, True], ids=["whole log", "compacted log"])
def partition(request: pytest.FixtureRequest, tmp_path: Path) -> Partition:
    return Partition(tmp_path, is_compacted=request.param)


def index_of(directory: str) -> int:
    """The index of a checkpoint."""
    return int(directory.rpartition("/")[2])


def flip_somewhere(disk: SimDisk, path: str, seed: int) -> None:
    """Turn over one bit of a file."""
    content = disk.contents(path)
    flip(content, Random(seed).randrange(len(content) * 8))


def test_a_start_is_checkpoint_plus_log(partition: Partition) -> None:
    assert partition.start(copy_of(partition.disk)) == index_of(partition.newest)


@pytest.mark.parametrize("file", FILES)
def test_damage_to_the_newest_leads_to_the_older_one(
    partition: Partition, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = f"{partition.newest}/{file}"
    for seed in range(200 if IS_WHOLE else 20):
        damaged = copy_of(partition.disk)
        flip_somewhere(damaged, path, seed)
        assert partition.start(damaged) == index_of(partition.older)
        assert path in caplog.text
        caplog.clear()
    assert partition.start(removed(partition.disk, path)) == index_of(partition.older)


def test_damage_to_the_older_one_harms_nobody(partition: Partition) -> None:
    for file in FILES:
        damaged = removed(partition.disk, f"{partition.older}/{file}")
        assert partition.start(damaged) == index_of(partition.newest)


def test_damage_to_both_leads_to_the_beginning_of_the_log_or_to_a_refusal(
    partition: Partition,
) -> None:
    for one, other in product(FILES, FILES):
        damaged = removed(partition.disk, f"{partition.older}/{one}")
        flip_somewhere(damaged, f"{partition.newest}/{other}", 1)
        started_from, refusal = partition.outcome(damaged)
        assert started_from == (-1 if partition.is_compacted else 0)
        if refusal:
            assert "the log begins at index" in refusal
            assert f"{partition.newest}/{other} is damaged" in refusal


def test_a_compacted_log_alone_is_no_start(tmp_path: Path) -> None:
    partition = Partition(tmp_path, is_compacted=True)
    for directory, file in product((partition.older, partition.newest), FILES):
        partition.disk.remove(f"{directory}/{file}")
    with pytest.raises(StorageFailed, match="there is no checkpoint of what was before"):
        partition.start(partition.disk)


def test_a_checkpoint_from_before_the_log_is_no_start(tmp_path: Path) -> None:
    partition = Partition(tmp_path, is_compacted=True)
    ancient = SimDisk()
    same = BarePartition(ancient, tmp_path / "same")
    same.run(*publish_many(0, 10))
    directory = same.checkpoint()
    same.close()
    partition.disk.mkdir(directory)
    for file in FILES:
        content = bytes(ancient.contents(f"{directory}/{file}"))
        partition.disk.create(f"{directory}/{file}").pwrite(content, 0)
        for other in (partition.older, partition.newest):
            partition.disk.remove(f"{other}/{file}")
    with pytest.raises(StorageFailed, match=f"stands at index {index_of(directory)}"):
        partition.start(partition.disk)


def test_checkpoints_in_each_others_place_are_not_taken(
    partition: Partition, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = copy_of(partition.disk)
    for file in FILES:
        one = damaged.contents(f"{partition.newest}/{file}")
        other = damaged.contents(f"{partition.older}/{file}")
        one[:], other[:] = bytes(other), bytes(one)
    started_from, refusal = partition.outcome(damaged)
    assert started_from == (-1 if partition.is_compacted else 0)
    assert f"{partition.newest} is the checkpoint of index" in refusal + caplog.text


def test_a_checkpoint_of_another_log_is_not_taken(
    partition: Partition, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = SimDisk()
    stranger = BarePartition(other, tmp_path / "stranger")
    stranger.run(*publish_many(100, index_of(partition.newest) - 1))
    assert stranger.checkpoint() == partition.newest
    stranger.close()
    damaged = copy_of(partition.disk)
    for file in FILES:
        path = f"{partition.newest}/{file}"
        damaged.contents(path)[:] = other.contents(path)
    assert partition.start(damaged) == index_of(partition.older)
    assert f"{partition.newest} is of another log" in caplog.text


def test_a_checkpoint_ahead_of_the_log_is_refused(partition: Partition, tmp_path: Path) -> None:
    other = SimDisk()
    younger = BarePartition(other, tmp_path / "younger")
    younger.run(*publish_many(0, 5))
    younger.close()
    damaged = copy_of(partition.disk)
    for path in [path for path in other.files() if path.startswith(("journal", "raft"))]:
        if damaged.exists(path):
            damaged.remove(path)
        damaged.create(path).pwrite(bytes(other.contents(path)), 0)
    with pytest.raises((StorageFailed, JournalError)):
        partition.start(damaged)
