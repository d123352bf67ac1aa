"""Whatever an embedder does in whatever order, within the contract: the promises of the core."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.raft.memory_log import MemoryLog

from grevy.journal import JournalEntry
from grevy.raft import HardState, RaftConfig, RawNode, Ready, Role
from grevy.testing.entropy import SeededEntropy

DOINGS = ("campaign", "propose", "ready", "advance", "flush", "told", "crash")


class Embedder:
    """Does what it is told to, and checks what the core gives out."""

    def __init__(self) -> None:
        self.hard_state = HardState()
        self._log = MemoryLog()
        self.written: list[JournalEntry] = self._log.entries
        self.flushed = 0
        self._committed: list[JournalEntry] = []
        self._votes: dict[int, int] = {}
        self._proposals = 0
        self._start()

    def _start(self) -> None:
        self.node = RawNode(
            RaftConfig(1, (1,)), self.hard_state, self._log, entropy=SeededEntropy(0)
        )
        self._given: Ready | None = None
        assert self.node.term == self.hard_state.term
        assert self.node.role is Role.FOLLOWER

    def campaign(self) -> None:
        """Stand for election, unless it leads or waits for its vote to be durable."""
        if self.node.role is not Role.LEADER and self._given is None:
            term = self.node.term
            self.node.campaign()
            assert self.node.term == term + 1

    def propose(self) -> None:
        """An entry, if it leads."""
        if self.node.role is Role.LEADER and self._given is None:
            self._proposals += 1
            before = self.node.last_index
            assert self.node.propose(b"%d" % self._proposals) == before + 1

    def ready(self) -> None:
        """Take what is to be done and write it: the vote durably, entries after those before."""
        ready = None if self._given is not None else self.node.ready()
        if ready is None:
            return
        self._given = ready
        if ready.hard_state is not None:
            state = ready.hard_state
            assert state.term > self.hard_state.term or state == self.hard_state
            assert self._votes.setdefault(state.term, state.vote) == state.vote
            self.hard_state = state
        for entry in ready.entries:
            assert entry.index == len(self.written) + 1, "in order, none twice, none left out"
            assert entry.term == self.hard_state.term, "no entry before its term is durable"
            self.written.append(entry)
        self._commit(ready.committed_index)

    def advance(self) -> None:
        """The vote counts."""
        if self._given is not None:
            self.node.advance(self._given)
            self._given = None
            assert self.node.role is Role.LEADER or not self.hard_state.vote

    def flush(self) -> None:
        """What is written is on the disk; the core does not know yet."""
        self.flushed = len(self.written)

    def told(self) -> None:
        """Now it does, perhaps not for the first time."""
        if self.flushed and self._given is None:
            self.node.persisted(self.flushed, self.written[self.flushed - 1].term)

    def crash(self) -> None:
        """The power goes: what was not flushed is lost."""
        del self.written[self.flushed :]
        assert self.written[: len(self._committed)] == self._committed, (
            "something committed is lost"
        )
        self._start()

    def check(self) -> None:
        """What holds at every moment."""
        assert self.node.commit_index <= self.flushed
        assert self.node.last_index >= len(self.written)
        if self.node.role is Role.LEADER:
            assert self._votes[self.node.term] == 1, "it leads by a durable vote"
        if self.node.commit_index:
            entry = self.written[self.node.commit_index - 1]
            assert entry.term == self.node.term, "committed by counting an older entry"

    def _commit(self, index: int) -> None:
        if index:
            assert index <= self.flushed
            assert self.written[: len(self._committed)] == self._committed
            self._committed = max(self._committed, self.written[:index], key=len)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(DOINGS), min_size=20, max_size=80))
def test_the_promises_of_the_core(doings: list[str]) -> None:
    embedder = Embedder()
    for doing in doings:
        act: Callable[[], None] = getattr(embedder, doing)
        act()
        embedder.check()


@given(st.lists(st.sampled_from(DOINGS), max_size=30))
def test_everything_commits_in_the_end(doings: list[str]) -> None:
    embedder = Embedder()
    for doing in doings:
        getattr(embedder, doing)()
    embedder.advance()
    turn = ("ready", "advance")
    for doing in ("campaign", *turn, *turn, "flush", "told", "ready"):
        getattr(embedder, doing)()
    assert embedder.node.is_settled
    assert embedder.node.commit_index == embedder.node.last_index == len(embedder.written)
