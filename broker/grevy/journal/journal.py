"""The log of a partition on its disk: entries with consecutive indexes, in files called segments.

Appending writes, flushing makes durable, and only what was flushed may be acknowledged. What was
flushed is found again or refused by `Journal.open`, never lost in silence; see `promise` for how
the two are told apart, and `frame` for the bytes. The journal has no thread and no clock. One owner
uses it; only `FlushHandle.sync` may run in another thread.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from grevy.journal.errors import JournalBusy, JournalCompacted
from grevy.journal.flush import FlushHandle, Health
from grevy.journal.frame import Link
from grevy.journal.promise import Promise
from grevy.journal.reader import JournalReader
from grevy.journal.recovery import LogFiles, open_promise, recover
from grevy.journal.segment import Segment
from grevy.journal.slots import SlotFile
from grevy.ports import Disk
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.limits import ENTRY_BYTES_MAX, SEGMENT_BYTES


@dataclass(frozen=True, slots=True)
class JournalOptions:
    """Where the log is, and in what pieces."""

    directory: str = "journal"
    """Directory on the disk; made when it is missing. It belongs to this journal alone."""
    cluster_id: int = 0
    """Number of the cluster, 32 bits; a log of another cluster is refused."""
    segment_bytes: int = SEGMENT_BYTES
    """Size at which the next file begins: the piece in which compaction gives space back."""


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """A look at a journal, for metrics and for people."""

    first_index: int
    last_index: int
    last_flushed_index: int
    segments: int
    bytes: int
    """Frames in all segments."""
    flushes: int
    """Since the journal was opened."""


class Journal:
    """See the module. Every method raises `JournalFailed` once the disk has refused a write or a
    sync.
    """

    def __init__(
        self, files: LogFiles, slots: SlotFile, segments: list[Segment], options: JournalOptions
    ) -> None:
        self._files = files
        self._slots = slots
        self._promise = Promise.decode(slots.value)
        self._options = options
        self._health = Health()
        self._unsynced: list[Segment] = []
        self._has_unsynced_names = False
        self._flight: FlushHandle | None = None
        self._compact_later = 0
        self._flushes = 0
        self.appended_bytes = 0
        """Frames that were appended since the journal was opened."""
        self.segments = segments
        """The files, in order; the last one grows. For readers of this room."""
        self.generation = 0
        """Grows when places in files change their meaning. For readers of this room."""

    @classmethod
    def open(cls, disk: Disk, partition_id: int, options: JournalOptions) -> Self:
        """Open the log in `options.directory`, or begin one, and repair what a crash left of it.

        Afterwards all that is in it is durable. Raises `JournalCorrupted` when something that was
        flushed cannot be read, and `OSError` when the disk doesn't work.
        """
        disk.mkdir(options.directory)
        files = LogFiles(disk, options.directory, options.cluster_id, partition_id)
        slots = open_promise(files)
        try:
            segments = recover(files, slots)
        except BaseException:
            slots.close()
            raise
        return cls(files, slots, segments, options)

    @property
    def first_index(self) -> int:
        """Index of the oldest entry; of the next one when the log is empty."""
        return self.segments[0].first_index

    @property
    def last_index(self) -> int:
        """Index of the newest entry; `first_index - 1` when the log is empty."""
        return self.segments[-1].end.link.index

    @property
    def last_term(self) -> int:
        """Term of the entry at `last_index`, even if that one was compacted; 0 before the first."""
        return self._end.term

    @property
    def last_flushed_index(self) -> int:
        """What may be acknowledged: entries up to here survive whatever spares the disk."""
        return self._promise.flushed.index

    @property
    def _end(self) -> Link:
        return self.segments[-1].end.link

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries that continue the log; one write for each segment they touch. Not durable
        yet.

        Raises `LimitExceeded`, writing nothing, when a payload is larger than `ENTRY_BYTES_MAX`.
        """
        self._health.check()
        self._check_entries(entries)
        flushed, bytes_max = self._promise.flushed.index, self._options.segment_bytes
        done = 0
        try:
            while done < len(entries):
                segment = self.segments[-1]
                begin = segment.end.offset
                reached = segment.append(entries, done, bytes_max, flushed)
                self.appended_bytes += segment.end.offset - begin
                if reached > done:
                    self._note_unsynced(segment)
                if reached < len(entries):
                    self._roll()
                done = reached
        except OSError as error:
            raise self._health.fail("append", error) from error

    @property
    def is_settled(self) -> bool:
        """Whether the promise on the device is the newest one; see `promise`."""
        return self._slots.is_synced

    def flush_handle(self, *, settles: bool = False) -> FlushHandle:
        """Take a flush of all that was appended until now, if anything; only one at a time. With
        `settles`, the promise is synced after the frames.

        Call its `sync`, in any thread, then `flushed` with it.
        """
        self._health.check()
        self._check_no_flight()
        syncs = [segment.file.fdatasync for segment in self._unsynced]
        if self._has_unsynced_names:
            syncs.append(self._sync_names)
        first_segment_id, before, _ = self._promise
        promise = Promise(first_segment_id, before, self._end)
        self._unsynced = []
        self._has_unsynced_names = False
        self._flight = FlushHandle(*(self._health, promise, syncs, self._slots), settles=settles)
        return self._flight

    def flushed(self, handle: FlushHandle) -> None:
        """Take back a flush whose `sync` has returned: `last_flushed_index` moves up."""
        self._health.check()
        assert handle is self._flight, "not the flush that is under way"
        assert handle.is_synced, "a flush came back without its sync"
        assert handle.index >= self.last_flushed_index
        self._flight = None
        self._flushes += 1
        self._promise = handle.promise
        if self._compact_later:
            up_to, self._compact_later = self._compact_later, 0
            self.compact(up_to)

    def flush(self) -> None:
        """Make all that was appended durable, and the promise of it, here and now."""
        handle = self.flush_handle(settles=True)
        handle.sync()
        self.flushed(handle)

    def read(self, from_index: int, max_bytes: int) -> list[JournalEntry]:
        """Entries from `from_index` on with at most `max_bytes` of payload, but at least one; empty
        beyond the end.

        Every frame is checked. Raises `JournalCompacted`, `JournalCorrupted`, and `OSError` if the
        disk cannot read.
        """
        return self.reader(from_index).next_batch(max_bytes)

    def reader(self, from_index: int) -> JournalReader:
        """A reader that begins at `from_index` and keeps its place."""
        return JournalReader(self, from_index)

    def term_at(self, index: int) -> int:
        """Term of an entry; `index` may also be that of the last compacted one. Raises as `read`
        does.
        """
        if index == self.last_index:
            return self.last_term
        if index == self.first_index - 1:
            return self.segments[0].before.term
        return self.segment_of(index).place_after(index).link.term

    def bytes_after(self, index: int) -> int:
        """Frames of the entries after this one. Raises as `read` does."""
        index = min(index, self.last_index)
        segment = self.segment_of(max(index, self.first_index))
        later = self.segments[self.segments.index(segment) + 1 :]
        end = segment.end.offset - segment.place_after(max(index, segment.before.index)).offset
        return end + sum([each.end.offset for each in later])

    def segment_of(self, index: int) -> Segment:
        """The segment that holds an entry of the log, or the last. Raises `JournalCompacted`."""
        if index < self.first_index:
            raise JournalCompacted(index, self.first_index)
        position = bisect_right(self.segments, index, key=lambda segment: segment.first_index)
        return self.segments[position - 1]

    def truncate_after(self, index: int) -> None:
        """Remove the entries after `index`, durably. Raises `JournalBusy` while a flush is under
        way.

        The promise falls first and the files are cut from the end, so that a crash leaves a longer
        log, never a gap.
        """
        self._health.check()
        self._check_no_flight()
        if index < self.first_index - 1:
            raise JournalCompacted(index, self.first_index)
        if index >= self.last_index:
            return
        self.generation += 1
        last = self.segment_of(max(index, self.first_index))
        place = last.place_after(index)
        with self._writing("truncate"):
            if index < self.last_flushed_index:
                self._change_promise(self._promise._replace(flushed=place.link))
            self._drop(self.segments[self.segments.index(last) + 1 :][::-1])
            last.cut(place)

    def compact(self, up_to_index: int) -> None:
        """Drop whole segments from the front that hold nothing after `up_to_index`, which must be
        flushed.

        While a flush is under way, this is put off until it comes back.
        """
        self._health.check()
        assert up_to_index <= self.last_flushed_index, "compaction of what is not durable"
        if self._flight is not None:
            self._compact_later = max(self._compact_later, up_to_index)
            return
        old = [segment for segment in self.segments[:-1] if segment.last_index <= up_to_index]
        if not old:
            return
        self.generation += 1
        first = self.segments[len(old)]
        with self._writing("compact"):
            self._change_promise(
                self._promise._replace(first_segment_id=first.stamp.segment_id, before=first.before)
            )
            self._drop(old)

    def reset(self, next_index: int, *, previous_term: int = 0) -> None:
        """Forget all entries, durably; the next one will be `next_index`, after an entry of
        `previous_term`.

        For a snapshot from elsewhere that is ahead of the log. Raises `JournalBusy` while a flush
        is under way. The new segment is whole before the promise names it, and the old ones go
        after that.
        """
        self._health.check()
        self._check_no_flight()
        self.generation += 1
        old, before = self.segments, Link(next_index - 1, previous_term, 0)
        stamp = self._files.stamp(old[-1].stamp.segment_id + 1)
        with self._writing("reset"):
            segment = Segment.create(self._files.disk, self._files.directory, stamp, before)
            segment.file.fdatasync()
            self._sync_names()
            self._change_promise(Promise(stamp.segment_id, before, before))
            self.segments = [*old, segment]
            self._drop(old[::-1])

    def close(self) -> None:
        """Close all files; flushes nothing. The journal cannot be used afterwards."""
        if self._health.is_good:
            self.segments[-1].give_room_back()
        for segment in self.segments:
            segment.file.close()
        self._slots.close()

    def statistics(self) -> JournalStatistics:
        """Numbers about the journal; cheap."""
        return JournalStatistics(
            first_index=self.first_index,
            last_index=self.last_index,
            last_flushed_index=self.last_flushed_index,
            segments=len(self.segments),
            bytes=sum(segment.end.offset for segment in self.segments),
            flushes=self._flushes,
        )

    def _check_entries(self, entries: Sequence[JournalEntry]) -> None:
        end = self._end
        index, term = end.index, end.term
        for entry in entries:
            index += 1
            assert entry.index == index, f"entry {entry.index} does not follow {index - 1}"
            assert entry.term >= term, f"term falls from {term} to {entry.term}"
            term = entry.term
            if len(entry.payload) > ENTRY_BYTES_MAX:
                raise LimitExceeded(f"entry of {len(entry.payload)} bytes, limit {ENTRY_BYTES_MAX}")

    def _check_no_flight(self) -> None:
        if self._flight is not None:
            raise JournalBusy("a flush is under way")

    def _note_unsynced(self, segment: Segment) -> None:
        if not self._unsynced or self._unsynced[-1] is not segment:
            self._unsynced.append(segment)

    def _roll(self) -> None:
        last = self.segments[-1]
        stamp = self._files.stamp(last.stamp.segment_id + 1)
        files = self._files
        self.segments.append(Segment.create(files.disk, files.directory, stamp, last.end.link))
        self._note_unsynced(self.segments[-1])
        self._has_unsynced_names = True

    def _sync_names(self) -> None:
        self._files.disk.fsync_dir(self._files.directory)

    def _change_promise(self, promise: Promise) -> None:
        self._slots.write_both(promise.encode())
        self._promise = promise

    def _drop(self, segments: list[Segment]) -> None:
        """Close and remove these files, in this order."""
        for segment in segments:
            segment.file.close()
            self.segments.remove(segment)
        self._unsynced = [segment for segment in self._unsynced if segment in self.segments]
        self._files.remove_segments([segment.stamp.segment_id for segment in segments])

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        """Turn the disk's refusal into the end of this journal."""
        try:
            yield
        except OSError as error:
            raise self._health.fail(doing, error) from error
