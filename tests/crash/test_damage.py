"""Damage to a flushed journal is refused or harmless: no silent wrong read, no empty start.

Every file is damaged on a copy of the same disk: single bits, lengths, blocks of 4 KiB, whole
files.
"""

from __future__ import annotations

import os
from itertools import permutations
from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import Journal, JournalCorrupted, JournalEntry, JournalError, JournalOptions
from grevy.raft import HardState, RaftStorage, Ready

IS_WHOLE = os.environ.get("GREVY_FLIPS") == "all"
STRIDE = 1 if IS_WHOLE else 63
"""Odd, so that a sample has every bit of a byte."""
SEGMENT_BYTES = 16 * 1024
BLOCK_BYTES = 4096
FLUSHED_ENTRIES = 10
OPTIONS = JournalOptions(segment_bytes=SEGMENT_BYTES)
FIRST = "journal/segment-0000000001.log"
SECOND = "journal/segment-0000000002.log"
PROMISE = "journal/flushed.meta"
VOTE = "raft/vote"
HARD_STATE = HardState(3, 1)


def entries_of(partition_id: int, term: int = 2) -> list[JournalEntry]:
    """Entries for one full segment and a bit of a second one."""
    rng = Random(partition_id)
    return [JournalEntry(index, term, rng.randbytes(rng.randrange(600))) for index in range(1, 71)]


def fill(partition_id: int, options: JournalOptions = OPTIONS, *, settles: bool = True) -> SimDisk:
    """A disk with a log and a vote, all of it acknowledged, in several flushes."""
    disk = SimDisk()
    journal = Journal.open(disk, partition_id, options)
    RaftStorage.open(disk, journal, partition_id).write(Ready(HARD_STATE, (), (), 0))
    entries = entries_of(partition_id)
    for start in range(0, len(entries), FLUSHED_ENTRIES):
        journal.append(entries[start : start + FLUSHED_ENTRIES])
        handle = journal.flush_handle(settles=settles)
        handle.sync()
        journal.flushed(handle)
    assert journal.statistics().segments == 2
    journal.close()
    return disk


class Victim:
    """A disk to damage again and again."""

    def __init__(self, disk: SimDisk | None = None) -> None:
        self._disk = disk or fill(1)
        self._expected = entries_of(1)
        self.refused = 0
        self.harmless = 0

    def copy(self) -> SimDisk:
        """The whole disk once more."""
        return self._disk.crash(Random(0), 1.0)

    def judge(self, damaged: SimDisk) -> None:
        """Open the log and the vote; they are whole, or refused with an error of the journal's."""
        try:
            journal = Journal.open(damaged, 1, OPTIONS)
            found = journal.read(1, 1 << 30)
            storage = RaftStorage.open(damaged, journal, 1)
        except JournalError:
            self.refused += 1
            return
        assert found == self._expected
        assert storage.hard_state == HARD_STATE
        self.harmless += 1


@pytest.fixture
def victim() -> Victim:
    return Victim()


def flip(content: bytearray, bit: int) -> None:
    """Turn one bit over."""
    content[bit // 8] ^= 1 << bit % 8


def test_each_bit_of_a_segment(victim: Victim) -> None:
    bits = len(victim.copy().contents(FIRST)) * 8
    assert bits > 0.95 * SEGMENT_BYTES * 8
    for bit in range(0, bits, STRIDE):
        damaged = victim.copy()
        flip(damaged.contents(FIRST), bit)
        victim.judge(damaged)
    assert victim.harmless == 0, "every bit of a full segment counts"


def test_each_bit_of_the_last_flush(victim: Victim) -> None:
    bits = len(victim.copy().contents(SECOND)) * 8
    for bit in range(0, bits, STRIDE):
        damaged = victim.copy()
        flip(damaged.contents(SECOND), bit)
        victim.judge(damaged)
    assert victim.harmless == 0, "every bit of what was acknowledged counts"


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_each_bit_under_a_promise_that_is_only_noted(path: str) -> None:
    victim = Victim(fill(1, settles=False))
    for bit in range(0, len(victim.copy().contents(path)) * 8, STRIDE):
        damaged = victim.copy()
        flip(damaged.contents(path), bit)
        victim.judge(damaged)
    assert victim.harmless == 0, "every bit of what was acknowledged counts"


def test_each_bit_that_a_later_flush_vouches_for_when_no_promise_was_settled() -> None:
    disk = fill(1, settles=False)
    after_power_cut = disk.crash(Random(0), 0.0)
    second = after_power_cut.open(SECOND)
    second.truncate(len(disk.contents(SECOND)))  # there was unused room
    second.fdatasync()
    victim = Victim(after_power_cut)
    expected = entries_of(1)
    last_flush = sum(52 + len(entry.payload) for entry in expected[-FLUSHED_ENTRIES:])
    for path in (FIRST, SECOND):
        last_flush_bits = 8 * last_flush if path == SECOND else 0
        bits = 8 * len(victim.copy().contents(path)) - last_flush_bits
        for bit in range(0, bits, STRIDE):
            damaged = victim.copy()
            flip(damaged.contents(path), bit)
            victim.judge(damaged)
        assert victim.refused > 0
        assert victim.harmless == 0, "every bit of what was acknowledged counts"
        for bit in range(bits, bits + last_flush_bits, STRIDE):
            damaged = victim.copy()
            flip(damaged.contents(path), bit)
            journal = Journal.open(damaged, 1, OPTIONS)
            found = journal.read(1, 1 << 30)
            assert found == expected[: len(found)], "it cannot be told from a tear"
            assert len(found) >= len(expected) - FLUSHED_ENTRIES


def test_a_missing_frame_is_not_taken_for_the_end_of_the_log() -> None:
    disk = fill(1, settles=False).crash(Random(0), 0.0)
    content = disk.contents(SECOND)
    del content[52 : 52 + 1000]
    with pytest.raises(JournalCorrupted, match="was flushed"):
        Journal.open(disk, 1, OPTIONS)


@pytest.mark.parametrize("path", [PROMISE, VOTE])
@pytest.mark.parametrize("slot", [0, BLOCK_BYTES])
def test_each_bit_of_a_slot(victim: Victim, path: str, slot: int) -> None:
    for bit in range(slot * 8, (slot + 96) * 8, 1 if IS_WHOLE else 3):
        damaged = victim.copy()
        content = damaged.contents(path)
        if bit < len(content) * 8:
            flip(content, bit)
            victim.judge(damaged)
    assert victim.refused == 0, "the other slot has the value, or the frames show it"


@pytest.mark.parametrize("path", [FIRST, SECOND, PROMISE, VOTE])
def test_each_length(victim: Victim, path: str) -> None:
    for length in range(0, len(victim.copy().contents(path)), STRIDE):
        damaged = victim.copy()
        del damaged.contents(path)[length:]
        victim.judge(damaged)
    assert victim.refused > 0


@pytest.mark.parametrize("path", [FIRST, PROMISE, VOTE])
def test_blocks_zeroed_doubled_and_swapped(victim: Victim, path: str) -> None:
    size = len(victim.copy().contents(path))
    blocks = [slice(start, start + BLOCK_BYTES) for start in range(0, size, BLOCK_BYTES)]
    for block in blocks:
        damaged = victim.copy()
        content = damaged.contents(path)
        content[block] = bytes(len(content[block]))
        victim.judge(damaged)
    for one, other in permutations(blocks, 2):
        for is_swap in (False, True):
            damaged = victim.copy()
            content = damaged.contents(path)
            content[one], content[other] = content[other], content[one if is_swap else other]
            victim.judge(damaged)
    assert victim.refused + victim.harmless >= len(blocks) ** 2


@pytest.mark.parametrize("path", [FIRST, SECOND, PROMISE, VOTE])
def test_each_file_removed(victim: Victim, path: str) -> None:
    damaged = victim.copy()
    damaged.remove(path)
    victim.judge(damaged)
    assert victim.refused == 1


@pytest.mark.parametrize("path", [FIRST, SECOND, PROMISE, VOTE])
@pytest.mark.parametrize("stranger", ["partition", "cluster"])
def test_each_file_of_another_log(victim: Victim, path: str, stranger: str) -> None:
    if stranger == "partition":
        other = fill(2)
    else:
        other = fill(1, JournalOptions(segment_bytes=SEGMENT_BYTES, cluster_id=7))
    damaged = victim.copy()
    damaged.contents(path)[:] = other.contents(path)
    victim.judge(damaged)
    if (path, stranger) != (VOTE, "cluster"):
        assert victim.refused == 1


@pytest.mark.parametrize("place", [0, 4096])
@pytest.mark.parametrize(("path", "stranger"), [(PROMISE, VOTE), (VOTE, PROMISE)])
def test_one_slot_of_another_file(victim: Victim, path: str, stranger: str, place: int) -> None:
    """A block that went to the wrong place: the other slot is whole."""
    damaged = victim.copy()
    slot = slice(place, place + 512)
    damaged.contents(path)[slot] = damaged.contents(stranger)[slot]
    victim.judge(damaged)
    assert victim.harmless == 1


@pytest.mark.parametrize("path", [FIRST, PROMISE])
def test_segments_in_each_others_place(victim: Victim, path: str) -> None:
    damaged = victim.copy()
    damaged.contents(path)[:] = damaged.contents(SECOND)
    victim.judge(damaged)
    assert victim.refused == 1


def test_a_file_as_it_was_before_a_cut() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, 1, OPTIONS)
    journal.append(
        [JournalEntry(1, 1, b"kept"), JournalEntry(2, 1, b"old"), JournalEntry(3, 1, b"old")]
    )
    journal.flush()
    before = bytes(disk.contents(FIRST))
    journal.truncate_after(1)
    journal.append([JournalEntry(index, 2, b"new") for index in (2, 3)])
    journal.flush()
    disk.contents(FIRST)[:] = before
    with pytest.raises(JournalCorrupted):
        Journal.open(disk, 1, OPTIONS)


def test_one_frame_as_it_was_before_a_cut() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, 1, OPTIONS)
    journal.append([JournalEntry(index, 1, b"old") for index in (1, 2, 3)])
    journal.flush()
    frame_bytes = 52 + len(b"old")
    second = slice(52 + frame_bytes, 52 + 2 * frame_bytes)
    before = disk.contents(FIRST)[second]
    journal.truncate_after(1)
    journal.append([JournalEntry(index, 1, b"new") for index in (2, 3)])
    journal.flush()
    disk.contents(FIRST)[second] = before
    with pytest.raises(JournalCorrupted):
        journal.read(1, 1 << 20)
    with pytest.raises(JournalCorrupted):
        Journal.open(disk, 1, OPTIONS)


def test_damage_while_the_journal_is_open() -> None:
    disk = fill(1)
    journal = Journal.open(disk, 1, OPTIONS)
    content = disk.contents(FIRST)
    expected = entries_of(1)
    for bit in range(52 * 8, len(content) * 8, 257):
        flip(content, bit)
        with pytest.raises(JournalCorrupted):
            journal.read(1, 1 << 30)
        flip(content, bit)
    assert journal.read(1, 1 << 30) == expected
