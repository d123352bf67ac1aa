"""A group of one in the simulated world: raft, its storage and the journal, with power cuts at any
moment.

Checked in the loop: a committed entry is on stable disk at that moment (R6), and is never lost or
changed (R4); terms never fall, and no term has two votes, across restarts (R5); the commit index
never falls (R7); all that a client was told is there after every restart (C1).
"""

from __future__ import annotations

import os
from functools import partial

import pytest
from tests.sim.disk import SimDisk
from tests.sim.world import World

from grevy.journal import FlushHandle, Journal, JournalEntry, JournalOptions
from grevy.raft import RaftConfig, RaftStorage

SEED = int(os.environ.get("GREVY_SEED", "1"))
SEEDS = 300 if os.environ.get("GREVY_FLIPS") == "all" else 40
OPTIONS = JournalOptions(segment_bytes=4096)
RUN_US = 50_000


class Replica:
    """The shell around one replica: what a broker does with threads and sockets, in virtual
    time.
    """

    def __init__(self, world: World, disk: SimDisk, told: dict[int, JournalEntry]) -> None:
        self.world = world
        self.disk = disk
        self.told = told
        """Committed entries that clients know of; they outlive every crash."""
        self.is_dead = False
        self._flight: FlushHandle | None = None
        self._commit_index = 0
        self._flush_us = world.rng.choice((50, 500, 5_000))
        self._journal = Journal.open(disk, 1, OPTIONS)
        self._storage = RaftStorage.open(disk, self._journal, 1)
        self.hard_state = self._storage.hard_state
        self._node = self._storage.make_node(RaftConfig(1, (1,)), world.entropy)
        self._check_told(self._journal)
        self._node.campaign()
        self._turn()

    def _check_told(self, journal: Journal) -> None:
        found = journal.read(1, 1 << 30)
        assert {entry.index: entry for entry in found}.items() >= self.told.items()

    def _turn(self) -> None:
        """One turn of the loop: clients come, what is ready is done, the next turn is scheduled."""
        if self.is_dead:
            return
        if self._node.leader:
            for _ in range(self.world.rng.randrange(4)):
                self._node.propose(self.world.entropy.random_bytes(self.world.rng.randrange(400)))
        self._handle_ready()
        if self._flight is None and self._journal.last_index > self._journal.last_flushed_index:
            self._flight = self._journal.flush_handle()
            self.world.after(self.world.rng.randrange(self._flush_us), self._flushed)
        self.world.after(self.world.rng.randrange(1, 1_000), self._turn)

    def _handle_ready(self) -> None:
        while (ready := self._node.ready()) is not None:
            before = self._storage.hard_state
            self._storage.write(ready)
            self._node.advance(ready)
            after = self._storage.hard_state
            assert after.term > before.term or after == before, "two votes in one term"
            self._commit(ready.committed_index)

    def _flushed(self) -> None:
        handle = self._flight
        if self.is_dead or handle is None:
            return
        handle.sync()
        self._journal.flushed(handle)
        self._flight = None
        self._node.persisted(handle.index, handle.term)
        self.world.note(f"flushed {handle.index}")
        self._handle_ready()

    def _commit(self, index: int) -> None:
        """Tell the clients; what they are told is read from what a power cut would leave."""
        assert index >= self._commit_index
        if index == self._commit_index:
            return
        self._commit_index = index
        stable = Journal.open(self.disk.crash(self.world.rng, 0.0), 1, OPTIONS)
        self._check_told(stable)
        assert stable.last_index >= index
        committed = [entry for entry in stable.read(1, 1 << 30) if entry.index <= index]
        self.told.update({entry.index: entry for entry in committed})
        self.world.note(f"committed {index}")


def run(seed: int) -> tuple[str, int]:
    """One run with power cuts; its trace hash and how much was committed."""
    world = World(seed)
    told: dict[int, JournalEntry] = {}
    replica = Replica(world, SimDisk(), told)
    terms = [replica.hard_state.term]
    mean_us = world.rng.choice((2_000, 10_000, 40_000))

    def cut_power(victim: Replica) -> None:
        victim.is_dead = True
        survivor = Replica(world, victim.disk.crash(world.rng), told)
        assert survivor.hard_state.term >= terms[-1], "a term was forgotten"
        terms.append(survivor.hard_state.term)
        world.note(f"restarted in term {terms[-1]}")
        world.after(world.rng.randrange(mean_us), partial(cut_power, survivor))

    world.after(world.rng.randrange(mean_us), partial(cut_power, replica))
    world.run(RUN_US)
    return world.trace_hash, len(told)


@pytest.mark.parametrize("seed", range(SEED * 1_000, SEED * 1_000 + SEEDS))
def test_what_is_committed_survives(seed: int) -> None:
    _, committed = run(seed)
    assert committed > 0


def test_the_run_is_deterministic() -> None:
    assert run(SEED) == run(SEED)
