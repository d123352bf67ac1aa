"""The shell around one replica: what a broker does with sockets, threads and timers, in the time of
the simulated world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from tests.sim import raft_marks
from tests.sim.knobs import Knobs
from tests.sim.marks import mark
from tests.sim.raft_marks import RaftMark
from tests.sim.raft_state import ChainState, Snapshot, SnapshotDamaged, SnapshotStore

from grevy.journal import FlushHandle, Journal, JournalFailed, JournalOptions
from grevy.protocol.raft_messages import GroupMembers, RaftMessage, SnapshotChunk
from grevy.raft import (
    LogStart,
    Membership,
    MembersRefused,
    RaftConfig,
    RaftStorage,
    RawNode,
    Ready,
    Role,
    SnapshotPart,
    SnapshotRead,
)

if TYPE_CHECKING:
    from tests.sim.raft_group import Group

PARTITION_ID: Final = 1
READ_BYTES: Final = 1 << 20
SETTLED_EVERY: Final = 8
"""Flushes that end with a multiple of this settle their promise, as those of a rest would."""
INBOX_MAX: Final = 256
COMPACTED: Final = 1 << 62
"""In place of the term of an entry that a snapshot has."""

encode_message: Final = msgspec.msgpack.Encoder().encode
decode_message: Final[Callable[[bytes], RaftMessage]] = msgspec.msgpack.Decoder(RaftMessage).decode


class PowerCut(Exception):
    """The process dies here, between two changes to its disk."""


def journal_options(knobs: Knobs) -> JournalOptions:
    """How the replicas of a run keep their logs."""
    return JournalOptions(segment_bytes=knobs.segment_bytes)


class Replica:
    """One life of one replica, from its start to its death."""

    def __init__(self, group: Group, node_id: int, *, has_lost_data: bool) -> None:
        self.node_id = node_id
        self.is_paused = False
        self._group = group
        self._world = group.world
        self._knobs = group.knobs
        self._checker = group.checker
        self._disk = group.disks[node_id]
        self._is_dead = False
        self._inbox: list[Callable[[], None]] = []
        self._is_turn_due = False
        self._flight: FlushHandle | None = None
        self._proposed: dict[int, tuple[int, bytes]] = {}
        self._reads: dict[int, int] = {}
        self._led_term = 0
        self._unsaid: Ready | None = None
        self.journal = Journal.open(self._disk, PARTITION_ID, journal_options(self._knobs))
        self.storage = RaftStorage.open(
            self._disk, self.journal, PARTITION_ID, has_lost_data=has_lost_data
        )
        self._snapshots = SnapshotStore(self._disk)
        self.state = self._first_state()
        self.node = self._make_node()
        self._check_start()
        self._port = group.network.join(node_id, self._receive)
        self._tick_later()

    @property
    def is_leader(self) -> bool:
        """Whether it leads, as far as it knows."""
        return self.node.role is Role.LEADER

    @property
    def is_flushing(self) -> bool:
        """Whether a flush is under way."""
        return self._flight is not None

    def others(self) -> Iterator[Replica]:
        """All that are up, this one too."""
        return iter(self._group.replicas.values())

    # Life and death

    def _first_state(self) -> ChainState:
        """The state of the newest snapshot; the log is made to go with it."""
        snapshot = self._snapshots.newest
        if snapshot is None:
            if self.journal.first_index > 1:
                raise SnapshotDamaged("it is missing, and the log begins behind it")
            return ChainState()
        if self._term_at(snapshot.index) not in (snapshot.term, COMPACTED):
            start = LogStart(snapshot.index, snapshot.term)
            self.storage.begin_after(start, snapshot.membership)
        return ChainState(snapshot.index, snapshot.state)

    def _make_node(self) -> RawNode:
        knobs = self._knobs
        is_member = self.node_id in self._group.members
        config = RaftConfig(
            node_id=self.node_id,
            voters=self._group.members if is_member else (),
            election_ticks=knobs.election_ticks,
            heartbeat_ticks=knobs.heartbeat_ticks,
            priority=self.node_id if knobs.has_priorities else 1,
            priority_max=len(self._group.ids) if knobs.has_priorities else 1,
            append_bytes_max=knobs.append_bytes,
            inflight_messages_max=knobs.inflight_messages,
            tail_bytes_max=knobs.tail_bytes,
            snapshot_chunk_bytes=knobs.chunk_bytes,
        )
        return self.storage.make_node(config, self._world.entropy)

    def _check_start(self) -> None:
        """What has come back from the disk is what was there."""
        hard_state, journal, checker = self.storage.hard_state, self.journal, self._checker
        assert self.state.index >= journal.first_index - 1, "the log begins behind the snapshot"
        checker.restarts(self.node_id, hard_state.term, hard_state.vote, self._term_at)
        entries = journal.read(journal.first_index, READ_BYTES)
        checker.finds(self.node_id, journal.term_at(journal.first_index - 1), entries)
        if self.state.index:
            checker.has_state(self.node_id, self.state.index, self.state.value)

    def _term_at(self, index: int) -> int | None:
        """The term of an entry; None behind the end of the log."""
        if index > self.journal.last_index:
            return None
        if index < self.journal.first_index - 1:
            return COMPACTED
        return self.journal.term_at(index)

    def die(self) -> None:
        """Nothing happens any more in this life."""
        raft_marks.dies(self, self._unsaid)
        self._is_dead = True
        self._disk.on_change = None

    def cut_after(self, changes: int, *, is_kill: bool, down_us: int) -> None:
        """Die when the disk has been changed some more times, before anything else is done."""

        def count() -> None:
            nonlocal changes
            changes -= 1
            if changes < 0:
                self._group.crash(self.node_id, is_kill=is_kill, down_us=down_us)
                raise PowerCut

        self._disk.on_change = count

    # What comes in

    def _receive(self, sender: int, data: bytes) -> None:
        message = decode_message(data)
        assert message.sender == sender, "nobody speaks for another"
        self._do(partial(self._hear, message))

    def _hear(self, message: RaftMessage) -> None:
        raft_marks.hears(self, message)
        self.node.step(message)

    def _tick_later(self) -> None:
        self._world.after(self._group.tick_us(self.node_id), self._tick)

    def _tick(self) -> None:
        if self._is_dead:
            return
        if not self.is_paused:
            self._do(self.node.tick)
        self._tick_later()

    def resume(self) -> None:
        """A pause is over."""
        self.is_paused = False
        if self._inbox:
            self._turn()

    def propose(self, payload: bytes) -> None:
        """A client proposes to this replica; it is told when it is committed, if ever."""
        self._do(partial(self._propose, payload))

    def _propose(self, payload: bytes) -> None:
        if self.is_leader and not self.node.is_transferring:
            self._proposed[self.node.propose(payload)] = (self.node.term, payload)

    def read(self) -> None:
        """A client reads from this replica, and must see all that clients know of now."""
        self._do(partial(self._read, self._checker.told_index))

    def _read(self, told_index: int) -> None:
        if self.node.is_settled:
            self._reads[self.node.request_read()] = told_index

    def transfer_to(self, node_id: int) -> None:
        """The lead is to go to another replica, if this one has it."""
        self._do(lambda: self.is_leader and self.node.transfer_to(node_id))

    def change_members(self, voters: tuple[int, ...], learners: tuple[int, ...]) -> None:
        """The group is to have other members, if that is possible now."""
        self._do(partial(self._change_members, voters, learners))

    def _change_members(self, voters: tuple[int, ...], learners: tuple[int, ...]) -> None:
        if self.node.is_settled and not self.node.is_changing_members:
            self._world.note(f"members become {voters} {learners}")
            with suppress(MembersRefused):  # too many
                self.node.propose_members(voters, learners)

    def _do(self, action: Callable[[], object]) -> None:
        """Something is to be done in the next turn."""
        if self._is_dead or len(self._inbox) >= INBOX_MAX:
            return
        self._inbox.append(action)  # type: ignore[arg-type]
        if self.is_paused or self._is_turn_due:
            return
        if not self._knobs.turn_us:
            self._turn()
            return
        self._is_turn_due = True
        self._world.after(self._world.rng.randrange(1, self._knobs.turn_us), self._turn)

    def _turn(self) -> None:
        """All that came is taken, then all that is ready is done."""
        self._is_turn_due = False
        if self._is_dead or self.is_paused:
            return
        inbox, self._inbox = self._inbox, []
        role, term = self.node.role, self.node.term
        try:
            for action in inbox:
                action()
            self._do_ready()
            raft_marks.changes_role(self, role, term)
        except PowerCut:
            assert self._is_dead
        except (OSError, JournalFailed):
            mark(RaftMark.WRITE_FAILED)
            self._group.failed(self.node_id)

    # What is ready

    def _do_ready(self) -> None:
        node = self.node
        while True:
            if self._flight is not None and node.needs_quiet_log:
                mark(RaftMark.CONFLICT_IN_FLIGHT)
                break
            ready = self._unsaid = node.ready()
            if ready is None:
                break
            raft_marks.writes(self, ready)
            self._write(ready)
            self._unsaid = None
            self._commit(ready.committed_index)
            self._check_lead()
            for envelope in ready.messages:
                message = envelope.message
                self._checker.says(self.node_id, envelope.receiver, message, self.journal.term_at)
                self._port.send(envelope.receiver, encode_message(message))
            node.advance(ready)
            self._serve(ready)
        self._flush()

    def _write(self, ready: Ready) -> None:
        checker, journal = self._checker, self.journal
        if ready.reset is not None:
            checker.resets(self.node_id, ready.reset.index, ready.reset.term, self._term_at)
        if ready.truncate_after is not None:
            index = ready.truncate_after
            checker.cuts(self.node_id, index, journal.term_at(index))
        if ready.entries:
            before = ready.entries[0].index - 1
            is_reset = ready.reset is not None and ready.reset.index == before
            term = ready.reset.term if is_reset and ready.reset else journal.term_at(before)
            checker.appends(self.node_id, term, ready.entries)
        was_recovering = self.storage.hard_state.is_recovering
        self.storage.write(ready)
        if was_recovering and not self.storage.hard_state.is_recovering:
            self._group.atlas.heals(self.node_id)
        if ready.hard_state is not None:
            checker.promises(self.node_id, ready.hard_state.term, ready.hard_state.vote)

    def _commit(self, committed_index: int) -> None:
        state, node = self.state, self.node
        while state.index < committed_index:
            entries = self.journal.read(state.index + 1, READ_BYTES)
            entries = entries[: committed_index - state.index]
            assert entries, "what is committed is in the log"
            if self.is_leader and entries[0].term < entries[-1].term:
                mark(RaftMark.OLDER_TERMS)
            self._checker.commits(self.node_id, node.term, entries, self._is_stable)
            state.apply(entries)
            self._checker.has_state(self.node_id, state.index, state.value)
            for entry in entries:
                term, payload = self._proposed.pop(entry.index, (0, b""))
                if term == entry.term:
                    self._checker.tells(self.node_id, entry.index, payload)
                    self._group.counts.told += 1

    def _is_stable(self, index: int, term: int) -> bool:
        """Whether a majority has an entry, of the members or of those before: a turn may commit by
        the count of the ones and go on to the others.
        """
        beginning = Membership(0, 0, GroupMembers(self._group.members))
        known = [beginning, *self.storage.memberships][-2:]
        return any(self._group.is_stable(each.members, index, term) for each in known)

    def _check_lead(self) -> None:
        term = self.node.term
        if not self.is_leader:
            if self._reads:
                mark(RaftMark.READ_DROPPED)
            self._reads.clear()
        elif term != self._led_term:
            self._led_term = term
            self._world.note(f"{self.node_id} leads in term {term}")
            self._checker.leads(self.node_id, term, self._term_at)

    def _serve(self, ready: Ready) -> None:
        """Reads, and snapshots in both directions."""
        for read in ready.confirmed_reads:
            told_index = self._reads.pop(read.number, None)
            if told_index is not None:
                self._group.counts.reads += 1
                self._checker.reads(self.node_id, read.index, told_index)
        for wanted in ready.snapshot_reads:
            self._world.after(self._world.rng.randrange(1, 2_000), partial(self._give, wanted))
        for chunk in ready.snapshot_chunks:
            self._store(chunk)

    def _flush(self) -> None:
        journal = self.journal
        if self._flight is None and journal.last_index > journal.last_flushed_index:
            settles = journal.last_index % SETTLED_EVERY == 0
            self._flight = journal.flush_handle(settles=settles)
            self._world.after(self._group.flush_us(self.node_id), self._sync)

    def _sync(self) -> None:
        """In the thread: the disk is asked. The loop hears of it a little later."""
        if self._is_dead or self._flight is None:
            return
        try:
            self._flight.sync()
        except PowerCut:
            return
        except JournalFailed:
            mark(RaftMark.SYNC_FAILED)
            self._group.failed(self.node_id)
            return
        self._do(self._flushed)

    def _flushed(self) -> None:
        handle, self._flight = self._flight, None
        assert handle is not None, "one flush at a time"
        self.journal.flushed(handle)
        self._checker.persists(self.node_id, handle.index, handle.term)
        self.node.persisted(handle.index, handle.term)

    # Snapshots

    def take_snapshot(self) -> None:
        """Keep the state at the newest flushed and applied index, and drop the log before it."""
        self._do(self._take_snapshot)

    def _take_snapshot(self) -> None:
        index, journal = self.state.index, self.journal
        before = self._snapshots.newest.index if self._snapshots.newest else 0
        if index <= before or index > journal.last_flushed_index:
            return
        snapshot = Snapshot(
            index, journal.term_at(index), self.state.value, self._members_at(index)
        )
        self._snapshots.save(snapshot, self._knobs.snapshot_bytes)
        self._group.counts.snapshots += 1
        journal.compact(max(index - self._world.rng.randrange(20), 0))

    def _members_at(self, index: int) -> Membership:
        beginning = Membership(0, 0, GroupMembers(self._group.members))
        known = [beginning, *self.storage.memberships]
        return max((each for each in known if each.index <= index), key=lambda each: each.index)

    def _give(self, wanted: SnapshotRead) -> None:
        """A follower needs bytes of the newest snapshot."""
        snapshot, data = self._snapshots.newest, self._snapshots.data
        if self._is_dead or snapshot is None:
            return
        offset = wanted.offset if wanted.index == snapshot.index else 0
        if wanted.index not in (0, snapshot.index):
            mark(RaftMark.NEWER_SNAPSHOT)
        part = SnapshotPart(
            snapshot.index,
            snapshot.term,
            offset,
            len(data),
            data[offset : offset + wanted.bytes_max],
        )
        self._do(partial(self.node.snapshot_read, wanted.follower, part))

    def _store(self, chunk: SnapshotChunk) -> None:
        try:
            snapshot = self._snapshots.receive(chunk)
        except SnapshotDamaged:
            self.node.snapshot_refused(chunk.index)
            return
        self.node.snapshot_stored(chunk.index, chunk.offset + len(chunk.data))
        if snapshot is None:
            return
        assert (snapshot.index, snapshot.term) == (chunk.index, chunk.index_term)
        if snapshot.index <= self.state.index:
            # The log had its entries already, and they were flushed and applied meanwhile.
            self.node.snapshot_installed(chunk.index)
            return
        self._checker.has_state(self.node_id, snapshot.index, snapshot.state)
        membership = Membership(chunk.index, chunk.index_term, chunk.members)
        own = Snapshot(snapshot.index, snapshot.term, snapshot.state, membership)
        self._snapshots.save(own, self._knobs.snapshot_bytes)
        self.state = ChainState(snapshot.index, snapshot.state)
        self._group.counts.installs += 1
        self.node.snapshot_installed(chunk.index)
