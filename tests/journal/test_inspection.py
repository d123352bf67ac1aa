"""Looking at a log while its owner works, and at one that is damaged; nothing is ever written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grevy.broker.system import OsDisk
from grevy.journal import (
    Journal,
    JournalCorrupted,
    JournalDamaged,
    JournalEntry,
    JournalInspection,
    JournalOptions,
)

OPTIONS = JournalOptions(segment_bytes=4_200)


def look(folder: Path) -> JournalInspection:
    """A look through a disk that cannot be written."""
    return JournalInspection.open(OsDisk(folder, is_read_only=True), 1, OPTIONS)


def entries(begin: int, end: int) -> list[JournalEntry]:
    """Some of 440 bytes or so: nine in a segment."""
    return [JournalEntry(index, 1, b"%04d" % index * 100) for index in range(begin, end + 1)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Forty entries in several segments, flushed."""
    made = Journal.open(OsDisk(tmp_path), 1, OPTIONS)
    made.append(entries(1, 40))
    made.flush()
    yield made
    made.close()


def test_all_entries_of_an_open_log_are_seen(journal: Journal, tmp_path: Path) -> None:
    journal.append(entries(41, 45))  # not flushed, but whole
    inspection = look(tmp_path)
    assert list(inspection.entries()) == entries(1, 45)
    assert inspection.segments == journal.statistics().segments
    assert inspection.bytes + 52 * inspection.segments == journal.statistics().bytes
    files = (tmp_path / "journal").glob("segment-*")
    assert inspection.bytes_total() == sum(file.stat().st_size for file in files)
    assert inspection.tail is None


def test_what_is_compacted_meanwhile_is_skipped(journal: Journal, tmp_path: Path) -> None:
    inspection = look(tmp_path)
    reading = inspection.entries()
    seen = [next(reading).index]
    journal.compact(30)
    seen += [entry.index for entry in reading]
    assert inspection.restarts == 1
    assert seen[-1] == 40
    first = journal.first_index
    assert seen == [*range(1, 10), *range(first, 41)]


def test_a_bad_frame_above_the_promise_is_the_end(journal: Journal, tmp_path: Path) -> None:
    journal.append(entries(41, 42))
    last = max((tmp_path / "journal").glob("segment-*"))
    whole = last.read_bytes().rstrip(b"\0")  # but for unused room
    last.write_bytes(whole[:-1])
    inspection = look(tmp_path)
    assert [entry.index for entry in inspection.entries()] == list(range(1, 42))
    assert inspection.tail is not None
    path, offset, length = inspection.tail
    assert (path, offset + length) == (f"journal/{last.name}", len(whole) - 1)
    assert last.read_bytes() == whole[:-1]


def test_damage_below_the_promise_names_its_byte(journal: Journal, tmp_path: Path) -> None:
    second = sorted((tmp_path / "journal").glob("segment-*"))[1]
    data = bytearray(second.read_bytes())
    data[52 + 452 + 60] ^= 4
    second.write_bytes(data)
    seen: list[int] = []
    with pytest.raises(JournalDamaged, match="byte 504: checksum is wrong") as caught:
        seen.extend(entry.index for entry in look(tmp_path).entries())
    assert seen == list(range(1, 11)), "what is whole is given"
    assert (caught.value.path, caught.value.offset) == (f"journal/{second.name}", 504)
    assert caught.value.index == 11


def test_a_missing_segment_is_damage(journal: Journal, tmp_path: Path) -> None:
    sorted((tmp_path / "journal").glob("segment-*"))[1].unlink()
    with pytest.raises(JournalDamaged, match="the file is missing"):
        list(look(tmp_path).entries())


def test_without_its_promise_a_log_is_not_looked_at(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "journal" / "flushed.meta").write_bytes(bytes(8_192))
    with pytest.raises(JournalCorrupted, match="neither copy is readable"):
        look(tmp_path)


def test_a_read_only_disk_writes_nothing(journal: Journal, tmp_path: Path) -> None:
    disk = OsDisk(tmp_path, is_read_only=True)
    file = disk.open("journal/flushed.meta")
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.pwrite(b"x", 0)
    file.close()
    OsDisk(tmp_path / "none", is_read_only=True)
    assert not (tmp_path / "none").exists()
