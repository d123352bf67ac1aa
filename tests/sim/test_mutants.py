"""The planted bugs are found, in a number of runs that is bounded. `make mutants` looks for those
too whose runs take seconds.
"""

from __future__ import annotations

from typing import Final

import pytest
from tests.sim.mutants.board import ALL_BUGS, BUGS
from tests.sim.mutants.bug import Bug

SEEDS_MAX: Final = 40
"""Any change of the code under test may change which seeds find a bug: it is looked for again."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_is_found(bug: Bug) -> None:
    assert bug.find(SEEDS_MAX) is not None


@pytest.mark.parametrize("bug", ALL_BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_planted_bug_has_its_place(bug: Bug) -> None:
    """Code moves; those that are not hunted here would be forgotten."""
    with bug.planted():
        pass


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 30
    assert len({bug.name for bug in ALL_BUGS}) == len(ALL_BUGS)
