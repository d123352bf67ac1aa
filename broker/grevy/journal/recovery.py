"""Opening a journal after anything: a clean end, a kill, a power cut, damage.

Recovery first looks and decides, then repairs. What the promise covers must be there, and what any
frame says was flushed, or nothing is touched and `JournalCorrupted` says what is missing. What lies
above that is kept as far as it is whole, and the rest is cut. Each repair leaves a disk on which
recovery, started again, comes to the same end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from grevy.journal.errors import JournalCorrupted, SlotsCorrupted
from grevy.journal.files import read_at
from grevy.journal.frame import Link, Stamp, find_flushed
from grevy.journal.promise import NEW_LOG, PROMISE_KIND, PROMISE_NAME, Promise
from grevy.journal.segment import Segment, segment_path
from grevy.journal.slots import SlotFile, SlotOwner
from grevy.ports import Disk
from grevy.protocol.errors import NewerVersion

_SEGMENT_NAME: Final = re.compile(r"segment-(\d{10})\.log")
_REWRITE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Where a log is and whose it is."""

    disk: Disk
    directory: str
    cluster_id: int
    partition_id: int

    def stamp(self, segment_id: int) -> Stamp:
        """What the frames of a segment must carry."""
        return Stamp(self.cluster_id, self.partition_id, segment_id)

    def segment_ids(self) -> list[int]:
        """The segments that have a file, in order."""
        matches = map(_SEGMENT_NAME.fullmatch, self.disk.list(self.directory))
        return sorted(int(match[1]) for match in matches if match)

    def remove_segments(self, segment_ids: list[int]) -> None:
        """Remove files in the given order, durably; closing them is the caller's."""
        for segment_id in segment_ids:
            self.disk.remove(segment_path(self.directory, segment_id))
        if segment_ids:
            self.disk.fsync_dir(self.directory)


@dataclass(slots=True)
class Found:
    """The readable part of a log."""

    segments: list[Segment] = field(default_factory=list)
    why_ended: str = ""
    """Why the log goes no further than its last frame."""
    is_torn: bool = False
    """Whether bytes that are no frame follow in the last segment."""


def open_promise(files: LogFiles) -> SlotFile:
    """The promise of the log; made when there is no log yet. Raises `JournalCorrupted`."""
    disk, path = files.disk, f"{files.directory}/{PROMISE_NAME}"
    owner = SlotOwner(files.cluster_id, files.partition_id, PROMISE_KIND)
    if disk.exists(path):
        try:
            return SlotFile.open(disk, path, owner)
        except SlotsCorrupted as error:
            raise JournalCorrupted(0, str(error)) from error
    if files.segment_ids():
        raise JournalCorrupted(0, f"{path} is missing, but there are segments")
    return SlotFile.create(disk, files.directory, PROMISE_NAME, owner, NEW_LOG.encode())


def recover(files: LogFiles, slots: SlotFile) -> list[Segment]:
    """The segments of the log, at least one, all of it durable and promised. Raises
    `JournalCorrupted`, and `NewerVersion` before anything is changed.
    """
    promise = Promise.decode(slots.value)
    found = Found()
    try:
        _load(files, promise, found)
        _check_promise(found, promise)
        _check_behind(files, found, promise)
        promise = promise._replace(flushed=_surely_flushed(found, promise))
        _remove_strangers(files, promise, found)
        _make_durable(files, promise, found)
    except (JournalCorrupted, NewerVersion, OSError):
        for segment in found.segments:
            segment.file.close()
        raise
    slots.write_both(promise._replace(flushed=found.segments[-1].end.link).encode())
    return found.segments


def _load(files: LogFiles, promise: Promise, found: Found) -> None:
    """Walk the segments in order for as long as each continues the one before."""
    before, segment_id = promise.before, promise.first_segment_id
    existing = files.segment_ids()
    while True:
        path = segment_path(files.directory, segment_id)
        if segment_id not in existing:
            found.why_ended = f"{path} is missing"
            break
        file = files.disk.open(path)
        try:
            segment, why = Segment.load(file, path, files.stamp(segment_id), before)
        except (NewerVersion, OSError):
            file.close()
            raise
        if why:
            found.why_ended = f"{path}: {why}"
        if why and segment.is_empty:
            file.close()
            break
        found.segments.append(segment)
        if why:
            found.is_torn = True
            break
        before = segment.end.link
        segment_id += 1


def _check_promise(found: Found, promise: Promise) -> None:
    """Refuse the log when it lacks something that was flushed."""
    flushed = promise.flushed
    last = found.segments[-1].end.link if found.segments else promise.before
    if last.index < flushed.index:
        raise JournalCorrupted(last.index + 1, found.why_ended)
    for segment in found.segments:
        if segment.first_index <= flushed.index <= segment.last_index:
            link = segment.place_after(flushed.index).link
            if link != flushed:
                raise JournalCorrupted(flushed.index, f"{segment.path}: the frame is an older one")


def _check_behind(files: LogFiles, found: Found, promise: Promise) -> None:
    """Refuse the log when a frame behind its end says that what is missing there was flushed."""
    segment_id, offset, end = promise.first_segment_id, 0, promise.before
    if found.segments:
        last = found.segments[-1]
        segment_id, offset, end = last.stamp.segment_id, last.end.offset, last.end.link
    flushed = flushed_behind(files, segment_id, offset, end.index)
    if flushed:
        why = f"{found.why_ended}; but a frame behind it says that {flushed} was flushed"
        raise JournalCorrupted(end.index + 1, why)


def flushed_behind(files: LogFiles, segment_id: int, offset: int, after: int) -> int:
    """An index greater than `after` up to which a frame says that the log was flushed, from a place
    on in a file and in those that continue it; 0 if none does.

    The files are looked at for as long as none is missing: those that are cut off are removed from
    the end, and their frames speak of what was promised before the promise fell.
    """
    existing = files.segment_ids()
    while segment_id in existing:
        file = files.disk.open(segment_path(files.directory, segment_id))
        try:
            data = read_at(file, max(file.size() - offset, 0), offset)
        finally:
            file.close()
        flushed = find_flushed(data, files.stamp(segment_id), after)
        if flushed:
            return flushed
        segment_id, offset = segment_id + 1, 0
    return 0


def _surely_flushed(found: Found, promise: Promise) -> Link:
    """The last entry that the promise or a whole frame says was flushed."""
    index = max([promise.flushed.index, *(segment.flushed for segment in found.segments)])
    for segment in found.segments:
        if promise.flushed.index < index <= segment.last_index:
            return segment.place_after(index).link
    return promise.flushed


def _remove_strangers(files: LogFiles, promise: Promise, found: Found) -> None:
    """Remove what a compaction left in front, and what a crash left behind the end, the newest
    first.
    """
    existing = files.segment_ids()
    front = [number for number in existing if number < promise.first_segment_id]
    kept = {segment.stamp.segment_id for segment in found.segments}
    behind = [number for number in existing if number not in kept and number not in front]
    files.remove_segments(behind[::-1])
    files.remove_segments(front)


def _make_durable(files: LogFiles, promise: Promise, found: Found) -> None:
    """Cut what is torn, and sync all that no promise covers yet."""
    if not found.segments:
        stamp = files.stamp(promise.first_segment_id)
        segment = Segment.create(files.disk, files.directory, stamp, promise.before)
        found.segments.append(segment)
    elif found.is_torn:
        found.segments[-1].cut(found.segments[-1].end)
    for segment in found.segments:
        segment.give_room_back()
        if segment.is_empty or segment.last_index > promise.flushed.index:
            _rewrite(segment, promise.flushed.index)
    files.disk.fsync_dir(files.directory)


def _rewrite(segment: Segment, flushed_index: int) -> None:
    """Write again what is above the promise, and sync it.

    If a sync failed before this start, the system may hold these bytes for clean although the
    device never got them; only bytes that are written anew are synced anew.
    """
    file, offset = segment.file, 0
    if flushed_index >= segment.first_index:
        offset = segment.place_after(flushed_index).offset
    while offset < segment.end.offset:
        data = read_at(file, min(_REWRITE_BYTES, segment.end.offset - offset), offset)
        if not data:
            raise JournalCorrupted(segment.last_index, f"{segment.path}: the file became shorter")
        file.pwrite(data, offset)
        offset += len(data)
    file.fdatasync()
