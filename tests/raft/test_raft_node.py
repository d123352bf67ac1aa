"""A group of one: it elects itself, and commits what its own disk has, never before."""

from __future__ import annotations

import pytest
from tests.raft.memory_log import MemoryLog

from grevy.raft import HardState, RaftConfig, RawNode, Ready, Role
from grevy.testing.entropy import SeededEntropy


def make_node(state: HardState, log: MemoryLog, voters: tuple[int, ...] = (1,)) -> RawNode:
    """Replica 1 of a group."""
    return RawNode(RaftConfig(1, voters), state, log, entropy=SeededEntropy(0))


def do(node: RawNode) -> list[Ready]:
    """Do all that there is to do; the log is in memory, and nobody is at the other end."""
    done: list[Ready] = []
    while (ready := node.ready()) is not None:
        node.advance(ready)
        done.append(ready)
    return done


def make_leader(last_index: int = 0, last_term: int = 0, term: int = 0) -> RawNode:
    """A node that has won its election, its first entry not yet given out."""
    node = make_node(HardState(term, 0), MemoryLog(*[last_term] * last_index))
    node.campaign()
    ready = node.ready()
    assert ready is not None
    assert ready.hard_state == HardState(term + 1, 1)
    assert node.role is Role.CANDIDATE, "a vote counts when it is durable"
    node.advance(ready)
    return node


def test_the_vote_is_durable_before_the_lead() -> None:
    node = make_leader()
    assert node.role is Role.LEADER
    assert node.term == 1


def test_nothing_is_committed_before_it_is_on_disk() -> None:
    node = make_leader()
    index = node.propose(b"x")
    (ready,) = do(node)
    assert [entry.payload for entry in ready.entries] == [b"", b"x"]
    assert node.commit_index == 0
    node.persisted(index, node.term)
    assert node.commit_index == index
    (committed,) = do(node)
    assert committed.committed_index == index


def test_flushes_and_proposals_overlap() -> None:
    node = make_leader()
    first = node.propose(b"a")
    assert do(node)
    second = node.propose(b"b")
    (ready,) = do(node)
    assert [entry.index for entry in ready.entries] == [second]
    node.persisted(first, node.term)
    assert node.commit_index == first


def test_entries_of_older_terms_commit_with_the_first_of_the_new_one() -> None:
    node = make_leader(last_index=5, last_term=3, term=3)
    assert do(node)
    node.persisted(5, 3)
    assert node.commit_index == 0, "an old entry is not committed by being counted"
    assert not node.is_settled
    node.persisted(6, 4)
    assert node.commit_index == 6
    assert node.is_settled


def test_followers_propose_nothing() -> None:
    node = make_node(HardState(), MemoryLog())
    with pytest.raises(AssertionError, match="follower"):
        node.propose(b"x")
