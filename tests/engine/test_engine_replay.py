"""Random processes on random paths: what must hold of every log that the engine writes.

Each failure prints the process and the steps that led there, and the line that repeats it.
`GREVY_WALKS` asks for more paths.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.engine.models import one_task
from tests.engine.randomly import processes
from tests.engine.walk import LASTING, STEPS_MAX, Action, Replica, Walk

from grevy.protocol.codec import decode_entry, encode_entry
from grevy.protocol.intents import (
    IncidentIntent,
    JobIntent,
    ProcessInstanceIntent,
    RecordType,
    TimerIntent,
    VariableIntent,
)
from grevy.state import MemoryBackend, State
from grevy.testing import InProcessEngine

WALKS = int(os.environ.get("GREVY_WALKS", "60"))

random_walks = settings(
    max_examples=WALKS,
    deadline=None,
    print_blob=True,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BORN = (
    ProcessInstanceIntent.ELEMENT_ACTIVATING,
    ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN,
    VariableIntent.CREATED,
    JobIntent.CREATED,
    TimerIntent.CREATED,
    IncidentIntent.CREATED,
)
"""Events with which a key comes into the world."""


def chosen_by(data: st.DataObject) -> Callable[[list[Action]], Action]:
    """What a walk does next."""
    return lambda actions: data.draw(st.sampled_from(actions))


@random_walks
@given(xml=processes(), data=st.data())
def test_a_replica_has_the_same_state_after_every_step(xml: str, data: st.DataObject) -> None:
    walk = Walk(xml, starts_anywhere=True)
    replica = Replica(walk.engine)
    for _ in range(STEPS_MAX):
        walk.step(chosen_by(data))
        replica.catch_up()
        assert replica.state.hash == walk.engine.state.hash
        assert replica.state.applied_position == walk.engine.state.applied_position


@random_walks
@given(xml=processes(), data=st.data())
def test_ended_instances_leave_nothing_behind(xml: str, data: st.DataObject) -> None:
    backend = MemoryBackend()
    walk = Walk(xml, InProcessEngine(state=State(backend)))
    for _ in range(STEPS_MAX):
        walk.step(chosen_by(data))

    walk.finish()

    assert walk.engine.state.hash  # reading it stores what is committed
    left = Counter(key[0] for key, _ in backend.rows(b"\1"))
    assert left.keys() <= LASTING, f"rows by table: {left}"


@random_walks
@given(xml=processes(), data=st.data())
def test_a_key_is_given_out_once(xml: str, data: st.DataObject) -> None:
    walk = Walk(xml, starts_anywhere=True)
    for _ in range(STEPS_MAX):
        walk.step(chosen_by(data))

    keys = [record.key for record in walk.engine.records.of(*BORN)]
    assert len(keys) == len(set(keys))
    counters = [decode_entry(entry).key_counter for entry in walk.engine.entries]
    assert counters == sorted(counters)


@random_walks
@given(xml=processes(), data=st.data())
def test_an_element_waits_visibly_or_goes_on(xml: str, data: st.DataObject) -> None:
    """Whatever is refused, nothing is stuck: all can be answered, and then it ends."""
    walk = Walk(xml)
    for _ in range(STEPS_MAX):
        walk.step(chosen_by(data))

    walk.finish()

    failures = [r for r in walk.engine.records if r.intent.value_type.name == "ERROR"]
    assert not failures, failures


def test_a_replica_that_lacks_an_event_has_another_state() -> None:
    """The comparison of hashes can fail."""
    engine = InProcessEngine()
    engine.deploy("p.bpmn", one_task())
    replica = Replica(engine)
    replica.catch_up()
    engine.create("p", {"x": 1})
    entry = decode_entry(engine.entries[-1])
    events = [r for r in entry.records if r.intent is not VariableIntent.CREATED]
    engine.entries[-1] = encode_entry(
        type(entry)(
            entry.partition_id,
            entry.timestamp,
            entry.first_position,
            entry.command_position,
            tuple(events),
            entry.replies,
            entry.key_counter,
        )
    )

    replica.catch_up()

    assert replica.state.hash != engine.state.hash


@pytest.mark.parametrize("again", range(2))
def test_the_same_steps_give_the_same_log(again: int) -> None:
    logs = []
    for _ in range(2):
        engine = InProcessEngine()
        engine.deploy("p.bpmn", one_task())
        for number in range(3 + again):
            engine.create("p", {"x": number, "y": [number]})
            engine.complete("work", {"z": number})
        logs.append(engine.entries)
    assert logs[0] == logs[1]
    assert all(r.record_type is not RecordType.COMMAND_REJECTION for r in engine.records)
