"""A follower's part: taking entries and snapshots, and acknowledging what its disk has (thesis, 3.5
and 5.3).
"""

from __future__ import annotations

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    Heartbeat,
    HeartbeatResponse,
    SnapshotChunk,
    SnapshotResponse,
)
from grevy.raft.ready import HardState, LogStart
from grevy.raft.replica import Replica


class IncomingSnapshot:
    """A snapshot that a leader sends."""

    def __init__(self, first: SnapshotChunk) -> None:
        self.first = first
        self.received = 0
        """Bytes that were handed to the embedder."""
        self.stored = 0
        """Bytes that are durable."""

    def is_of(self, chunk: SnapshotChunk) -> bool:
        """Whether a chunk belongs to it; two leaders' snapshots may differ in their bytes."""
        return all(
            getattr(chunk, name) == getattr(self.first, name)
            for name in ("sender", "index", "index_term", "total_bytes")
        )


class Following:
    """What a replica knows of its leader's log; of the current term alone, but for a snapshot that
    is on its way.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._incoming: IncomingSnapshot | None = None
        self._repair_id = 0
        if replica.hard_state.is_recovering:
            self._repair_id = replica.entropy.random_u64() >> 1 or 1  # fits a message
        self.restart()

    def restart(self) -> None:
        """A new term has begun, or its leader is heard for the first time: what the leader before
        had is nothing to this one. What is committed is in every later leader's log.
        """
        self._verified_index = self._replica.commit_index
        self._acked_index = 0
        self._is_ack_due = False
        self._round = 0
        self._repair_index = 0

    def on_append(self, message: AppendRequest) -> None:
        """The leader's entries: takes those that are new, removes what conflicts, or says where the
        logs may agree.
        """
        replica = self._replica
        log = replica.log
        self._round = max(self._round, message.round)
        if message.repair_id == self._repair_id:
            self._repair_index = message.repair_index
        previous, entries = message.previous_index, message.entries
        assert not entries or entries[0].index == previous + 1, "entries follow the one before"
        if previous < replica.commit_index:
            self._check_committed(entries)
            entries = entries[replica.commit_index - previous :]
            previous = replica.commit_index
        elif not log.has(previous, message.previous_term):
            self._reject(message)
            return
        new = self._without_known(entries)
        if new:
            replica.append(new)
        self._verified_index = max(self._verified_index, previous + len(entries))
        replica.commit_to(min(message.commit_index, self._verified_index))
        self._is_ack_due = True

    def on_heartbeat(self, message: Heartbeat) -> None:
        """The leader is there, and has committed something."""
        replica = self._replica
        self._round = max(self._round, message.round)
        if not self._repair_id:
            # It was acknowledged in this term, maybe before a restart: it is on this disk.
            known_index = min(message.commit_index, replica.log.persisted_index)
            self._verified_index = max(self._verified_index, known_index)
        replica.commit_to(min(message.commit_index, self._verified_index))
        replica.send(
            message.sender,
            HeartbeatResponse(replica.node_id, replica.term, message.round, self._repair_id),
        )

    def collect(self) -> None:
        """Acknowledges what has become durable, once a turn."""
        replica = self._replica
        persisted = replica.log.persisted_index
        durable = min(self._verified_index, persisted)
        if self._repair_index and durable >= self._repair_index and self._repair_id:
            self._repair_id = 0
            state = replica.hard_state
            replica.keep(HardState(state.term, state.vote))
        if not self._is_ack_due or not replica.leader:
            return
        is_complete = persisted >= self._verified_index
        if is_complete or durable > self._acked_index:
            self._acked_index = durable
            self._is_ack_due = not is_complete
            replica.send(
                replica.leader,
                AppendResponse(
                    replica.node_id,
                    replica.term,
                    durable,
                    self._round,
                    repair_id=self._repair_id,
                ),
            )

    def on_chunk(self, message: SnapshotChunk) -> None:
        """A part of the leader's snapshot: the next one goes to the embedder, any other is answered
        by what is missing.
        """
        replica = self._replica
        log = replica.log
        self._round = max(self._round, message.round)
        if log.has(message.index, message.index_term):
            replica.commit_to(message.index)
        if message.index <= min(replica.commit_index, log.persisted_index):
            self._answer(message.index, message.total_bytes, is_installed=True)
            return
        incoming = self._incoming
        if incoming is None or not incoming.is_of(message):
            if replica.is_installing:
                return
            if message.offset != 0:
                self._answer(message.index, 0)
                return
            incoming = self._incoming = IncomingSnapshot(message)
        if message.offset == incoming.received:
            incoming.received += len(message.data)
            assert incoming.received <= message.total_bytes, "a snapshot of its size"
            replica.is_installing = incoming.received == message.total_bytes
            replica.snapshot_chunks.append(message)
        elif incoming.stored == incoming.received and not replica.is_installing:
            self._answer(message.index, incoming.stored)

    def stored(self, index: int, offset: int) -> None:
        """The embedder has stored what comes before `offset`."""
        incoming = self._incoming
        if incoming is None or incoming.first.index != index:
            return
        assert incoming.stored <= offset <= incoming.received, "what was given is stored"
        incoming.stored = offset
        if incoming.stored == incoming.received:
            self._answer(index, offset)

    def refused(self, index: int) -> None:
        """The embedder cannot use the snapshot."""
        incoming = self._incoming
        if incoming is not None and incoming.first.index == index:
            self._drop_incoming()
            self._answer(index, 0)

    def installed(self, index: int) -> None:
        """The embedder's state is that of the snapshot; the log follows, unless it has all that the
        snapshot has.
        """
        replica = self._replica
        incoming = self._incoming
        assert incoming is not None, "no snapshot is on its way"
        first = incoming.first
        assert first.index == index, "another snapshot is on its way"
        assert replica.is_installing, "the snapshot is not whole"
        self._drop_incoming()
        if replica.log.has(index, first.index_term):
            replica.commit_to(index)
        if replica.commit_index < index:
            start = LogStart(index, first.index_term)
            replica.log.reset(start)
            replica.members.reset(start, first.members)
            replica.commit_index = self._verified_index = index
        if replica.log.persisted_index >= index:
            self._answer(index, first.total_bytes, is_installed=True)

    def _drop_incoming(self) -> None:
        self._incoming = None
        self._replica.is_installing = False

    def _check_committed(self, entries: tuple[JournalEntry, ...]) -> None:
        """What is committed here is what the leader has."""
        replica = self._replica
        for entry in entries:
            if entry.index > replica.commit_index:
                break
            if entry.index >= replica.log.first_index:
                assert replica.log.term_at(entry.index) == entry.term, (
                    f"entry {entry.index} is committed, and the leader has another"
                )

    def _without_known(self, entries: tuple[JournalEntry, ...]) -> tuple[JournalEntry, ...]:
        """Entries that are not in the log; what conflicts with one is removed from it."""
        replica = self._replica
        log = replica.log
        for number, entry in enumerate(entries):
            if entry.index > log.last_index:
                return entries[number:]
            if log.term_at(entry.index) != entry.term:
                assert entry.index > self._verified_index, "a leader never takes entries back"
                replica.truncate(entry.index - 1)
                return entries[number:]
        return ()

    def _reject(self, message: AppendRequest) -> None:
        replica = self._replica
        log = replica.log
        agreeing = log.newest_not_after(message.previous_index - 1, message.previous_term)
        replica.send(
            message.sender,
            AppendResponse(
                replica.node_id,
                replica.term,
                agreeing,
                self._round,
                is_rejected=True,
                hint_term=log.term_at(agreeing),
                repair_id=self._repair_id,
            ),
        )

    def _answer(self, index: int, offset: int, *, is_installed: bool = False) -> None:
        replica = self._replica
        if replica.leader in (0, replica.node_id):
            return
        replica.send(
            replica.leader,
            SnapshotResponse(
                replica.node_id, replica.term, index, offset, self._round, is_installed
            ),
        )
