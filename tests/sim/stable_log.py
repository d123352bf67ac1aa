"""What a power cut would leave of a log now: read from the device, without asking its owner.

Frames are read once; when the device's bytes change, a file is read again from there.
"""

from __future__ import annotations

from typing import Final

from tests.sim.disk import Inode, SimDisk

from grevy.journal import JournalOptions, SlotOwner, SlotsCorrupted
from grevy.journal.frame import (
    FRAME_HEADER_BYTES,
    UNLIMITED,
    Link,
    Stamp,
    check_segment_header,
    scan_entries,
)
from grevy.journal.promise import NEW_LOG, PROMISE_KIND, PROMISE_NAME, Promise
from grevy.journal.slots import read_slots

_UNCHANGED: Final = 1 << 62


class _StableSegment:
    """The frames of one file: the first ones end at `ends[1:]`, and `links` is what is there."""

    def __init__(self, inode: Inode, stamp: Stamp, before: Link) -> None:
        self.inode = inode
        self.stamp = stamp
        self.before = before
        self.ends = [FRAME_HEADER_BYTES]
        self.terms = [before.term]
        self.end = before
        inode.stable_from = 0

    def read(self) -> bool:
        """Look at what has changed; whether the file begins as it should."""
        inode = self.inode
        if inode.stable_from == _UNCHANGED:
            return True
        if inode.stable_from < self.ends[-1]:
            # Checksums of the middle are not kept: what was overwritten is read from the start.
            header = bytes(inode.stable[:FRAME_HEADER_BYTES])
            if check_segment_header(header, self.stamp, self.before):
                return False
            del self.ends[1:], self.terms[1:]
            self.end = self.before
        offset = self.ends[-1]
        scan = scan_entries(bytes(inode.stable[offset:]), self.stamp, self.end, UNLIMITED)
        for entry in scan.entries:
            offset += FRAME_HEADER_BYTES + len(entry.payload)
            self.ends.append(offset)
            self.terms.append(entry.term)
        self.end = scan.link
        inode.stable_from = _UNCHANGED
        return True


class StableLog:
    """The log on one device. Its disk may become another one, as after a power cut."""

    def __init__(self, disk: SimDisk, partition_id: int, options: JournalOptions) -> None:
        self._disk = disk
        self._options = options
        self._partition_id = partition_id
        self._segments: list[_StableSegment] = []
        self._before = NEW_LOG.before
        self._version = -1

    def first_index(self) -> int:
        """The index of the first entry that recovery would find, or of the next one."""
        segments = self._read()
        return segments[0].before.index + 1 if segments else self._before.index + 1

    def last_index(self) -> int:
        """The index of the last entry that recovery would find."""
        segments = self._read()
        return segments[-1].end.index if segments else self._before.index

    def term_at(self, index: int) -> int | None:
        """The term of an entry, or of the one before the first; None when it is not there."""
        segments = self._read()
        for segment in segments:
            place = index - segment.before.index
            if 0 <= place < len(segment.terms):
                return segment.terms[place]
        return self._before.term if index == self._before.index else None

    def _read(self) -> list[_StableSegment]:
        """The segments that continue each other, from the promised first one on."""
        if self._version != self._disk.stable_version:
            self._version = self._disk.stable_version
            self._segments = self._read_again()
        return self._segments

    def _read_again(self) -> list[_StableSegment]:
        files = self._disk.stable_files()
        directory = self._options.directory
        promise_path = f"{directory}/{PROMISE_NAME}"
        if promise_path not in files:
            return []
        owner = SlotOwner(self._options.cluster_id, self._partition_id, PROMISE_KIND)
        try:
            value = read_slots(self._disk.stable_copy(promise_path), promise_path, owner)
        except SlotsCorrupted:
            return []
        promise = Promise.decode(value)
        known = {segment.stamp.segment_id: segment for segment in self._segments}
        segments: list[_StableSegment] = []
        before = self._before = promise.before
        number = promise.first_segment_id
        while (inode := files.get(f"{directory}/segment-{number:010d}.log")) is not None:
            segment = known.get(number)
            if segment is None or segment.inode is not inode or segment.before != before:
                stamp = Stamp(self._options.cluster_id, self._partition_id, number)
                segment = _StableSegment(inode, stamp, before)
            if not segment.read():
                break
            segments.append(segment)
            before, number = segment.end, number + 1
        return segments
