"""What counts ticks and bytes: who stands first, how much is on its way."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.raft.memory_log import MemoryLog

from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    Heartbeat,
    HeartbeatResponse,
    RaftMessage,
    VoteRequest,
    VoteResponse,
)
from grevy.raft import HardState, RaftConfig, RawNode, Role
from grevy.testing.entropy import SeededEntropy

VOTERS = (1, 2, 3)


class Replica:
    """A node over a log in memory, which is flushed at once unless told otherwise."""

    def __init__(self, config: RaftConfig, *terms: int, seed: int = 0) -> None:
        self.log = MemoryLog(*terms)
        self.node = RawNode(
            config, HardState(max(terms, default=0)), self.log, entropy=SeededEntropy(seed)
        )

    def do(self, *, flush: bool = True) -> list[RaftMessage]:
        """All that there is to do; what is sent, in order."""
        sent: list[RaftMessage] = []
        while (ready := self.node.ready()) is not None:
            self.log.write(ready)
            self.node.advance(ready)
            sent += [envelope.message for envelope in ready.messages]
            if flush and ready.entries:
                self.node.persisted(self.log.last_index, self.log.term_at(self.log.last_index))
        return sent

    def lead(self) -> None:
        """Is elected by replica 2, which has the log."""
        self.node.campaign()
        self.do()
        term = self.node.term + 1
        self.node.step(VoteResponse(2, term, True, is_pre_vote=True))
        self.do()
        self.node.step(VoteResponse(2, term, True))
        self.do()
        assert self.node.role is Role.LEADER
        self.accept(2)

    def accept(self, follower: int, index: int | None = None) -> list[RaftMessage]:
        """A follower has everything, or the log up to an index."""
        match_index = self.log.last_index if index is None else index
        self.node.step(AppendResponse(follower, self.node.term, match_index, 1))
        return self.do()


def wait_of(priority: int, seed: int) -> int:
    """Ticks until a replica that hears nothing stands."""
    config = RaftConfig(1, VOTERS, priority=priority, priority_max=3)
    replica = Replica(config, seed=seed)
    for tick in range(1, 100):
        replica.node.tick()
        if replica.node.role is not Role.FOLLOWER:
            return tick
    raise AssertionError("it never stands")


@pytest.mark.parametrize("seed", range(20))
def test_the_first_in_rank_stands_first(seed: int) -> None:
    waits = [wait_of(priority, seed + priority * 100) for priority in (3, 2, 1)]
    assert waits == sorted(waits)
    assert 10 <= waits[0] < 15 <= waits[1] < 20 <= waits[2] < 25


def test_chance_parts_those_of_one_rank() -> None:
    waits = {wait_of(3, seed) for seed in range(40)}
    assert waits == {10, 11, 12, 13, 14}


def follower(priority: int = 3, seed: int = 0) -> Replica:
    """Replica 1, which follows 3 in term 1."""
    config = RaftConfig(1, VOTERS, priority=priority, priority_max=3)
    replica = Replica(config, 1, seed=seed)
    replica.node.step(Heartbeat(3, 1, 0, 1))
    replica.do()
    assert replica.node.leader == 3
    return replica


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("priority", "least", "most"), [(3, 1, 4), (2, 5, 9), (1, 10, 14)])
def test_who_doubts_its_leader_waits_for_rank_and_chance_only(
    priority: int, least: int, most: int, seed: int
) -> None:
    replica = follower(priority, seed)
    replica.node.doubt_leader()
    assert replica.node.role is Role.FOLLOWER, "it does not stand at once"
    ticks = 0
    while replica.node.role is Role.FOLLOWER:
        replica.node.tick()
        ticks += 1
    assert least <= ticks <= most


def is_granted(replica: Replica) -> bool:
    """Whether it would vote for replica 2, which has no more of the log."""
    replica.node.step(VoteRequest(2, 2, 1, 1, is_pre_vote=True))
    return any(isinstance(each, VoteResponse) and each.is_granted for each in replica.do())


def test_a_doubted_leader_keeps_nobody_from_a_vote_until_it_is_heard() -> None:
    replica = follower()
    assert not is_granted(replica), "the leader is there"
    replica.node.doubt_leader()
    assert replica.node.leader == 3
    assert is_granted(replica)
    replica.node.step(Heartbeat(3, 1, 0, 2))
    assert not is_granted(replica)
    for _ in range(9):
        replica.node.tick()
    replica.node.step(Heartbeat(3, 1, 0, 3))
    for _ in range(9):
        replica.node.tick()
    assert replica.node.role is Role.FOLLOWER, "it waits as long as ever"


def test_who_follows_nobody_and_who_leads_doubt_nobody() -> None:
    waits = []
    for has_doubts in (False, True):
        replica = Replica(RaftConfig(1, VOTERS, priority=3, priority_max=3))
        waits.append(0)
        while replica.node.role is Role.FOLLOWER:
            if has_doubts:
                replica.node.doubt_leader()
            replica.node.tick()
            waits[-1] += 1
    assert waits[0] == waits[1]
    leader = Replica(RaftConfig(1, VOTERS))
    leader.lead()
    leader.node.doubt_leader()
    assert leader.node.role is Role.LEADER


def appends(sent: Iterable[RaftMessage]) -> list[AppendRequest]:
    """Those messages that have entries."""
    return [item for item in sent if isinstance(item, AppendRequest) and item.entries]


def test_messages_on_their_way_are_bounded() -> None:
    replica = Replica(RaftConfig(1, (1, 2), inflight_messages_max=2))
    replica.lead()
    for number in range(5):
        replica.node.propose(b"%d" % number)
        sent = appends(replica.do())
        assert len(sent) == (1 if number < 2 else 0)
    (rest,) = appends(replica.accept(2, index=2))
    assert [entry.payload for entry in rest.entries] == [b"2", b"3", b"4"]


def test_bytes_on_their_way_are_bounded() -> None:
    config = RaftConfig(1, (1, 2), append_bytes_max=100, inflight_bytes_max=250)
    replica = Replica(config)
    replica.lead()
    for _ in range(10):
        replica.node.propose(b"x" * 50)
    sent = appends(replica.do())
    assert [len(message.entries) for message in sent] == [2, 2, 2]
    assert len(appends(replica.accept(2, index=5))) == 2, "two are answered"


def test_an_entry_larger_than_a_message_goes_alone() -> None:
    replica = Replica(RaftConfig(1, (1, 2), append_bytes_max=100, inflight_bytes_max=1000))
    replica.lead()
    for size in (10, 300, 10):
        replica.node.propose(b"x" * size)
    assert [len(message.entries) for message in appends(replica.do())] == [1, 1, 1]


def test_old_entries_are_read_from_the_log() -> None:
    replica = Replica(RaftConfig(1, (1, 2), tail_bytes_max=20), *[1] * 5)
    replica.lead()
    for number in range(20):
        replica.node.propose(b"%010d" % number)
        replica.do()
    old = AppendResponse(2, replica.node.term, 3, 1, is_rejected=True, hint_term=1)
    replica.node.step(old)
    assert appends(replica.do()) == [], "an old answer: it has said since that it has more"
    replica.node.step(AppendResponse(2, replica.node.term, 6, 1, is_rejected=True, hint_term=2))
    (sent,) = appends(replica.do())
    assert [entry.index for entry in sent.entries] == list(range(7, 27))


def test_who_is_sent_a_snapshot_goes_on_with_entries_that_are_in_memory() -> None:
    replica = Replica(RaftConfig(1, VOTERS), *[1] * 20)
    replica.lead()
    for _ in range(9):
        replica.node.propose(b"new")
    replica.do()
    replica.log.compact(15)
    replica.node.step(AppendResponse(3, replica.node.term, 5, 1, is_rejected=True, hint_term=1))
    replica.do()
    assert replica.node.statistics()["followers"][3]["state"] == "snapshot"  # type: ignore[index]
    replica.log.compact(27)
    sent = replica.accept(3, 24)
    assert [entry.index for each in appends(sent) for entry in each.entries] == [*range(25, 31)]


def test_a_slow_disk_acknowledges_late_and_not_too_much() -> None:
    replica = Replica(RaftConfig(1, VOTERS))
    entries = tuple(MemoryLog(1, 1, 1).entries)
    replica.node.step(AppendRequest(2, 1, 0, 0, 3, 1, entries))
    assert replica.do(flush=False) == []
    replica.node.step(Heartbeat(2, 1, 3, 2))
    assert replica.do(flush=False) == [HeartbeatResponse(1, 1, 2)]
    assert replica.node.commit_index == 3
    replica.node.persisted(2, 1)
    assert replica.do(flush=False) == [AppendResponse(1, 1, 2, 2)]
    replica.node.persisted(3, 1)
    assert replica.do(flush=False) == [AppendResponse(1, 1, 3, 2)]


def test_a_follower_is_told_what_its_own_disk_has() -> None:
    replica = Replica(RaftConfig(1, VOTERS))
    replica.node.step(AppendRequest(2, 1, 0, 0, 2, 1, tuple(MemoryLog(1, 1).entries)))
    ready = replica.node.ready()
    assert ready is not None
    assert ready.committed_index == 0
    replica.log.write(ready)
    replica.node.advance(ready)
    replica.node.persisted(1, 1)
    ready = replica.node.ready()
    assert ready is not None
    assert ready.committed_index == 1


def test_what_is_committed_is_never_removed() -> None:
    replica = Replica(RaftConfig(1, VOTERS))
    replica.node.step(AppendRequest(2, 1, 0, 0, 2, 1, tuple(MemoryLog(1, 1).entries)))
    replica.do()
    conflict = tuple(MemoryLog(1, 2).entries)
    with pytest.raises(AssertionError, match="entry 2 is committed"):
        replica.node.step(AppendRequest(3, 2, 0, 0, 2, 1, conflict))


def test_no_more_is_committed_than_is_known_to_agree() -> None:
    replica = Replica(RaftConfig(1, VOTERS), 1, 1, 1)
    replica.node.step(AppendRequest(2, 3, 1, 1, 3, 1, tuple(MemoryLog(1, 2).entries[1:])))
    assert replica.node.commit_index == 2
    replica = Replica(RaftConfig(1, VOTERS), 1, 1, 1)
    replica.node.step(AppendRequest(2, 3, 1, 1, 3, 1))
    assert replica.node.commit_index == 1, "the entries after it may be another leader's"


def test_who_restarts_learns_from_heartbeats_what_is_committed() -> None:
    """A heartbeat says no more than what its receiver has acknowledged in this term."""
    replica = Replica(RaftConfig(1, VOTERS), 1, 1, 1)
    replica.node.step(Heartbeat(2, 3, 2, 1))
    assert replica.node.commit_index == 2


def test_two_leaders_in_one_term_are_the_end() -> None:
    replica = Replica(RaftConfig(1, VOTERS))
    replica.node.step(Heartbeat(2, 1, 0, 1))
    with pytest.raises(AssertionError, match="lead in one term"):
        replica.node.step(Heartbeat(3, 1, 0, 1))


def test_a_vote_is_durable_before_it_is_given() -> None:
    replica = Replica(RaftConfig(1, VOTERS))
    replica.node.step(VoteRequest(2, 1, 0, 0))
    ready = replica.node.ready()
    assert ready is not None
    assert ready.hard_state == HardState(1, 2)
    assert [item.message for item in ready.messages] == [VoteResponse(1, 1, True)]


@pytest.mark.parametrize(
    "config",
    [
        RaftConfig(0, (1,)),
        RaftConfig(1, (1, 1)),
        RaftConfig(1, (1,), learners=(1,)),
        RaftConfig(1, tuple(range(1, 9))),
        RaftConfig(1, (1,), heartbeat_ticks=10),
        RaftConfig(1, (1,), priority=2),
        RaftConfig(1, (1,), append_bytes_max=0),
    ],
)
def test_what_cannot_be_run_is_refused(config: RaftConfig) -> None:
    with pytest.raises(ValueError, match="expected"):
        config.validate()
