"""Bugs in the journal and in what raft keeps: each forgets something that a crash then shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from msgspec.structs import replace
from tests.sim.mutants.bug import Bug, fault_of_group, fault_of_journal

from grevy.journal import (
    FlushHandle,
    Journal,
    JournalCompacted,
    JournalCorrupted,
    SlotFile,
    SlotsCorrupted,
    frame,
    journal,
    recovery,
    segment,
    slots,
)
from grevy.journal.promise import NEW_LOG, PROMISE_KIND, PROMISE_NAME, Promise
from grevy.journal.segment import Segment
from grevy.ports import File
from grevy.raft import HardState, RaftStorage, Ready

HURT: Final = {"damage_every": 10, "members_every": 0, "is_beyond": False, "crash_every": 20}
"""Knobs for bugs that damage uncovers."""


def _sync_promise_only(self: FlushHandle) -> None:
    self._syncs = ()
    _sync(self)


def _sync_frames_only(self: FlushHandle) -> None:
    self._health.check()
    try:
        for sync in self._syncs:
            sync()
    except OSError as error:
        raise self._health.fail("flush", error) from error
    self.is_synced = True


def _sync_and_try_again(self: FlushHandle) -> None:
    promise = self.promise.encode()
    syncs: list[Callable[[], None]] = [*self._syncs, partial(self._slots.write, promise)]
    for sync in syncs:
        try:
            sync()
        except OSError:
            sync()
    self.is_synced = True


def _sync_last_segment_only(self: FlushHandle) -> None:
    self._syncs = self._syncs[-1:]
    _sync(self)


def _sync_nothing(self: SlotFile) -> None:
    self._place = 1 - self._place
    self.is_synced = True


def _sync_in_place(self: SlotFile) -> None:
    self._file.fdatasync()
    self.is_synced = True


def _note_in_turns(self: SlotFile, value: bytes) -> None:
    _note(self, value)
    self._place = 1 - self._place


def _truncate_before_promise(self: Journal, index: int) -> None:
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
        self._drop(self.segments[self.segments.index(last) + 1 :][::-1])
        last.cut(place)
        if index < self.last_flushed_index:
            self._change_promise(self._promise._replace(flushed=place.link))


def _compact_before_promise(self: Journal, up_to_index: int) -> None:
    if self._flight is not None:
        return
    old = [each for each in self.segments[:-1] if each.last_index <= up_to_index]
    if not old:
        return
    self.generation += 1
    first = self.segments[len(old)]
    with self._writing("compact"):
        self._drop(old)
        self._change_promise(
            self._promise._replace(first_segment_id=first.stamp.segment_id, before=first.before)
        )


def _no_check(*found: object) -> None:
    """Whatever is missing is taken for torn."""


def _check_the_index_only(found: recovery.Found, promise: Promise) -> None:
    """Some entry is there at the index that was promised."""
    last = found.segments[-1].end.link if found.segments else promise.before
    if last.index < promise.flushed.index:
        raise JournalCorrupted(last.index + 1, found.why_ended)


def _believe_the_read(file: File, length: int, offset: int) -> bytes:
    return file.pread(length, offset)


def _take_any_slot(file: File, path: str, owner: slots.SlotOwner) -> slots._Slot:
    found = [
        (slots._decode(file.pread(slots.SLOT_BYTES_MAX, offset), path), place)
        for place, offset in enumerate(slots.SLOT_OFFSETS)
    ]
    readable = [slots._Slot(slot[1], slot[2], place) for slot, place in found if slot]
    if not readable:
        raise SlotsCorrupted(f"{path}: neither copy is readable")
    return max(readable)


def _refuse_for_one_slot(file: File, path: str, owner: slots.SlotOwner) -> slots._Slot:
    for offset in slots.SLOT_OFFSETS:
        slot = slots._decode(file.pread(slots.SLOT_BYTES_MAX, offset), path)
        if slot is not None and slot[0] != owner:
            raise SlotsCorrupted(f"{path}: a copy is another's")
    return _newest(file, path, owner)


def _write_one_slot(self: SlotFile, value: bytes) -> None:
    self.write(value)


def _begin_anew(files: recovery.LogFiles) -> SlotFile:
    """A promise that is not there was never given."""
    path = f"{files.directory}/{PROMISE_NAME}"
    if not files.disk.exists(path):
        owner = slots.SlotOwner(files.cluster_id, files.partition_id, PROMISE_KIND)
        files.remove_segments(files.segment_ids())
        return SlotFile.create(
            *(files.disk, files.directory, PROMISE_NAME, owner, NEW_LOG.encode())
        )
    return _open_promise(files)


def _no_rewrite(segment: Segment, flushed_index: int) -> None:
    """What is seen is taken for what is on the device."""


def _no_sync(self: Journal) -> None:
    """Names of files are left to the system."""


def _no_checksum(_data: bytes, _before: int = 0) -> int:
    return 0


def _write_without_vote(self: RaftStorage, ready: Ready) -> None:
    state = ready.hard_state
    if state is None:
        _write(self, ready)
        return
    _write(self, replace(ready, hard_state=HardState(state.term, 0, state.is_recovering)))
    self._hard_state = state


def _write_without_hard_state(self: RaftStorage, ready: Ready) -> None:
    _write(self, replace(ready, hard_state=None))
    self._hard_state = ready.hard_state or self._hard_state


def _write_without_memberships(self: RaftStorage, ready: Ready) -> None:
    _write(self, replace(ready, memberships=None))


_newest: Final = slots._newest
_open_promise: Final = recovery.open_promise
_sync: Final = FlushHandle.sync
_note: Final = SlotFile.note
_write: Final = RaftStorage.write
_SYNC: Final = (FlushHandle, "sync")
_WRITE: Final = (RaftStorage, "write")

JOURNAL_BUGS: Final = (
    Bug("the promise is written, the frames are not synced", {_SYNC: _sync_promise_only}, (1,)),
    Bug("the frames are synced, no promise is kept", {_SYNC: _sync_frames_only}, (11,)),
    Bug(
        "a failed sync is tried again",
        {_SYNC: _sync_and_try_again},
        (3,),
        partial(fault_of_group, disk_error_every=20),
    ),
    Bug("only the last of the segments is synced", {_SYNC: _sync_last_segment_only}, (1,)),
    Bug("names of new segments are not synced", {(Journal, "_sync_names"): _no_sync}, (1,)),
    Bug(
        "a frame is believed without its checksum",
        {(frame, "crc32c"): _no_checksum},
        (1,),
        fault_of_journal,
    ),
    Bug("the slots are not synced", {(SlotFile, "sync"): _sync_nothing}, (1,)),
    Bug("both copies of a slot are in one place", {(SlotFile, "sync"): _sync_in_place}, (9,)),
    Bug("notes put both slots in doubt", {(SlotFile, "note"): _note_in_turns}, (9,)),
    Bug(
        "the log is cut before the promise falls",
        {(Journal, "truncate_after"): _truncate_before_promise},
        (1,),
        fault_of_journal,
    ),
    Bug(
        "the front is dropped before the promise moves",
        {(Journal, "compact"): _compact_before_promise},
        (1,),
        fault_of_journal,
    ),
    Bug(
        "recovery believes what it sees",
        {(recovery, "_rewrite"): _no_rewrite},
        (3,),
        partial(fault_of_group, disk_error_every=20, crash_every=20, kill=0.0),
    ),
    Bug(
        "recovery takes damage for a tear",
        {(recovery, "_check_promise"): _no_check, (recovery, "_check_behind"): _no_check},
        (1,),
    ),
    Bug(
        "an older frame is taken for the one that was promised",
        {(recovery, "_check_promise"): _check_the_index_only},
        hunt=partial(
            fault_of_journal, weights=(8, 8, 8, 0, 0, 8), sizes=(0, 8, 40), damages=("stale",)
        ),
    ),
    Bug(
        "what a read did not give is taken for torn",
        {
            (segment, "read_at"): _believe_the_read,
            (recovery, "read_at"): _believe_the_read,
            (slots, "read_at"): _believe_the_read,
        },
        hunt=fault_of_journal,
    ),
    Bug(
        "a log whose promise is gone begins anew",
        {(journal, "open_promise"): _begin_anew},
        hunt=fault_of_journal,
    ),
    Bug(
        "a slot of another file is taken for one's own",
        {(slots, "_newest"): _take_any_slot},
        hunt=partial(fault_of_group, **HURT, damages=("lost write", "misdirected")),
    ),
    Bug(
        "a slot of another file spoils the good one",
        {(slots, "_newest"): _refuse_for_one_slot},
        hunt=partial(fault_of_group, **HURT, damages=("misdirected",)),
    ),
    Bug(
        "a vote is kept in one copy",
        {(SlotFile, "write_both"): _write_one_slot},
        hunt=partial(fault_of_group, **HURT, damages=("stale", "zeros")),
    ),
)
"""In the journal."""

STORAGE_BUGS: Final = (
    Bug("the vote is not kept", {_WRITE: _write_without_vote}, (1,)),
    Bug("term and vote are not kept", {_WRITE: _write_without_hard_state}, (1,)),
    Bug(
        "members are not kept",
        {_WRITE: _write_without_memberships},
        (5,),
        partial(fault_of_group, members_every=20, damage_every=0, crash_every=5),
    ),
)
"""In what raft keeps beside the log."""
