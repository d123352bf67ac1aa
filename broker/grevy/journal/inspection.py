"""Reading a log without touching it, while its owner works or when there is none.

`Journal.open` repairs; whoever only looks must not. The promise is read before the segments, so
what it covers is already in the files: a bad frame there is damage, and so is one that stays bad
although a frame behind it says that it was flushed. Any other is a write under way, or one that a
crash has torn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from grevy.journal.errors import JournalCorrupted, SlotsCorrupted
from grevy.journal.frame import ReadLimits
from grevy.journal.journal import JournalOptions
from grevy.journal.promise import PROMISE_KIND, PROMISE_NAME, Promise
from grevy.journal.recovery import LogFiles, flushed_behind
from grevy.journal.segment import Segment, segment_path
from grevy.journal.slots import SlotOwner, read_slots
from grevy.ports import Disk, File
from grevy.protocol.journal_entry import JournalEntry

_BATCH_BYTES: Final = 1024 * 1024


class JournalDamaged(JournalCorrupted):
    """What was flushed cannot be read: `path` says in which file, `offset` from which byte on."""

    def __init__(self, index: int, path: str, offset: int, why: str) -> None:
        super().__init__(index, f"{path}, byte {offset}: {why}")
        self.path = path
        self.offset = offset


class Tail(NamedTuple):
    """`length` bytes behind the last entry, from `offset` on: nobody was promised them."""

    path: str
    offset: int
    length: int


class JournalInspection:
    """A look at a log, from its first entry to its last."""

    def __init__(self, files: LogFiles) -> None:
        self._files = files
        self._promise = _read_promise(files)
        self._end = self._promise.before
        self.segments = 0
        """Files that were read so far."""
        self.bytes = 0
        """Frames that were read so far."""
        self.restarts = 0
        """How often the owner compacted what came next, so that entries were skipped."""
        self.tail: Tail | None = None
        """What follows the last entry, when all were read; None if nothing does."""

    @classmethod
    def open(cls, disk: Disk, partition_id: int, options: JournalOptions) -> Self:
        """Begins to look; `disk` is only read. Raises `JournalCorrupted`, and `OSError` if there is
        no log.
        """
        return cls(LogFiles(disk, options.directory, options.cluster_id, partition_id))

    def bytes_total(self) -> int:
        """The size of all files, for a progress bar."""
        total = 0
        for number in self._files.segment_ids():
            file = self._open(number)
            if file is not None:
                total += file.size()
                file.close()
        return total

    def entries(self) -> Iterator[JournalEntry]:
        """All entries, each checked.

        Raises `JournalDamaged` behind the last one that is whole, if more were promised.
        """
        number = self._promise.first_segment_id
        while True:
            file = self._open(number)
            if file is None:
                fresh = _read_promise(self._files)
                if fresh.first_segment_id <= number:
                    self._check_end(self._path(number), 0, "the file is missing")
                    return
                self._promise, self._end = fresh, fresh.before
                number = fresh.first_segment_id
                self.restarts += 1
                continue
            try:
                stamp = self._files.stamp(number)
                segment, why = Segment.load(file, self._path(number), stamp, self._end)
                yield from self._entries_of(segment)
                offset = segment.end.offset if segment.has_header else 0
                rest = file.pread(file.size() - offset, offset) if why else b""
            finally:
                file.close()
            if why:
                self._check_end(segment.path, offset, why)
                self._check_behind(segment, offset, why)
                unfinished = rest.rstrip(b"\0")  # room for more may follow
                self.tail = Tail(segment.path, offset, len(unfinished))
                return
            number += 1

    def _entries_of(self, segment: Segment) -> Iterator[JournalEntry]:
        self.segments += 1
        place = segment.place_after(segment.first_index - 1)
        while place.link.index < segment.last_index:
            begin = place.offset
            limits = ReadLimits(segment.last_index, _BATCH_BYTES, may_exceed=True)
            entries, place = segment.read(place, limits)
            self.bytes += place.offset - begin
            yield from entries
        flushed = self._promise.flushed
        if segment.first_index <= flushed.index <= segment.last_index:
            place = segment.place_after(flushed.index)
            if place.link != flushed:
                why = "the frame that ends here is an older one"
                raise JournalDamaged(flushed.index, segment.path, place.offset, why)
        self._end = segment.end.link

    def _check_end(self, path: str, offset: int, why: str) -> None:
        if self._end.index < self._promise.flushed.index:
            raise JournalDamaged(self._end.index + 1, path, offset, why)

    def _check_behind(self, segment: Segment, offset: int, why: str) -> None:
        """Behind the end a frame may say that more was flushed: then it is damage, unless the end
        has moved meanwhile.
        """
        stamp = segment.stamp
        if not flushed_behind(self._files, stamp.segment_id, offset, self._end.index):
            return
        file = self._open(stamp.segment_id)
        if file is None:
            return
        again, _ = Segment.load(file, segment.path, stamp, segment.before)
        file.close()
        if again.end == segment.end:
            raise JournalDamaged(self._end.index + 1, segment.path, offset, why)

    def _path(self, number: int) -> str:
        return segment_path(self._files.directory, number)

    def _open(self, number: int) -> File | None:
        """A segment's file; None if there is none, or no longer."""
        try:
            return self._files.disk.open(self._path(number))
        except FileNotFoundError:
            return None


def _read_promise(files: LogFiles) -> Promise:
    owner = SlotOwner(files.cluster_id, files.partition_id, PROMISE_KIND)
    try:
        value = read_slots(files.disk, f"{files.directory}/{PROMISE_NAME}", owner)
    except SlotsCorrupted as error:
        raise JournalCorrupted(0, str(error)) from error
    return Promise.decode(value)
