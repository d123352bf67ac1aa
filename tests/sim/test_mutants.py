"""The planted bugs are found by the seeds that are known to find them, which find nothing without
them. `make mutants` looks for all of them anew.
"""

from __future__ import annotations

import pytest
from tests.sim.mutants.board import BUGS
from tests.sim.mutants.bug import Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug) -> None:
    with bug.planted():
        assert any(bug.hunt(seed) for seed in bug.seeds)


def test_the_seeds_find_nothing_else() -> None:
    for seed in sorted({seed for bug in BUGS for seed in bug.seeds}):
        hunts = {bug.hunt for bug in BUGS if seed in bug.seeds}
        assert [hunt(seed) for hunt in hunts] == [""] * len(hunts), f"seed {seed}"


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 30
    assert len({bug.name for bug in BUGS}) == len(BUGS)
