"""Several replicas in memory, their disks and the way between them, for tests that decide what
arrives.

A replica's log is what was written; what was not flushed is lost in a crash. What holds at every
moment is checked after each step: at most one leader in a term, one vote in a term, and committed
entries that stay, are on the disks of a quorum, and are in every later leader's log.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.raft.memory_log import MemoryLog

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import GroupMembers, SnapshotChunk
from grevy.raft import (
    Envelope,
    HardState,
    Membership,
    RaftConfig,
    RawNode,
    Ready,
    Role,
    SnapshotPart,
)
from grevy.testing.entropy import SeededEntropy

SNAPSHOT_BYTES = 25
"""Size of every snapshot; its bytes are its index."""


@dataclass
class Disk:
    """What a replica has when the power goes: `log` up to `flushed`."""

    log: MemoryLog
    hard_state: HardState = field(default_factory=HardState)
    memberships: tuple[Membership, ...] = ()
    flushed: int = 0
    snapshot: SnapshotChunk | None = None
    stored: dict[int, bytes] = field(default_factory=dict)


class Member:
    """One replica and its embedder."""

    def __init__(self, config: RaftConfig, seed: int, disk: Disk) -> None:
        self.config = config
        self.disk = disk
        self.seed = seed
        self.committed = self.noted = 0
        self.confirmed: list[tuple[int, int]] = []
        self.start()

    def start(self) -> None:
        """Begin with what the disk has."""
        disk = self.disk
        log = disk.log
        log.cut(disk.flushed)
        kept = [
            item
            for item in disk.memberships
            if item.index < log.first_index
            or (item.index <= log.last_index and log.term_at(item.index) == item.term)
        ]
        self.committed = self.noted = log.start.index
        self.node = RawNode(
            self.config,
            disk.hard_state,
            log,
            entropy=SeededEntropy(self.seed),
            memberships=kept,
        )

    def turn(self) -> list[Envelope]:
        """Do all that there is to do; what is to be sent."""
        sent: list[Envelope] = []
        while (ready := self.node.ready()) is not None:
            sent += ready.messages
            self._write(ready)
            self.node.advance(ready)
            self._handle_snapshots(ready)
        return sent

    def flush(self) -> None:
        """Make the log durable, and say so."""
        log = self.disk.log
        if log.last_index > self.disk.flushed:
            self.disk.flushed = log.last_index
            self.node.persisted(log.last_index, log.term_at(log.last_index))

    def _write(self, ready: Ready) -> None:
        disk = self.disk
        if ready.hard_state is not None:
            before, after = disk.hard_state, ready.hard_state
            assert after.term >= before.term
            assert after.term > before.term or before.vote in (0, after.vote), "two votes"
            disk.hard_state = after
        if ready.memberships is not None:
            disk.memberships = ready.memberships
        disk.log.write(ready)
        if ready.reset is not None:
            disk.flushed = ready.reset.index
        if ready.truncate_after is not None:
            assert ready.truncate_after >= self.committed, "something committed is removed"
            disk.flushed = min(disk.flushed, ready.truncate_after)
        assert ready.committed_index >= self.committed
        self.committed = ready.committed_index
        self.confirmed += [(read.number, read.index) for read in ready.confirmed_reads]

    def _handle_snapshots(self, ready: Ready) -> None:
        log = self.disk.log
        for read in ready.snapshot_reads:
            index = log.start.index
            data = bytes([index % 251]) * SNAPSHOT_BYTES
            offset = read.offset if read.index == index else 0
            part = SnapshotPart(
                index,
                log.start.term,
                offset,
                SNAPSHOT_BYTES,
                data[offset : offset + read.bytes_max],
            )
            self.node.snapshot_read(read.follower, part)
        for chunk in ready.snapshot_chunks:
            if chunk.offset == 0:
                self.disk.stored = {}
            assert chunk.offset == sum(map(len, self.disk.stored.values())), "in order, no holes"
            self.disk.stored[chunk.offset] = chunk.data
            end = chunk.offset + len(chunk.data)
            self.node.snapshot_stored(chunk.index, end)
            if end == chunk.total_bytes:
                whole = b"".join(self.disk.stored.values())
                assert whole == bytes([chunk.index % 251]) * SNAPSHOT_BYTES
                self.node.snapshot_installed(chunk.index)
                self.committed = max(self.committed, chunk.index)


class Cluster:
    """Replicas with ids from 1. Messages wait in `wire` until somebody delivers or drops them."""

    def __init__(self, count: int, *, seed: int = 0, outsiders: int = 0) -> None:
        self.wire: list[Envelope] = []
        self.members: dict[int, Member] = {}
        self._seed = seed
        self._leaders: dict[int, int] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self.canon: dict[int, JournalEntry] = {}
        """Committed entries, as they were first seen."""
        self._proposals = 0
        voters = tuple(range(1, count + 1))
        for node_id in voters:
            self.add(node_id, voters)
        for node_id in range(count + 1, count + outsiders + 1):
            self.add(node_id, ())

    def add(self, node_id: int, voters: tuple[int, ...]) -> None:
        """A replica with an empty disk."""
        config = RaftConfig(
            node_id, voters, append_bytes_max=24, inflight_messages_max=3, snapshot_chunk_bytes=10,
            tail_bytes_max=40,
        )  # fmt: skip
        self.members[node_id] = Member(config, self._seed * 100 + node_id, Disk(MemoryLog()))

    def turn(self, node_id: int) -> None:
        """A turn of a replica's loop; its messages go onto the wire."""
        self.wire += self.members[node_id].turn()
        self.check(node_id)

    def flush(self, node_id: int) -> None:
        """A replica's disk has everything."""
        self.members[node_id].turn()
        self.members[node_id].flush()
        self.turn(node_id)

    def tick(self, node_id: int, count: int = 1) -> None:
        """Time passes for one replica."""
        for _ in range(count):
            self.members[node_id].node.tick()
            self.turn(node_id)

    def deliver(self, envelope: Envelope) -> None:
        """A message arrives, whether it waits on the wire or was seen before."""
        self.members[envelope.receiver].node.step(envelope.message)
        self.turn(envelope.receiver)

    def propose(self, node_id: int) -> None:
        """An entry that is different from all others."""
        self._proposals += 1
        self.members[node_id].node.propose(b"%d" % self._proposals)
        self.turn(node_id)

    def crash(self, node_id: int) -> None:
        """The power goes, and comes back."""
        self.members[node_id].start()
        self.turn(node_id)

    def lose(self, node_id: int) -> None:
        """A replica loses its log, not its vote, and says so."""
        member = self.members[node_id]
        state = member.disk.hard_state
        member.seed += 1_000
        member.disk = Disk(MemoryLog(), HardState(state.term, state.vote, is_recovering=True))
        member.start()
        self.turn(node_id)

    def compact(self, node_id: int) -> None:
        """A replica drops what is committed and flushed, but for one entry."""
        member = self.members[node_id]
        index = min(member.committed, member.disk.flushed) - 1
        if index > member.disk.log.start.index:
            member.disk.log.compact(index)

    def leaders(self) -> list[int]:
        """Who leads, in some term."""
        return [
            node_id
            for node_id, member in self.members.items()
            if member.node.role is Role.LEADER
        ]  # fmt: skip

    def settle(self, rounds: int = 60, *, only: set[int] | None = None) -> None:
        """Time passes, everything arrives and reaches the disks, among `only` these replicas."""
        up = sorted(only or self.members)
        for _ in range(rounds):
            for node_id in up:
                self.tick(node_id)
            for _ in range(6):
                waiting, self.wire = self.wire, []
                for envelope in waiting:
                    if envelope.receiver in up and envelope.message.sender in up:
                        self.deliver(envelope)
                for node_id in up:
                    self.flush(node_id)

    def check(self, node_id: int) -> None:
        """What holds at every moment, of a replica that has just done something."""
        member = self.members[node_id]
        node = member.node
        if node.role is Role.LEADER and self._leaders.get(node.term) != node_id:
            assert node.term not in self._leaders, "two leaders"
            self._leaders[node.term] = node_id
            self._check_complete(member)
        state = member.disk.hard_state
        if state.vote:
            key = (node_id, state.term)
            assert self._votes.setdefault(key, state.vote) == state.vote, "two votes"
        if member.committed > member.noted:
            self._note_committed(member)
            member.noted = member.committed

    def _note_committed(self, member: Member) -> None:
        log = member.disk.log
        newest = max(self.canon, default=0)
        for entry in log.entries[max(0, member.noted - log.start.index) :]:
            if entry.index > member.committed:
                break
            known = self.canon.setdefault(entry.index, entry)
            assert known == entry, f"entry {entry.index} was {known}, and is {entry}"
            if entry.index > newest:
                self._check_on_disks(entry, member.node.members)

    def _check_on_disks(self, entry: JournalEntry, members: GroupMembers) -> None:
        for voters in filter(None, (members.voters, members.old_voters)):
            having = [voter for voter in voters if self._has(voter, entry)]
            assert 2 * len(having) > len(voters), f"{entry} is committed, and only {having} have it"

    def _has(self, node_id: int, entry: JournalEntry) -> bool:
        disk = self.members[node_id].disk
        if entry.index <= disk.log.start.index or disk.hard_state.is_recovering:
            return True  # or it had it when it said so
        return (
            entry.index <= min(disk.flushed, disk.log.last_index)
            and disk.log.term_at(entry.index) == entry.term
        )

    def _check_complete(self, member: Member) -> None:
        """A leader has all that was committed before its term."""
        log, term = member.disk.log, member.node.term
        for index, entry in self.canon.items():
            if entry.term < term and index > log.start.index:
                assert index <= log.last_index, f"the leader of {term} lacks entry {index}"
                assert log.entries[index - log.first_index] == entry

    def check_match(self) -> None:
        """Logs match: with an entry of the same index and term, all before are the same."""
        seen: dict[tuple[int, int], tuple[int, bytes]] = {}
        for member in self.members.values():
            log = member.disk.log
            previous = log.start.term
            for entry in log.entries:
                mine = (previous, entry.payload)
                assert seen.setdefault((entry.index, entry.term), mine) == mine
                previous = entry.term
