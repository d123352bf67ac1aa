"""Disks that fail a call, and processes that die between two: nothing is tried again over a
failure.
"""

from __future__ import annotations

import errno
from random import Random

import pytest
from tests.sim.disk import SHORT, SimDisk

from grevy.journal import Journal, JournalBusy, JournalEntry, JournalFailed, JournalOptions

OPTIONS = JournalOptions(segment_bytes=4096)


def entries(first: int, count: int) -> list[JournalEntry]:
    """Entries of half a KiB."""
    return [JournalEntry(index, 1, b"%05d" % index * 100) for index in range(first, first + count)]


def with_entries(disk: SimDisk, count: int) -> Journal:
    """A journal with that many acknowledged entries."""
    journal = Journal.open(disk, 1, OPTIONS)
    journal.append(entries(1, count))
    journal.flush()
    return journal


def append_and_flush(journal: Journal, count: int) -> None:
    """Acknowledge that many more entries."""
    journal.append(entries(journal.last_index + 1, count))
    journal.flush()


@pytest.mark.parametrize("skip", [0, 1])
def test_a_failed_sync_ends_the_journal(skip: int) -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    journal.append(entries(4, 2))
    disk.fail("fdatasync", errno.EIO, skip)
    handle = journal.flush_handle(settles=True)
    with pytest.raises(JournalFailed, match="flush"):
        handle.sync()
    assert journal.last_flushed_index == 3
    for again in (handle.sync, journal.flush, lambda: journal.append(entries(6, 1))):
        with pytest.raises(JournalFailed):
            again()


def test_a_flush_costs_one_sync_and_a_promise_another_when_it_is_settled() -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    for settles, syncs in ((False, 1), (True, 2), (False, 1)):
        journal.append(entries(journal.last_index + 1, 1))
        handle = journal.flush_handle(settles=settles)
        disk.fail("fdatasync", errno.EIO, syncs)  # the one that comes after these
        handle.sync()
        journal.flushed(handle)
        assert journal.is_settled is settles
        disk.mend()
    journal.flush()
    assert journal.is_settled
    assert Journal.open(disk.crash(Random(1), 0.0), 1, OPTIONS).last_index == 6


@pytest.mark.parametrize("skip", [0, 1])
def test_what_a_failed_sync_forgot_is_written_anew_before_it_is_promised(skip: int) -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    journal.append(entries(4, 12))
    disk.fail("fdatasync", errno.EIO, skip)
    with pytest.raises(JournalFailed):
        journal.flush()

    restarted = Journal.open(disk, 1, OPTIONS)
    promised = restarted.last_flushed_index
    assert promised == 15, "the system still shows what the device never got"

    after_power_cut = Journal.open(disk.crash(Random(1), 0.0), 1, OPTIONS)
    assert after_power_cut.read(1, 1 << 20) == entries(1, promised)


@pytest.mark.parametrize("operation", ["pwrite", "create", "fsync_dir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_ends_the_journal_and_loses_nothing(operation: str, code: int) -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    disk.fail(operation, code)
    with pytest.raises(JournalFailed, match="disk failed"):
        append_and_flush(journal, 12)
    with pytest.raises(JournalFailed):
        journal.append(entries(journal.last_index + 1, 1))
    restarted = Journal.open(disk, 1, OPTIONS)
    assert restarted.last_index >= 3
    assert restarted.read(1, 1 << 20) == entries(1, restarted.last_index)


@pytest.mark.parametrize("operation", ["remove", "truncate", "fdatasync", "fsync_dir", "pwrite"])
@pytest.mark.parametrize("skip", range(3))
def test_a_cut_that_fails_half_way_leaves_a_log(operation: str, skip: int) -> None:
    disk = SimDisk()
    journal = with_entries(disk, 30)
    disk.fail(operation, errno.EIO, skip)
    try:
        journal.truncate_after(5)
    except JournalFailed:
        with pytest.raises(JournalFailed):
            journal.flush()
    restarted = Journal.open(disk.crash(Random(skip), 0.5), 1, OPTIONS)
    assert 5 <= restarted.last_index <= 30
    assert restarted.read(1, 1 << 20) == entries(1, restarted.last_index)


def test_a_killed_process_then_a_power_cut() -> None:
    disk = SimDisk()
    with_entries(disk, 3).append(entries(4, 12))
    after_kill = Journal.open(disk, 1, OPTIONS)
    assert after_kill.last_flushed_index == after_kill.last_index == 15
    after_power_cut = Journal.open(disk.crash(Random(1), 0.0), 1, OPTIONS)
    assert after_power_cut.last_index == 15


def test_the_end_does_not_move_under_a_flush() -> None:
    journal = with_entries(SimDisk(), 3)
    journal.append(entries(4, 1))
    handle = journal.flush_handle()
    for moving in (
        journal.flush_handle,
        lambda: journal.truncate_after(1),
        lambda: journal.reset(10),
    ):
        with pytest.raises(JournalBusy):
            moving()
    handle.sync()
    journal.flushed(handle)
    assert journal.last_flushed_index == 4


def test_a_compaction_waits_for_the_flush() -> None:
    journal = with_entries(SimDisk(), 30)
    journal.append(entries(31, 1))
    handle = journal.flush_handle()
    journal.compact(20)
    assert journal.first_index == 1
    handle.sync()
    journal.flushed(handle)
    assert 1 < journal.first_index <= 21


def test_what_frames_vouch_for_is_not_written_again() -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    for _ in range(3):
        journal.append(entries(journal.last_index + 1, 1))
        handle = journal.flush_handle()
        handle.sync()
        journal.flushed(handle)
    after = disk.crash(Random(1), 0.0)
    segment = after.stable_files()["journal/segment-0000000001.log"]
    segment.stable_from = len(segment.stable)
    assert Journal.open(after, 1, OPTIONS).last_index == 6
    last_frame_bytes = 52 + len(entries(6, 1)[0].payload)
    assert segment.stable_from == len(segment.stable) - last_frame_bytes


def test_entries_appended_during_a_flush_are_not_promised_by_it() -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    journal.append(entries(4, 2))
    handle = journal.flush_handle()
    journal.append(entries(6, 2))
    handle.sync()
    journal.flushed(handle)
    assert (handle.index, handle.term) == (5, 1)
    assert journal.last_flushed_index == 5
    assert journal.last_index == 7


@pytest.mark.parametrize("is_power_cut", [False, True])
def test_a_read_that_gives_too_little_is_neither_a_tear_nor_damage(is_power_cut: bool) -> None:
    disk = SimDisk()
    journal = with_entries(disk, 30)
    handle_upto = journal.last_index + 1
    journal.append(entries(handle_upto, 1))
    handle = journal.flush_handle()
    handle.sync()
    journal.flushed(handle)  # its promise is noted only, and no frame vouches for it
    refused = 0
    for skip in range(40):
        after = disk.crash(Random(0), 0.0 if is_power_cut else 1.0)
        after.fail("pread", SHORT, skip)
        try:
            journal = Journal.open(after, 1, OPTIONS)
        except OSError:
            refused += 1
            after.mend()
            journal = Journal.open(after, 1, OPTIONS)
        assert journal.last_index == handle_upto
    assert refused > 5


def test_a_read_of_a_log_that_is_open_says_when_it_got_too_little() -> None:
    disk = SimDisk()
    journal = with_entries(disk, 3)
    disk.fail("pread", SHORT)
    with pytest.raises(OSError, match="the file goes on"):
        journal.read(1, 1 << 20)
    assert len(journal.read(1, 1 << 20)) == 3
