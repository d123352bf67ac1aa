"""Instances that start before elements of their choice."""

from __future__ import annotations

import pytest
from tests.engine.models import ProcessBuilder, message_ref
from tests.engine.walk import Replica

from grevy.protocol.intents import (
    JobIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    RejectionType,
)
from grevy.testing import InProcessEngine, Rejected


def nested() -> str:
    """A task, then a sub-process with a task in it and a message on its boundary."""
    p = ProcessBuilder("p")
    p.chain(p.start(), p.task("first"), "sub", p.end())
    p.open_scope()
    p.chain(p.start("inner"), p.task("deep"), p.end("done"))
    p.close_scope("sub")
    p.node("boundaryEvent", "stop", message_ref(p.message("m", "=k")), attachedToRef="sub")
    p.chain("stop", p.end("stopped"))
    return p.xml()


@pytest.fixture
def engine() -> InProcessEngine:
    """An engine that has the nested process."""
    engine = InProcessEngine()
    engine.deploy("p.bpmn", nested())
    return engine


def test_scopes_are_entered_without_their_start_events(engine: InProcessEngine) -> None:
    instance = engine.create("p", {"k": "1"}, start_before=["deep"])
    begun = [r.value.element_id for r in engine.records.of(ProcessInstanceIntent.ELEMENT_ACTIVATED)]  # type: ignore[attr-defined]
    assert begun == ["p", "sub", "deep"]
    assert len(engine.records.of(ProcessMessageSubscriptionIntent.CREATED)) == 1

    engine.complete("deep")

    assert engine.records.has_completed(instance)


def test_several_elements_share_their_scopes(engine: InProcessEngine) -> None:
    instance = engine.create("p", {"k": "1"}, start_before=["deep", "first", "done"])
    assert len(engine.records.of(JobIntent.CREATED)) == 2

    engine.complete("deep")
    assert not engine.records.has_completed(instance)
    engine.complete("first")
    engine.complete("deep")

    assert engine.records.has_completed(instance)


@pytest.mark.parametrize("element", ["start", "inner", "stop", "p", "nothing", "", "start-first"])
def test_what_cannot_be_started_before(engine: InProcessEngine, element: str) -> None:
    with pytest.raises(Rejected) as refused:
        engine.create("p", {"k": "1"}, start_before=["first", element])
    assert refused.value.rejection_type is RejectionType.INVALID_ARGUMENT


def test_a_scope_that_cannot_wait_leaves_nothing_behind(engine: InProcessEngine) -> None:
    replica = Replica(engine)
    before = len(engine.records)

    with pytest.raises(Rejected) as refused:
        engine.create("p", start_before=["deep"])  # no correlation key

    assert refused.value.rejection_type is RejectionType.INVALID_ARGUMENT
    written = [record.record_type for record in engine.records[before:]]
    assert written == [RecordType.COMMAND, RecordType.COMMAND_REJECTION]
    replica.catch_up()
    assert replica.state.hash == engine.state.hash


def test_a_joining_gateway_needs_no_tokens_then(engine: InProcessEngine) -> None:
    p = ProcessBuilder("q")
    fork, join = p.node("parallelGateway", "fork"), p.node("parallelGateway", "join")
    p.chain(p.start(), fork, p.task("a"), join, p.task("last"), p.end())
    p.chain(fork, p.task("b"), join)
    engine.deploy("q.bpmn", p.xml())
    instance = engine.create("q", start_before=["join"])

    engine.complete("last")

    assert engine.records.has_completed(instance)
