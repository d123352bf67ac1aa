"""From proposal to commit: raft, journal and fsync, wired to a loop and to the other replicas.

    propose, step, tick ─▶ raft ─▶ ready ─▶ journal ─▶ flush (in a thread) ─▶ raft ─▶ on_committed
                                     └────▶ send

What is proposed while the disk is busy is appended at once and flushed next, all of it together
(`flushing.py`). Messages leave while the own disk is flushed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Protocol

from grevy.journal import FlushHandle, JournalError
from grevy.partition.flushing import Flusher
from grevy.ports import Clock, Entropy
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import GroupMembers, RaftMessage, SnapshotChunk
from grevy.raft import (
    MembersRefused,
    RaftConfig,
    RaftStorage,
    Ready,
    Role,
    SnapshotPart,
    SnapshotRead,
)

TICK_S: Final = 0.1
"""A leader that says nothing for ten to twenty of these counts as lost."""

REPLAY_BYTES: Final = 1024 * 1024
"""Log read at once when entries are committed that are not in memory."""

REPLAYED_ENTRIES_MAX: Final = 256
"""Entries that a replica takes over in one turn of the loop: some ten milliseconds."""

TAIL_BYTES_MAX: Final = 16 * 1024 * 1024
"""Payloads that are kept in memory from being appended until they are committed."""


class Replicated(Protocol):
    """The partition, as its pipeline sees it. Calls come from the loop's thread."""

    def on_committed(self, payloads: list[bytes], last_index: int, *, is_settled: bool) -> None:
        """Entries are committed, the last one at an index. `is_settled` says that this replica
        leads, and has all that was committed before.
        """

    def on_role(self, role: Role) -> None:
        """This replica leads now, or no longer, or another term has begun: told before anything
        that is committed after it.
        """

    def read_snapshot(self, index: int, offset: int, bytes_max: int) -> SnapshotPart | None:
        """A part of a snapshot for another replica; None where there is none to give."""

    def store_snapshot(self, chunk: SnapshotChunk) -> int:
        """Stores a part of a leader's snapshot durably; how many of its bytes are stored."""

    def install_snapshot(self, chunk: SnapshotChunk) -> None:
        """All parts are stored, this was the last: makes it the state, and says `installed` then,
        or that it is damaged.
        """


class CommitPipeline:
    """Drives the raft core of one replica over its storage."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        storage: RaftStorage,
        config: RaftConfig,
        partition: Replicated,
        *,
        entropy: Entropy,
        applied_index: int,
        send: Callable[[int, RaftMessage], None],
        on_failed: Callable[[BaseException], None],
        thread: Executor,
        clock: Clock,
    ) -> None:
        self._loop = loop
        self._storage = storage
        self._journal = storage.journal
        self._config = config
        self._node = storage.make_node(config, entropy, committed_index=applied_index)
        self._partition = partition
        self._applied_index = applied_index
        self._committed_index = 0
        self._send = send
        self._on_failed = on_failed
        self._flusher = Flusher(
            *(loop, storage.journal),
            on_flushed=self._flushed,
            on_failed=self._fail,
            thread=thread,
            clock=clock,
        )
        self._tail: deque[JournalEntry] = deque()
        self._tail_bytes = 0
        self._lead: tuple[int, Role] = (0, Role.FOLLOWER)
        self._is_applying_later = False
        self._has_failed = False
        self._timer: asyncio.TimerHandle | None = None
        self._asked: tuple[int, int, float] | None = None
        self._confirmed: tuple[int, float] = (0, 0.0)

    @property
    def commit_index(self) -> int:
        """How far the log is committed and given out."""
        return self._applied_index

    @property
    def term(self) -> int:
        """The current term."""
        return self._node.term

    @property
    def role(self) -> Role:
        """What this replica is."""
        return self._node.role

    @property
    def leader(self) -> int:
        """Whom this replica follows, as a node id; 0 for nobody."""
        return self._node.leader

    @property
    def is_transferring(self) -> bool:
        """Whether this leader is handing its lead over: proposals should wait."""
        return self._node.is_transferring

    @property
    def is_recovering(self) -> bool:
        """Whether this replica has lost data and its leader has not repaired it yet."""
        return self._node.is_recovering

    @property
    def is_alone(self) -> bool:
        """Whether this is the only replica of its group."""
        return self._node.members.voters == (self._config.node_id,)

    def start(self) -> None:
        """Begins to tick; the only replica of a group stands for election at once."""
        if self.is_alone:
            self._node.campaign()
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self.advance()

    def doubt_leader(self) -> None:
        """See `RawNode.doubt_leader`."""
        self._node.doubt_leader()

    def stand(self) -> None:
        """Stands for election without waiting, if nobody leads."""
        if not self._node.leader and not self._has_failed:
            self._node.campaign()
            self.advance()

    def propose(self, payload: bytes) -> None:
        """Hands an entry to raft; `advance` sends it on its way."""
        self._node.propose(payload)

    def step(self, message: RaftMessage) -> None:
        """Hands a message of another replica to raft; `advance` does what follows."""
        if not self._has_failed:
            self._node.step(message)
            self._note_role()

    def transfer_to(self, node_id: int) -> bool:
        """Hands the lead over to another voter; False where that cannot be."""
        is_begun = self._node.transfer_to(node_id)
        self.advance()
        return is_begun

    # ── who is in the group ───────────────────────────────────────────────────────────────────────

    @property
    def committed_members(self) -> GroupMembers:
        """Who is in the group, by the newest change that is committed."""
        return self._node.committed_members

    def caught_up(self, entries_behind_max: int) -> frozenset[int]:
        """The other replicas that have the log of this leader but for so many entries."""
        return self._node.caught_up(entries_behind_max)

    def propose_members(self, members: GroupMembers) -> bool:
        """Begins a change of the group, which this replica leads; False where that cannot be now,
        above all because another change is under way.
        """
        try:
            self._node.propose_members(members.voters, members.learners)
        except MembersRefused:
            return False
        self.advance()
        return True

    def set_priority(self, priority: int, priority_max: int) -> None:
        """Changes this replica's rank, for the next election."""
        self._node.set_priority(priority, priority_max)

    def confirm_lead(self) -> None:
        """Asks a majority whether this replica, which has settled, still leads."""
        if self._asked is None or self._asked[0] != self._node.term:
            number = self._node.request_read()
            self._asked = (self._node.term, number, self._loop.time())
            self.advance()

    def is_lead_confirmed(self, within_s: float) -> bool:
        """Whether a majority has followed this leader at a time that is no longer ago than that."""
        term, at_s = self._confirmed
        return term == self._node.term and self._loop.time() - at_s <= within_s

    def _confirm(self, number: int) -> None:
        """A read is answered: the majority has followed since it was asked for."""
        if self._asked is not None and self._asked[:2] == (self._node.term, number):
            self._confirmed = (self._node.term, self._asked[2])
            self._asked = None

    def installed(self, index: int, *, is_whole: bool) -> None:
        """A snapshot is the state now, or is damaged."""
        if self._has_failed:
            return
        if is_whole:
            self._applied_index = max(self._applied_index, index)
            self._node.snapshot_installed(index)
        else:
            self._node.snapshot_refused(index)
        self.advance()

    def advance(self) -> None:
        """Does what raft asks for: writes, sends, and gives out what is committed; begins a flush
        if the disk is free. After a failure nothing happens any more.
        """
        if self._has_failed:
            return
        try:
            node = self._node
            while not (self._flusher.is_busy and node.needs_quiet_log):
                ready = node.ready()
                if ready is None:
                    break
                self._handle(ready)
            self._note_role()
            self._apply()
            self._flusher.flush()
        except Exception as error:  # noqa: BLE001 - disk, state or a broken invariant: it is the end
            self._fail(error)

    async def stop(self) -> None:
        """Waits until everything that was written is flushed, or the disk has failed."""
        if self._timer is not None:
            self._timer.cancel()
        self.advance()
        await self._flusher.stop()
        self._has_failed = True  # nothing happens any more
        self._storage.close()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        if self._has_failed:
            return
        self._node.tick()
        self.advance()
        try:
            self._flusher.tick()
        except JournalError as error:  # the log may have failed elsewhere: when it was compacted
            self._fail(error)

    def _handle(self, ready: Ready) -> None:
        self._storage.write(ready)
        if ready.reset is not None:
            self._applied_index = max(self._applied_index, ready.reset.index)
            self._forget_tail_after(0)
        if ready.truncate_after is not None:
            self._forget_tail_after(ready.truncate_after)
        self._remember(ready.entries)
        for envelope in ready.messages:
            self._send(envelope.receiver, envelope.message)
        self._committed_index = max(self._committed_index, ready.committed_index)
        self._node.advance(ready)
        for read in ready.confirmed_reads:
            self._confirm(read.number)
        for wanted in ready.snapshot_reads:
            self._read_snapshot(wanted)
        for chunk in ready.snapshot_chunks:
            self._store_snapshot(chunk)

    # ── what is committed ─────────────────────────────────────────────────────────────────────────

    def _note_role(self) -> None:
        """The partition hears of a change before it hears of what is committed after it."""
        lead = (self._node.term, self._node.role)
        if lead != self._lead:
            self._lead = lead
            self._partition.on_role(self._node.role)

    def _apply(self) -> None:
        """Give out what is committed, in pieces, but for what this leader has made itself."""
        room = REPLAYED_ENTRIES_MAX
        while self._applied_index < self._committed_index:
            if room <= 0:
                self._apply_later()
                return
            payloads = self._next_payloads(self._committed_index)
            self._applied_index += len(payloads)
            if not self._node.is_settled:
                room -= len(payloads)
            is_settled = self._node.is_settled and self._applied_index >= self._node.commit_index
            self._partition.on_committed(payloads, self._applied_index, is_settled=is_settled)

    def _apply_later(self) -> None:
        if not self._is_applying_later:
            self._is_applying_later = True
            self._loop.call_soon(self._go_on_applying)

    def _go_on_applying(self) -> None:
        self._is_applying_later = False
        self.advance()

    def _next_payloads(self, up_to_index: int) -> list[bytes]:
        """The payloads after the applied ones: those at hand, or some that are read."""
        tail, begin = self._tail, self._applied_index + 1
        while tail and tail[0].index < begin:
            self._tail_bytes -= len(tail.popleft().payload)
        if tail and tail[0].index == begin:
            count = up_to_index - self._applied_index
            if not self._node.is_settled:
                count = min(count, REPLAYED_ENTRIES_MAX)
            payloads = [tail.popleft().payload for _ in range(min(count, len(tail)))]
            self._tail_bytes -= sum(map(len, payloads))
            return payloads
        entries = self._journal.read(begin, REPLAY_BYTES)[:REPLAYED_ENTRIES_MAX]
        return [entry.payload for entry in entries if entry.index <= up_to_index]

    def _remember(self, entries: tuple[JournalEntry, ...]) -> None:
        """Keep entries until they are committed; a tail that became too long is read again."""
        self._tail.extend(entries)
        self._tail_bytes += sum([len(entry.payload) for entry in entries])
        if self._tail_bytes > TAIL_BYTES_MAX:
            self._forget_tail_after(0)

    def _forget_tail_after(self, index: int) -> None:
        tail = self._tail
        while tail and tail[-1].index > index:
            self._tail_bytes -= len(tail.pop().payload)

    # ── snapshots ─────────────────────────────────────────────────────────────────────────────────

    def _read_snapshot(self, wanted: SnapshotRead) -> None:
        part = self._partition.read_snapshot(wanted.index, wanted.offset, wanted.bytes_max)
        if part is not None:
            self._node.snapshot_read(wanted.follower, part)

    def _store_snapshot(self, chunk: SnapshotChunk) -> None:
        stored = self._partition.store_snapshot(chunk)
        self._node.snapshot_stored(chunk.index, stored)
        if stored < chunk.total_bytes:
            return
        self._partition.install_snapshot(chunk)

    # ── flushing ──────────────────────────────────────────────────────────────────────────────────

    def _flushed(self, handle: FlushHandle) -> None:
        self._node.persisted(handle.index, handle.term)
        self.advance()

    def _fail(self, error: Exception) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        if self._timer is not None:
            self._timer.cancel()
        self._flusher.give_up()
        self._on_failed(error)

    def statistics(self) -> dict[str, object]:
        """Figures for people and dashboards."""
        return {
            "term": self._node.term,
            "role": self._node.role.value,
            "leader": self._node.leader,
            "commit_index": self._node.commit_index,
        }
