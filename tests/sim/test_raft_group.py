"""Groups of several replicas: a few runs of the many that `make sim` does.

`GREVY_SEED` begins elsewhere. A seed that fails is repeated by `make sim SEED=n`.
"""

from __future__ import annotations

import os

import pytest
from tests.sim.raft_checker import InvariantBroken, RaftChecker
from tests.sim.raft_group import run_group

from grevy.journal import JournalEntry

SEED = int(os.environ.get("GREVY_SEED", "1"))
SEEDS = 10


@pytest.mark.parametrize("seed", range(SEED, SEED + SEEDS))
def test_what_must_hold_of_a_group_holds(seed: int) -> None:
    report = run_group(seed)
    assert report.committed > 0
    assert report.leaders > 0


def test_a_run_is_decided_by_its_seed() -> None:
    assert run_group(SEED) == run_group(SEED)


def entry(index: int, term: int, payload: bytes = b"x") -> JournalEntry:
    """An entry of a log."""
    return JournalEntry(index, term, payload)


def stable(index: int, term: int) -> bool:
    """A disk that has everything."""
    return index >= 0 and term >= 0


def test_the_checker_knows_two_leaders_of_one_term() -> None:
    checker = RaftChecker()
    checker.leads(1, 2, lambda index: 0)
    with pytest.raises(InvariantBroken, match="R1"):
        checker.leads(2, 2, lambda index: 0)


def test_the_checker_knows_an_entry_that_is_two() -> None:
    checker = RaftChecker()
    checker.appends(1, 0, [entry(1, 1)])
    with pytest.raises(InvariantBroken, match="R2"):
        checker.appends(2, 0, [entry(1, 1, b"y")])


def test_the_checker_knows_a_leader_that_lacks_something() -> None:
    checker = RaftChecker()
    checker.commits(1, 1, [entry(1, 1)], stable)
    with pytest.raises(InvariantBroken, match="R3"):
        checker.leads(2, 2, lambda index: None)


def test_the_checker_knows_a_leader_that_counts_an_older_term() -> None:
    """Figure 8 of Raft: chance hardly ever draws what comes of it."""
    checker = RaftChecker()
    checker.leads(1, 4, lambda index: None)
    with pytest.raises(InvariantBroken, match="R3"):
        checker.commits(1, 4, [entry(1, 2)], stable)


def test_the_checker_knows_a_committed_entry_that_changes() -> None:
    checker = RaftChecker()
    checker.commits(1, 1, [entry(1, 1)], stable)
    with pytest.raises(InvariantBroken, match="R4"):
        checker.commits(2, 2, [entry(1, 2)], stable)


def test_the_checker_knows_two_votes_over_a_restart() -> None:
    checker = RaftChecker()
    checker.promises(1, 3, 2)
    with pytest.raises(InvariantBroken, match="R5"):
        checker.restarts(1, 3, 0, lambda index: None)
    with pytest.raises(InvariantBroken, match="R5"):
        checker.restarts(1, 2, 0, lambda index: None)


def test_the_checker_knows_a_commit_that_a_power_cut_would_undo() -> None:
    checker = RaftChecker()
    with pytest.raises(InvariantBroken, match="R6"):
        checker.commits(1, 1, [entry(1, 1)], lambda index, term: False)


def test_the_checker_knows_a_lost_acknowledgement() -> None:
    checker = RaftChecker()
    checker.persists(1, 5, 1)
    with pytest.raises(InvariantBroken, match="R6"):
        checker.restarts(1, 1, 0, lambda index: None)


def test_the_checker_knows_a_read_that_is_too_old() -> None:
    with pytest.raises(InvariantBroken, match="C2"):
        RaftChecker().reads(1, 4, 5)
