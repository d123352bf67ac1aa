"""The DMN TCK and feel-scala's own tests, against the list of known failures."""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

import pytest


class Outcome(Protocol):
    """What the runner says of a case."""

    case: str
    problem: str
    is_required: bool


Outcomes = list[Outcome]


@pytest.fixture(scope="module")
def outcomes(conformance: ModuleType) -> Outcomes:
    found: Outcomes = conformance.run_all()
    return found


def test_what_zeebe_passes_passes(outcomes: Outcomes) -> None:
    failed = [outcome for outcome in outcomes if outcome.is_required and outcome.problem]
    listed_anyway = {"feel-scala:156", "feel-scala:165", "feel-scala:630"}
    assert [outcome for outcome in failed if outcome.case not in listed_anyway] == []


def test_what_fails_is_listed(outcomes: Outcomes, conformance: ModuleType) -> None:
    listed = conformance.known_failures()
    unlisted = [outcome for outcome in outcomes if outcome.problem and outcome.case not in listed]
    assert unlisted == []


def test_what_passes_is_not_listed(outcomes: Outcomes, conformance: ModuleType) -> None:
    passed = {outcome.case for outcome in outcomes if not outcome.problem}
    assert passed & set(conformance.known_failures()) == set()


def test_all_cases_are_there(outcomes: Outcomes) -> None:
    assert len(outcomes) == 1_569 + 905
