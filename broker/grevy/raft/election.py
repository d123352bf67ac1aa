"""Elections: when to stand, whom to vote for, who has won (thesis, 3.4, 3.10, 4.2.3 and 9.6)."""

from __future__ import annotations

from grevy.protocol.raft_messages import TakeOver, VoteRequest, VoteResponse
from grevy.raft.quorum import all_voters, is_quorum
from grevy.raft.ready import HardState
from grevy.raft.replica import Replica
from grevy.raft.roles import Role


class Election:
    """One replica's part in elections. Its node asks `is_won` after each step."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._votes: dict[int, bool] = {}
        self._quiet_ticks = 0
        self._wait_ticks = 0
        self.restart()

    @property
    def is_won(self) -> bool:
        """Whether a quorum has voted for this candidate, its own vote being durable."""
        replica = self._replica
        return replica.role is Role.CANDIDATE and is_quorum(
            replica.members.current, self._granted()
        )

    @property
    def is_leased(self) -> bool:
        """Whether a leader is there that was heard within the shortest election time-out: then
        nobody else gets a vote, so that whoever was cut off disturbs nobody (thesis, 4.2.3).
        """
        replica = self._replica
        return replica.role is Role.LEADER or (
            replica.leader != 0 and self._quiet_ticks < replica.config.election_ticks
        )

    def restart(self) -> None:
        """Waits anew, for another time."""
        config = self._replica.config
        step = config.election_ticks // 2
        spread = config.election_ticks if config.priority_max == 1 else max(1, step)
        chance = self._replica.entropy.random_u64() % spread
        missing = config.priority_max - config.priority
        self._wait_ticks = config.election_ticks + missing * step + chance
        self._quiet_ticks = 0

    def heard_leader(self) -> None:
        """The leader is there."""
        self._quiet_ticks = 0

    def doubt(self) -> None:
        """The leader's process may have ended: it keeps nobody from a vote, and all that is waited
        for is what rank and chance add. With a word of it all is as before.
        """
        if self._replica.leader != 0:
            self._quiet_ticks = max(self._quiet_ticks, self._replica.config.election_ticks)

    def tick(self) -> None:
        """A tick has passed without a leader's word; after the last to wait for there is no leader,
        and who may lead stands.
        """
        self._quiet_ticks += 1
        if self._quiet_ticks >= self._wait_ticks:
            self._replica.leader = 0
            self.restart()
            self.stand()

    def stand(self, *, is_transfer: bool = False) -> None:
        """Stands for election, unless this replica may not lead. Who was told to take over, or
        votes alone, need not ask before.
        """
        replica = self._replica
        if not replica.may_lead:
            return
        self.restart()
        if is_transfer or is_quorum(replica.members.current, {replica.node_id}):
            self._stand(is_transfer=is_transfer)
            return
        replica.become(Role.PRE_CANDIDATE)
        replica.leader = 0
        self._votes = {replica.node_id: True}
        self._ask(replica.term + 1, is_pre_vote=True)

    def on_hard_state(self) -> None:
        """Term and vote are durable: a candidate's vote for itself counts."""
        replica = self._replica
        if replica.role is Role.CANDIDATE:
            assert replica.hard_state.vote == replica.node_id
            self._votes[replica.node_id] = True

    def on_request(self, message: VoteRequest) -> None:
        """A replica asks for a vote; its term is this replica's, or it is a pre-vote, or it comes
        too late.
        """
        replica = self._replica
        if message.is_pre_vote:
            is_granted = message.term > replica.term and self._is_up_to_date(message)
        else:
            is_granted = (
                message.term == replica.term
                and replica.hard_state.vote in (0, message.sender)
                and replica.leader == 0
                and self._is_up_to_date(message)
            )
            if is_granted and replica.hard_state.vote == 0:
                replica.keep(HardState(replica.term, message.sender))
            if is_granted:
                self._quiet_ticks = 0
        replica.send(
            message.sender,
            VoteResponse(
                replica.node_id,
                message.term if is_granted else replica.term,
                is_granted,
                message.is_pre_vote,
            ),
        )

    def on_response(self, message: VoteResponse) -> None:
        """A replica has voted, in this term, or for the next one."""
        replica = self._replica
        if message.is_pre_vote:
            is_current = not message.is_granted or message.term == replica.term + 1
            if replica.role is not Role.PRE_CANDIDATE or not is_current:
                return
        elif replica.role is not Role.CANDIDATE or message.term != replica.term:
            return
        self._votes.setdefault(message.sender, message.is_granted)
        members = replica.members.current
        if message.is_pre_vote and is_quorum(members, self._granted()):
            self._stand()
        elif self._is_lost():
            replica.become(Role.FOLLOWER)

    def on_take_over(self, message: TakeOver) -> None:
        """The leader wants this replica to lead, at once."""
        if message.sender == self._replica.leader:
            self.stand(is_transfer=True)

    def _stand(self, *, is_transfer: bool = False) -> None:
        replica = self._replica
        replica.become(Role.CANDIDATE)
        replica.leader = 0
        replica.enter_term(replica.term + 1, replica.node_id)
        self._votes = {}
        self._ask(replica.term, is_transfer=is_transfer)

    def _ask(self, term: int, *, is_pre_vote: bool = False, is_transfer: bool = False) -> None:
        replica = self._replica
        log = replica.log
        request = VoteRequest(
            replica.node_id, term, log.last_index, log.last_term, is_pre_vote, is_transfer
        )
        for voter in sorted(all_voters(replica.members.current) - {replica.node_id}):
            replica.send(voter, request)

    def _is_up_to_date(self, message: VoteRequest) -> bool:
        log = self._replica.log
        return (message.last_term, message.last_index) >= (log.last_term, log.last_index)

    def _granted(self) -> set[int]:
        return {voter for voter, is_granted in self._votes.items() if is_granted}

    def _is_lost(self) -> bool:
        refused = {voter for voter, is_granted in self._votes.items() if not is_granted}
        members = self._replica.members.current
        return not is_quorum(members, all_voters(members) - refused)
