"""After every step of a journal's life the power may go: what was acknowledged is there again
(`tests/sim/journal_life.py`). `make sim` draws more states than these.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tests.sim.journal_life import JournalLife

SEED = int(os.environ.get("GREVY_SEED", "1"))
SAMPLES = 256 if os.environ.get("GREVY_FLIPS") == "all" else 10
LIFE_STEPS = 50
LIVES = 8
STATES_MIN = 5_000
"""Crash states that all lives together must have tried."""


@pytest.mark.parametrize("number", range(LIVES))
def test_every_crash_state_holds_what_was_acknowledged(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    life = JournalLife(SEED * 1_000 + number, samples=SAMPLES)
    life.live(LIFE_STEPS)
    record_property("crash states", life.states)
    assert life.states * LIVES >= STATES_MIN, life.states


def test_the_same_seed_gives_the_same_life() -> None:
    first, second = JournalLife(SEED), JournalLife(SEED)
    for life in (first, second):
        life.live(10)
    assert first.now.entries == second.now.entries
    assert first.rng.random() == second.rng.random()
