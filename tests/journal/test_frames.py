"""The bytes on the disk: what a log of this version holds is what all later versions must read."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest
from crc32c import crc32c
from tests.sim.disk import SimDisk

from grevy.journal import (
    Journal,
    JournalCorrupted,
    JournalEntry,
    JournalOptions,
    SlotFile,
    SlotOwner,
)
from grevy.journal.frame import Stamp, find_flushed
from grevy.protocol.errors import LimitExceeded, NewerVersion
from grevy.protocol.limits import ENTRY_BYTES_MAX

SEGMENT = "journal/segment-0000000001.log"
OPTIONS = JournalOptions(cluster_id=0xC1)
PARTITION = 0x0A
HEADER_BYTES = 52
FIELDS = struct.Struct("<I2sBBIIIIIQQQ")


@dataclass
class Frame:
    """The header of a frame, read by hand, and its payload."""

    checksum: int
    magic: bytes
    version: int
    kind: int
    length: int
    cluster: int
    partition: int
    segment: int
    previous: int
    index: int
    term: int
    flushed: int
    payload: bytes = b""


def frames_of(content: bytes) -> list[Frame]:
    """The frames of a file, one after the other, up to its unused room."""
    frames: list[Frame] = []
    offset = 0
    while any(content[offset:]):
        frame = Frame(*FIELDS.unpack_from(content, offset))
        end = offset + HEADER_BYTES + frame.length
        frame.payload = content[offset + HEADER_BYTES : end]
        assert crc32c(content[offset + 4 : end]) == frame.checksum
        frames.append(frame)
        offset = end
    return frames


def written(entries: list[JournalEntry]) -> bytes:
    """The file of a log with some entries."""
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, OPTIONS)
    journal.append(entries)
    journal.flush()
    journal.close()
    return bytes(disk.contents(SEGMENT))


def test_what_each_frame_carries() -> None:
    entries = [JournalEntry(1, 3, b"first"), JournalEntry(2, 3, b""), JournalEntry(3, 7, b"third")]
    header, *frames = frames_of(written(entries))
    assert (header.kind, header.length, header.previous, header.index, header.term) == (0,) * 5
    previous = 0
    for frame, entry in zip(frames, entries, strict=True):
        assert (frame.magic, frame.version, frame.kind) == (b"GJ", 2, 1)
        assert (frame.cluster, frame.partition, frame.segment) == (0xC1, PARTITION, 1)
        assert (frame.index, frame.term, frame.payload) == (entry.index, entry.term, entry.payload)
        assert frame.length == len(entry.payload)
        assert frame.previous == previous, "each frame names the one before"
        previous = frame.checksum


def test_each_frame_says_how_far_the_log_was_durable() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, OPTIONS)
    journal.append([JournalEntry(1, 1, b""), JournalEntry(2, 1, b"")])
    handle = journal.flush_handle()
    journal.append([JournalEntry(3, 1, b"")])
    handle.sync()
    journal.flushed(handle)
    journal.append([JournalEntry(4, 1, b"")])
    frames = frames_of(bytes(disk.contents(SEGMENT)))
    assert [frame.flushed for frame in frames] == [0, 0, 0, 0, 2]


def test_the_bytes_of_a_segment() -> None:
    content = written([JournalEntry(1, 2, b"grevy")])
    assert content[:HEADER_BYTES].hex(" ", -4) == (
        "06f30b16 474a0200 00000000 c1000000 0a000000 01000000 00000000 "
        "00000000 00000000 00000000 00000000 00000000 00000000"
    )
    assert content[HEADER_BYTES:].hex(" ", -4) == (
        "90a79343 474a0201 05000000 c1000000 0a000000 01000000 00000000 "
        "01000000 00000000 02000000 00000000 00000000 00000000 67726576 79"
    )


def test_the_bytes_of_a_slot() -> None:
    disk = SimDisk()
    disk.mkdir("raft")
    SlotFile.create(disk, "raft", "vote", SlotOwner(0xC1, PARTITION, 2), b"value")
    content = bytes(disk.contents("raft/vote"))
    assert len(content) == 4096 + 33
    assert content[4096:].hex(" ", -4) == (
        "1b521bca 47530102 05000000 c1000000 0a000000 01000000 00000000 76616c75 65"
    )
    assert SlotFile.open(disk, "raft/vote", SlotOwner(0xC1, PARTITION, 2)).value == b"value"


@pytest.mark.parametrize(
    ("version", "error", "why"),
    [
        (0, JournalCorrupted, "index 1"),
        (1, JournalCorrupted, "index 1"),
        (3, NewerVersion, "entry 1 of the journal was written by a later version"),
        (255, NewerVersion, "in form 255, and this one knows 2"),
    ],
)
def test_another_version_is_refused(version: int, error: type[Exception], why: str) -> None:
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, OPTIONS)
    journal.append([JournalEntry(1, 1, b"x")])
    journal.flush()
    journal.close()  # which gives back the room that is not used
    content = disk.contents(SEGMENT)
    content[HEADER_BYTES + 6] = version
    content[HEADER_BYTES : HEADER_BYTES + 4] = crc32c(bytes(content[HEADER_BYTES + 4 :])).to_bytes(
        4, "little"
    )
    with pytest.raises(error, match=why):
        Journal.open(disk, PARTITION, OPTIONS)


def test_the_chain_goes_on_across_files() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, JournalOptions(cluster_id=0xC1, segment_bytes=200))
    journal.append([JournalEntry(index, 1, bytes(100)) for index in (1, 2, 3)])
    journal.flush()
    files = [path for path in disk.files() if "segment" in path]
    assert len(files) == 3
    previous = 0
    for number, path in enumerate(files):
        header, *frames = frames_of(bytes(disk.contents(path)))
        assert header.segment == number + 1
        assert (header.index, header.previous) == (number, previous)
        assert [frame.previous for frame in frames] == [previous]
        previous = frames[-1].checksum


def test_an_entry_beyond_the_limit_is_not_written() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, OPTIONS)
    entries = [JournalEntry(1, 1, b"small"), JournalEntry(2, 1, bytes(ENTRY_BYTES_MAX + 1))]
    with pytest.raises(LimitExceeded, match=str(ENTRY_BYTES_MAX)):
        journal.append(entries)
    assert journal.last_index == 0
    assert len(disk.contents(SEGMENT)) == HEADER_BYTES


def test_a_frame_is_found_behind_anything() -> None:
    disk = SimDisk()
    journal = Journal.open(disk, PARTITION, OPTIONS)
    journal.append([JournalEntry(1, 1, b"GJ\x02\x01")])
    journal.flush()
    journal.append([JournalEntry(2, 1, b"vouches for the first")])
    journal.close()
    content = bytes(disk.contents(SEGMENT))
    stamp = Stamp(0xC1, PARTITION, 1)
    begin = 2 * HEADER_BYTES + len(b"GJ\x02\x01")
    for cut in range(begin + 1):
        assert find_flushed(content[cut:], stamp, 0) == 1
    for noise in (b"", b"GJ\x02\x01", b"GJ\x02\x01" * 30, bytes(60)):
        assert find_flushed(noise + content[begin:] + noise, stamp, 0) == 1
        assert find_flushed(noise + content[begin:-1] + noise, stamp, 0) == 0
        assert find_flushed(noise + content[begin:], stamp, 1) == 0, "not more than is known"
        assert find_flushed(noise + content[begin:], stamp._replace(segment_id=2), 0) == 0
