"""The bytes of one frame. A segment is frames, one after the other, from its first byte on; then
there may be zeros, room for more.

    0        4      6     7      8        12        16          20        24
    ┌────────┬──────┬─────┬──────┬────────┬─────────┬───────────┬─────────┐
    │ crc32c │ "GJ" │ ver │ kind │ length │ cluster │ partition │ segment │
    │ u32    │ 2 B  │ u8  │ u8   │ u32    │ u32     │ u32       │ u32     │
    └────────┴──────┴─────┴──────┴────────┴─────────┴───────────┴─────────┘
    24         28      36     44        52
    ┌──────────┬───────┬──────┬─────────┐
    │ previous │ index │ term │ flushed │
    │ u32      │ u64   │ u64  │ u64     │
    └──────────┴───────┴──────┴─────────┘
    then `length` bytes of payload. The checksum covers all that comes after it.

Later forms keep what stands before `cluster`, and what length and checksum are of: so a frame that
is of one is told from damage (`NewerVersion`), and nothing of it is cut.

All numbers are little-endian. A checksum alone does not notice a whole frame in the wrong place, so
every frame says where it belongs (cluster, partition, segment, index) and names the checksum of the
frame `previous` to it: a block that is old, swapped, doubled or of another journal breaks the
chain.

The first frame of a segment has kind SEGMENT and no payload. Its index and term are those of the
last entry before the segment, its `previous` is the checksum of that entry's frame (0 where the log
begins): the chain goes on across files.

`flushed` is the index up to which the log was durable when the frame was written (0 in a header):
so each flush is vouched for by what was written after it; see `promise`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from crc32c import crc32c

from grevy.protocol.errors import NewerVersion
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.limits import ENTRY_BYTES_MAX

MAGIC: Final = b"GJ"
VERSION: Final = 2
KIND_SEGMENT: Final = 0
KIND_ENTRY: Final = 1
_ENTRY: Final = (MAGIC, VERSION, KIND_ENTRY)
_ENTRY_MARK: Final = MAGIC + bytes((VERSION, KIND_ENTRY))

_CHECKSUM: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<2sBBI")
_VERSION_PLACE: Final = 6
_BODY: Final = struct.Struct("<2sBBIIIIIQQQ")
_HEADER: Final = struct.Struct("<I2sBBIIIIIQQQ")
FRAME_HEADER_BYTES: Final = _HEADER.size

assert _CHECKSUM.size + _BODY.size == _HEADER.size == 52


class Stamp(NamedTuple):
    """Whose frames these are: what every frame of one segment has in common."""

    cluster_id: int
    partition_id: int
    segment_id: int


class Link(msgspec.Struct, frozen=True, gc=False):
    """The end of a chain of frames: what the next frame must continue."""

    index: int
    term: int
    checksum: int


def encode_segment_header(stamp: Stamp, before: Link) -> bytes:
    """The first frame of a segment whose entries continue `before`."""
    body = _BODY.pack(
        MAGIC, VERSION, KIND_SEGMENT, 0, *stamp, before.checksum, before.index, before.term, 0
    )
    return _CHECKSUM.pack(crc32c(body)) + body


def encode_entries(
    stamp: Stamp, link: Link, entries: Sequence[JournalEntry], flushed: int
) -> tuple[bytes, Link]:
    """The frames of entries that continue `link`, in one piece, and the link after them. The log is
    durable up to the index `flushed`.
    """
    cluster_id, partition_id, segment_id = stamp
    previous, pack_body, pack_checksum = link.checksum, _BODY.pack, _CHECKSUM.pack
    parts: list[bytes] = []
    for entry in entries:
        payload = entry.payload
        body = pack_body(
            MAGIC,
            VERSION,
            KIND_ENTRY,
            len(payload),
            cluster_id,
            partition_id,
            segment_id,
            previous,
            entry.index,
            entry.term,
            flushed,
        )
        previous = crc32c(payload, crc32c(body))
        parts += (pack_checksum(previous), body, payload)
    return b"".join(parts), Link(entries[-1].index, entries[-1].term, previous)


def check_segment_header(data: bytes, stamp: Stamp, before: Link) -> str:
    """Why `data` does not begin a segment whose entries continue `before`; empty when it does.

    There is only one right header for a place, so it is made anew and compared. Raises
    `NewerVersion`.
    """
    if data[:FRAME_HEADER_BYTES] == encode_segment_header(stamp, before):
        return ""
    if newer_end(data) == FRAME_HEADER_BYTES:
        raise NewerVersion("a segment of the journal", data[_VERSION_PLACE], VERSION)
    if not any(data):
        return "segment header is missing"
    return "segment header is damaged, or of another place or history"


def newer_end(data: bytes | memoryview) -> int:
    """Where a frame of a later form ends that begins here; 0 if it is none. If that is beyond the
    end of `data`, more of it is needed to tell.
    """
    if len(data) < FRAME_HEADER_BYTES:
        return 0
    magic, version, _, length = _HEAD.unpack_from(data, _CHECKSUM.size)
    if magic != MAGIC or version <= VERSION or length > ENTRY_BYTES_MAX:
        return 0
    end = FRAME_HEADER_BYTES + int(length)
    if end > len(data):
        return end
    (checksum,) = _CHECKSUM.unpack_from(data)
    return end if crc32c(data[_CHECKSUM.size : end]) == checksum else 0


class ReadLimits(NamedTuple):
    """Where a reader wants to stop."""

    last_index: int
    room: int
    """Bytes of payload that the reader takes."""
    may_exceed: bool
    """Whether the first entry is exempt from `room`, so that a reader never starves."""


UNLIMITED: Final = ReadLimits(1 << 62, 1 << 62, True)


class Scan(NamedTuple):
    """What a run over a buffer of frames found."""

    entries: list[JournalEntry]
    end: int
    """Offset in the buffer behind the last good frame."""
    link: Link
    needed: int
    """Bytes that the next frame needs to be judged, when the buffer ended inside it; else 0."""
    bad: str
    """Why the next frame is not the one that belongs there; else empty."""
    flushed: int
    """Up to which index the last good frame says that the log was durable; 0 without a frame."""


def scan_entries(data: bytes, stamp: Stamp, link: Link, limits: ReadLimits) -> Scan:
    """Decode the frames of `data` that continue `link`, up to one that does not, or a limit. Raises
    `NewerVersion`.
    """
    last_index, room, may_exceed = limits
    index, term, previous = link.index, link.term, link.checksum
    entries: list[JournalEntry] = []
    view = memoryview(data)
    offset, size = 0, len(data)
    needed, bad, flushed = 0, "", 0
    while index < last_index:
        body = offset + FRAME_HEADER_BYTES
        if body > size:
            needed = FRAME_HEADER_BYTES
            break
        checksum, magic, version, kind, length, *where, at, in_term, durable = _HEADER.unpack_from(
            data, offset
        )
        belongs = where == [*stamp, previous] and at == index + 1 and in_term >= term
        if not belongs or (magic, version, kind) != _ENTRY or length > ENTRY_BYTES_MAX:
            end = newer_end(view[offset:])
            if 0 < end <= size - offset:
                raise NewerVersion(f"entry {index + 1} of the journal", version, VERSION)
            needed = end
            bad = "" if end else "no frame, or one of another place or history"
            break
        end = body + length
        if end > size:
            needed = end - offset
            break
        if crc32c(view[offset + _CHECKSUM.size : end]) != checksum:
            bad = "checksum is wrong"
            break
        if length > room and (entries or not may_exceed):
            break
        room -= length
        index, term, previous, flushed = at, in_term, checksum, durable
        entries.append(JournalEntry(at, in_term, data[body:end]))
        offset = end
    return Scan(entries, offset, Link(index, term, previous), needed, bad, flushed)


def find_flushed(data: bytes, stamp: Stamp, after: int) -> int:
    """An index greater than `after` up to which some whole frame in `data` says that the log was
    durable; 0 if none does. For what follows a frame that is not whole: the next one is searched.
    """
    view = memoryview(data)
    mark = data.find(_ENTRY_MARK, _CHECKSUM.size)
    while 0 <= mark <= len(data) + _CHECKSUM.size - FRAME_HEADER_BYTES:
        header = _HEADER.unpack_from(data, mark - _CHECKSUM.size)
        checksum, _, _, _, length, *where, _, at, _, flushed = header
        if where == [*stamp] and after < flushed < at:
            end = mark - _CHECKSUM.size + FRAME_HEADER_BYTES + length
            if end <= len(data) and crc32c(view[mark:end]) == checksum:
                return int(flushed)
        mark = data.find(_ENTRY_MARK, mark + 1)
    return 0
