"""One file of the log: a header, then entries. It knows where its frames are; it decides nothing
about durability.

Every `SPARSE_BYTES` or so it remembers a `Place`, so that an index is found by a bisection and a
short walk. Each read checks each frame it passes; a file is read with `pread`, since a mapped file
turns an I/O error into a dead process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from grevy.journal.errors import JournalCorrupted
from grevy.journal.files import read_at
from grevy.journal.frame import (
    FRAME_HEADER_BYTES,
    UNLIMITED,
    Link,
    ReadLimits,
    Scan,
    Stamp,
    check_segment_header,
    encode_entries,
    encode_segment_header,
    scan_entries,
)
from grevy.ports import Disk, File
from grevy.protocol.journal_entry import JournalEntry

RESERVED_BYTES: Final = 1024 * 1024
"""Room that is taken at once. A write into room that is there already is durable without a word to
the file system's own journal, and so sooner.
"""

SPARSE_BYTES: Final = 64 * 1024
"""Distance of remembered places; also how much is read at once, so that a look-up costs one read.
"""


class Place(NamedTuple):
    """Where a frame begins, and what it continues."""

    offset: int
    link: Link


def segment_path(directory: str, segment_id: int) -> str:
    """The name of a segment's file."""
    return f"{directory}/segment-{segment_id:010d}.log"


class Segment:
    """The frames of one file, from `first_index` to `end.link.index`."""

    __slots__ = (
        "_indexes",
        "_places",
        "_room_end",
        "before",
        "end",
        "file",
        "flushed",
        "has_header",
        "path",
        "stamp",
    )

    def __init__(self, file: File, path: str, stamp: Stamp, before: Link) -> None:
        self.file = file
        self.path = path
        self.stamp = stamp
        self.before = before
        """The entry that the first one here continues."""
        self.end = Place(FRAME_HEADER_BYTES, before)
        """Where the next entry goes."""
        self.has_header = True
        """Whether the file begins as it should."""
        self.flushed = 0
        """Up to which index the log was durable, as far as frames that were loaded say."""
        self._room_end = 0
        self._places = [self.end]
        self._indexes = [before.index]

    @classmethod
    def create(cls, disk: Disk, directory: str, stamp: Stamp, before: Link) -> Self:
        """Make the file of a new segment; neither its header nor its name is durable yet."""
        path = segment_path(directory, stamp.segment_id)
        segment = cls(disk.create(path), path, stamp, before)
        segment.file.pwrite(encode_segment_header(stamp, before), 0)
        return segment

    @classmethod
    def load(cls, file: File, path: str, stamp: Stamp, before: Link) -> tuple[Self, str]:
        """Walk a file found on the disk; returns its good frames and why they end, empty if they
        end with the file, but for room that was not used.

        A bad header means no frames at all; the reason is then not empty.
        """
        segment = cls(file, path, stamp, before)
        size = file.size()
        why = check_segment_header(read_at(file, FRAME_HEADER_BYTES, 0), stamp, before)
        segment.has_header = not why
        needed = FRAME_HEADER_BYTES
        while not why and needed <= size - segment.end.offset:
            scan = segment._scan(segment.end, size, needed, UNLIMITED)
            segment.end = Place(segment.end.offset + scan.end, scan.link)
            segment.flushed = max(segment.flushed, scan.flushed)
            segment._remember(segment.end)
            needed, why = scan.needed, scan.bad
        if not why and segment.end.offset < size:
            why = "the file ends inside a frame"
        if segment.has_header:
            segment._room_end = size
            if why and segment._has_only_room(size):
                why = ""
        return segment, why

    @property
    def first_index(self) -> int:
        """Index of the first entry, whether it exists already or not."""
        return self.before.index + 1

    @property
    def last_index(self) -> int:
        """Index of the last entry; `first_index - 1` when there is none."""
        return self.end.link.index

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing but the header."""
        return self.last_index == self.before.index

    def append(
        self, entries: Sequence[JournalEntry], start: int, bytes_max: int, flushed: int
    ) -> int:
        """Write the entries from position `start` on with one write, as many as fit into
        `bytes_max`; the log is durable up to the index `flushed`.

        An entry that is larger than any segment has one to itself. Returns the position after the
        last one written.
        """
        room = bytes_max - self.end.offset
        stop = start
        while stop < len(entries):
            room -= FRAME_HEADER_BYTES + len(entries[stop].payload)
            if room < 0 and not (self.is_empty and stop == start):
                break
            stop += 1
        if stop > start:
            data, link = encode_entries(self.stamp, self.end.link, entries[start:stop], flushed)
            if self.end.offset + len(data) > self._room_end:
                self._take_room(len(data), bytes_max)
            self.file.pwrite(data, self.end.offset)
            if self.end.offset - self._places[-1].offset >= SPARSE_BYTES:
                self._remember(self.end)
            self.end = Place(self.end.offset + len(data), link)
        return stop

    def place_after(self, index: int) -> Place:
        """Where the entry after `index` is or will be; `index` is between `first_index - 1` and
        `last_index`.
        """
        assert self.before.index <= index <= self.last_index
        if index == self.last_index:
            return self.end
        place = self._places[bisect_right(self._indexes, index) - 1]
        if place.link.index < index:
            _, place = self.read(place, UNLIMITED._replace(last_index=index))
        assert place.link.index == index
        return place

    def read(self, place: Place, limits: ReadLimits) -> tuple[list[JournalEntry], Place]:
        """The entries from `place` on, within `limits`, and the place after them. Raises
        `JournalCorrupted`.
        """
        last_index, room, may_exceed = limits
        last_index = min(last_index, self.last_index)
        entries: list[JournalEntry] = []
        needed = FRAME_HEADER_BYTES
        while needed and place.link.index < last_index:
            now = ReadLimits(last_index, room, may_exceed and not entries)
            scan = self._scan(place, self.end.offset, needed, now)
            place = Place(place.offset + scan.end, scan.link)
            entries += scan.entries
            room -= sum(len(entry.payload) for entry in scan.entries)
            needed = scan.needed
            if scan.bad or needed > self.end.offset - place.offset:
                why = scan.bad or "the frame is longer than the file"
                raise JournalCorrupted(place.link.index + 1, f"{self.path}: {why}")
        if place.link.index == self.last_index and place != self.end:
            raise JournalCorrupted(self.last_index, f"{self.path}: the last frame is an older one")
        return entries, place

    def cut(self, place: Place) -> None:
        """Forget what is at `place` and after it, durably."""
        self.file.truncate(place.offset)
        self.file.fdatasync()
        self._room_end = place.offset
        self.end = place
        keep = bisect_right(self._indexes, place.link.index)
        del self._places[keep:], self._indexes[keep:]

    def give_room_back(self) -> None:
        """The room that is not used goes back to the disk, if the power stays."""
        if self._room_end > self.end.offset:
            self.file.truncate(self.end.offset)
            self._room_end = self.end.offset

    def _take_room(self, needed: int, bytes_max: int) -> None:
        """Room for so many bytes at least, and, up to the segment's end, for what comes next."""
        end = self.end.offset + needed
        self._room_end = max(end, min(end + RESERVED_BYTES, bytes_max))
        self.file.reserve(self._room_end)

    def _has_only_room(self, size: int) -> bool:
        """Whether zeros follow the last frame, to the end of the file."""
        offset = self.end.offset
        while offset < size:
            data = self.file.pread(min(RESERVED_BYTES, size - offset), offset)
            if not data or data.count(0) < len(data):
                return False
            offset += len(data)
        return True

    def _scan(self, place: Place, limit: int, needed: int, limits: ReadLimits) -> Scan:
        """Read once from `place`, not beyond offset `limit`, at least `needed` bytes; decode what
        is there.
        """
        length = min(max(SPARSE_BYTES, needed), limit - place.offset)
        data = read_at(self.file, length, place.offset)
        scan = scan_entries(data, self.stamp, place.link, limits)
        if len(data) < length and not scan.bad:
            return scan._replace(bad="the file is shorter than it was")
        return scan

    def _remember(self, place: Place) -> None:
        self._places.append(place)
        self._indexes.append(place.link.index)
