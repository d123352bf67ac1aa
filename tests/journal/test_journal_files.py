"""A journal in a real folder: what was flushed is found again, what is damaged is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grevy.broker.system import OsDisk
from grevy.journal import Journal, JournalEntry, JournalError, JournalOptions
from grevy.journal.segment import RESERVED_BYTES


def fill(folder: Path, count: int) -> list[JournalEntry]:
    """Writes and flushes entries, and closes the journal."""
    journal = Journal.open(OsDisk(folder), 1, JournalOptions())
    entries = [JournalEntry(index, 1, b"%d" % index * 40) for index in range(1, count + 1)]
    journal.append(entries)
    journal.flush()
    journal.close()
    return entries


def segment_of(folder: Path) -> Path:
    """The only segment's file."""
    (found,) = (folder / "journal").glob("segment-*.log")
    assert found.stat().st_size > 0
    return found


def test_what_was_flushed_is_found_again(tmp_path: Path) -> None:
    entries = fill(tmp_path, 50)
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    assert journal.read(1, 1 << 20) == entries
    assert journal.last_flushed_index == 50
    journal.close()


def test_every_sampled_bit_flip_is_refused_or_harmless(tmp_path: Path) -> None:
    entries = fill(tmp_path, 60)
    segment = segment_of(tmp_path)
    whole = segment.read_bytes()
    refused = 0
    for bit in range(0, len(whole) * 8, 127):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        segment.write_bytes(damaged)
        try:
            journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
            found = journal.read(1, 1 << 20)
            journal.close()
        except JournalError:
            refused += 1
        else:
            assert found == entries, f"bit {bit} gave a silent wrong read"
    assert refused > 0


def test_every_sampled_truncation_of_what_was_flushed_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 60)
    segment = segment_of(tmp_path)
    whole = segment.read_bytes()
    used = len(whole.rstrip(b"\0"))
    for length in range(0, used, 131):
        segment.write_bytes(whole[:length])
        with pytest.raises(JournalError):
            Journal.open(OsDisk(tmp_path), 1, JournalOptions())


def test_a_log_of_another_partition_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    with pytest.raises(JournalError):
        Journal.open(OsDisk(tmp_path), 2, JournalOptions())


def test_what_was_not_flushed_may_be_torn(tmp_path: Path) -> None:
    entries = fill(tmp_path, 5)
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    journal.append([JournalEntry(6, 1, b"x" * 500)])
    used = len(segment_of(tmp_path).read_bytes().rstrip(b"\0"))
    with segment_of(tmp_path).open("r+b") as file:
        file.truncate(used - 100)
    reopened = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    assert reopened.read(1, 1 << 20) == entries
    reopened.close()


def test_room_is_taken_ahead_and_given_back(tmp_path: Path) -> None:
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    journal.append([JournalEntry(1, 1, b"first")])
    size = segment_of(tmp_path).stat().st_size
    assert size > RESERVED_BYTES
    journal.append([JournalEntry(2, 1, b"second")])
    assert segment_of(tmp_path).stat().st_size == size
    journal.append([JournalEntry(3, 1, bytes(2 * RESERVED_BYTES))])
    assert segment_of(tmp_path).stat().st_size > 3 * RESERVED_BYTES
    journal.close()
    assert segment_of(tmp_path).stat().st_size == journal.statistics().bytes


def test_room_that_a_crash_left_is_the_end_of_the_log(tmp_path: Path) -> None:
    options = JournalOptions(segment_bytes=4096)
    journal = Journal.open(OsDisk(tmp_path / "log"), 1, options)
    entries = [JournalEntry(index, 1, b"%04d" % index * 100) for index in range(1, 21)]
    journal.append(entries)
    journal.flush()
    shutil.copytree(tmp_path / "log", tmp_path / "crashed")
    journal.close()
    names = sorted((tmp_path / "crashed" / "journal").glob("segment-*"))
    assert [name.stat().st_size for name in names] == [4096] * 3, "room in each of them"
    found = Journal.open(OsDisk(tmp_path / "crashed"), 1, options)
    assert found.read(1, 1 << 20) == entries
    found.append([JournalEntry(21, 2, b"more")])
    found.flush()
    found.close()
    again = Journal.open(OsDisk(tmp_path / "crashed"), 1, options)
    assert again.read(21, 1 << 20) == [JournalEntry(21, 2, b"more")]
    again.close()


def test_how_much_log_there_is_after_an_entry(tmp_path: Path) -> None:
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions(segment_bytes=4096))
    journal.append([JournalEntry(index, 1, bytes(448)) for index in range(1, 21)])
    journal.flush()
    heads = 52 * len(list((tmp_path / "journal").glob("segment-*")))
    assert journal.bytes_after(20) == 0
    assert journal.bytes_after(19) == 500
    assert journal.bytes_after(0) == 20 * 500 + heads - 52
    assert journal.appended_bytes == 20 * 500
    journal.compact(10)
    assert journal.bytes_after(18) == 2 * 500
    journal.close()
