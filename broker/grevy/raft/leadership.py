"""A leader's part in one term: what is committed, who is in the group, who reads, who is to lead
next (thesis, 3.6, 3.10, 4.3, 6.2 and 6.4).
"""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from grevy.protocol.limits import RAFT_REPLICAS_MAX, RAFT_VOTERS_MAX
from grevy.protocol.raft_messages import GroupMembers, TakeOver
from grevy.raft.errors import MembersRefused
from grevy.raft.membership import members_payload
from grevy.raft.quorum import agreed_value, all_voters, is_quorum
from grevy.raft.ready import ConfirmedRead
from grevy.raft.replica import Replica
from grevy.raft.replication import Replication


class _Read(Struct, frozen=True):
    number: int
    round: int
    index: int


class Leadership:
    """The lead of one replica; there is none when it does not lead."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.replication = Replication(replica)
        self.is_over = False
        """Whether this leader has to step down: it has no quorum, or no vote any more."""
        self.transfer_target = 0
        """Who is to lead instead; 0 for nobody."""
        self._transfer_ticks = 0
        self._is_transfer_told = False
        self._heartbeat_ticks = 0
        self._reads: deque[_Read] = deque()
        self.first_index = self.propose(b"")
        """Of this leader's first entry."""
        self.replication.heartbeat()

    @property
    def is_settled(self) -> bool:
        """Whether the first entry of the term is committed, and so all before it."""
        return self._replica.commit_index >= self.first_index

    def propose(self, payload: bytes) -> int:
        """Appends an entry; its index."""
        replica = self._replica
        return replica.log.append_own(replica.hard_state.term, payload).index

    def tick(self) -> None:
        """A tick has passed: heartbeats, is there a quorum, does a transfer take too long."""
        config = self._replica.config
        self._heartbeat_ticks += 1
        if self._heartbeat_ticks >= config.heartbeat_ticks:
            self._heartbeat_ticks = 0
            self._is_transfer_told = False
            if self.replication.followers:
                self.replication.heartbeat()
        self.replication.tick()
        self._check_quorum()
        if self.transfer_target:
            self._transfer_ticks += 1
            if self._transfer_ticks >= config.election_ticks:
                self.transfer_target = 0

    def collect(self) -> None:
        """Counts what the disks of the group have, and sends what there is to send."""
        if self.replication.is_count_due:
            self.commit()
        if self._reads:
            self._collect_reads()
        if self.replication.followers:
            self.replication.is_settled = self.is_settled
            self.replication.collect()
            if self.transfer_target:
                self._collect_transfer()

    def commit(self) -> None:
        """Commits what a quorum has on its disks: by an entry of this term, never by counting an
        older one (thesis, 3.6.2).
        """
        replica = self._replica
        self.replication.is_count_due = False
        if replica.commit_index == replica.log.last_index:
            return
        index = agreed_value(replica.members.current, self.replication.match_of)
        if index > replica.commit_index and replica.log.term_at(index) == replica.term:
            replica.commit_to(index)
        if replica.members.index <= replica.commit_index:
            self._go_on_with_members()

    def propose_members(self, voters: tuple[int, ...], learners: tuple[int, ...]) -> int:
        """See `RawNode`."""
        replica = self._replica
        current = replica.members.current
        if replica.is_changing_members or not self.is_settled:
            raise MembersRefused("another change is under way, or the leader has just begun")
        voters, learners = tuple(sorted(set(voters))), tuple(sorted(set(learners) - set(voters)))
        if not voters or len(voters) > RAFT_VOTERS_MAX or min(voters + learners) < 1:
            raise MembersRefused(f"expected 1 to {RAFT_VOTERS_MAX} voters, got {voters}")
        old_voters = () if set(voters) == set(current.voters) else current.voters
        if len(voters) + len(old_voters) + len(learners) > RAFT_REPLICAS_MAX:
            raise MembersRefused(f"expected at most {RAFT_REPLICAS_MAX} replicas before and after")
        return self._change(GroupMembers(voters, old_voters, learners))

    def transfer_to(self, node_id: int) -> bool:
        """See `RawNode`."""
        replica = self._replica
        progress = self.replication.followers.get(node_id)
        is_voter = node_id in replica.members.current.voters
        if self.transfer_target or progress is None or not is_voter or progress.is_repairing:
            return False
        self.transfer_target = node_id
        self._transfer_ticks = 0
        self._is_transfer_told = False
        return True

    def request_read(self, number: int) -> None:
        """Reads what is committed now, once a round that begins after this has a quorum."""
        assert self.is_settled, "the leader knows what is committed"
        index = self._replica.commit_index
        self._reads.append(_Read(number, self.replication.round + 1, index))

    def _collect_reads(self) -> None:
        replica, replication = self._replica, self.replication
        if self._reads[-1].round > replication.round:
            replication.heartbeat()
        confirmed = agreed_value(replica.members.current, replication.confirmed_round_of)
        while self._reads and self._reads[0].round <= confirmed:
            read = self._reads.popleft()
            replica.confirmed_reads.append(ConfirmedRead(read.number, read.index))

    def _check_quorum(self) -> None:
        ticks = self._replica.config.election_ticks
        heard = {
            node_id
            for node_id, progress in self.replication.followers.items()
            if progress.silent_ticks < ticks
        }
        if not is_quorum(self._replica.members.current, heard | {self._replica.node_id}):
            self.is_over = True

    def _collect_transfer(self) -> None:
        replica = self._replica
        progress = self.replication.followers.get(self.transfer_target)
        if progress is None:
            self.transfer_target = 0
        elif progress.match_index == replica.log.last_index and not self._is_transfer_told:
            self._is_transfer_told = True
            replica.send(self.transfer_target, TakeOver(replica.node_id, replica.term))

    def _change(self, members: GroupMembers) -> int:
        replica = self._replica
        entry = replica.log.append_own(replica.term, members_payload(members))
        replica.members.appended((entry,))
        self.replication.follow_members()
        return entry.index

    def _go_on_with_members(self) -> None:
        """The newest members are committed: a joint group becomes the new one, and a leader that is
        not of it leaves, to whoever has most of the log.
        """
        replica = self._replica
        current = replica.members.current
        if current.old_voters:
            self._change(GroupMembers(current.voters, (), current.learners))
        elif replica.node_id not in current.voters and not self.is_over:
            self.is_over = True
            followers = self.replication.followers
            successor = max(
                sorted(all_voters(current)), key=lambda node_id: followers[node_id].match_index
            )
            self.replication.heartbeat()
            replica.send(successor, TakeOver(replica.node_id, replica.term))
