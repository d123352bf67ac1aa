"""The DMN TCK and feel-scala's own tests, against the list of known failures."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def outcomes(conformance: ModuleType) -> list:
    return conformance.run_all()


def test_what_zeebe_passes_passes(outcomes: list) -> None:
    failed = [outcome for outcome in outcomes if outcome.is_required and outcome.problem]
    listed_anyway = {"feel-scala:156", "feel-scala:165", "feel-scala:630"}
    assert [outcome for outcome in failed if outcome.case not in listed_anyway] == []


def test_what_fails_is_listed(outcomes: list, conformance: ModuleType) -> None:
    listed = conformance.known_failures()
    unlisted = [outcome for outcome in outcomes if outcome.problem and outcome.case not in listed]
    assert unlisted == []


def test_what_passes_is_not_listed(outcomes: list, conformance: ModuleType) -> None:
    passed = {outcome.case for outcome in outcomes if not outcome.problem}
    assert passed & set(conformance.known_failures()) == set()


def test_all_cases_are_there(outcomes: list) -> None:
    assert len(outcomes) == 1_569 + 905
