"""The life of an element instance: what the table does not have does not happen."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace
from tests.engine.models import one_task

from grevy.engine import Engine
from grevy.engine.lifecycle import TRANSITIONS, check_transition
from grevy.engine.tables import Lifecycle
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import ProcessInstanceIntent
from grevy.state import MemoryBackend, State
from grevy.testing import InProcessEngine

LEGAL = [(current, to) for current, following in TRANSITIONS.items() for to in following]
ILLEGAL = [pair for pair in product(Lifecycle, Lifecycle) if pair not in LEGAL]


@pytest.mark.parametrize(("current", "to"), ILLEGAL)
def test_an_illegal_step_is_refused(current: Lifecycle, to: Lifecycle) -> None:
    with pytest.raises(AssertionError, match="never goes"):
        check_transition(current, to)


@pytest.mark.parametrize(("current", "to"), LEGAL)
def test_a_legal_step_is_taken(current: Lifecycle, to: Lifecycle) -> None:
    check_transition(current, to)


def test_nothing_follows_the_end() -> None:
    assert TRANSITIONS.keys() == set(Lifecycle)
    assert not TRANSITIONS[Lifecycle.COMPLETED] | TRANSITIONS[Lifecycle.TERMINATED]


def test_a_log_with_an_illegal_step_is_not_applied() -> None:
    """An element that completes without completing first.

    The entry stops the replica, and changes nothing.
    """
    engine = InProcessEngine()
    engine.deploy("p.bpmn", one_task())
    engine.create("p")
    engine.complete("work")
    *before, last = [decode_entry(payload) for payload in engine.entries]
    legal = [r for r in last.records if r.intent is not ProcessInstanceIntent.ELEMENT_COMPLETING]
    state = State(MemoryBackend())
    replica = Engine(state, 1)
    for number, entry in enumerate(before, 1):
        state.commit([replica.apply(entry)], number, entry.last_position)
    known = state.hash

    with pytest.raises(AssertionError, match="never goes"):
        replica.apply(replace(last, records=tuple(legal)))

    state.rollback()
    assert state.hash == known
