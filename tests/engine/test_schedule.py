"""What time brings about, when, and how often it is tried."""

from __future__ import annotations

import pytest
from tests.engine.models import ProcessBuilder, message_ref, timer

from grevy.protocol.intents import (
    IncidentIntent,
    JobIntent,
    MessageIntent,
    RecordType,
    RejectionType,
    TimerIntent,
)
from grevy.testing import InProcessEngine, Rejected

FAILS = '<zeebe:ioMapping><zeebe:output source="=assert(ok, ok)" target="r"/></zeebe:ioMapping>'


def guarded(mappings: str = "") -> str:
    """A task with a timer of ten seconds on its boundary."""
    p = ProcessBuilder("p")
    p.chain(p.start(), p.task("work", mappings=mappings), p.end())
    p.node("boundaryEvent", "late", timer("PT10S"), attachedToRef="work")
    p.chain("late", p.end("missed"))
    return p.xml()


def refused_timers(engine: InProcessEngine) -> int:
    """How often a timer was refused."""
    refusals = [r for r in engine.records if r.record_type is RecordType.COMMAND_REJECTION]
    return sum(record.intent is TimerIntent.TRIGGER for record in refusals)


def test_a_timer_whose_element_is_stuck_is_asked_once(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", guarded(FAILS))
    instance = grevy_engine.create("p")
    grevy_engine.complete("work")
    for _ in range(20):
        grevy_engine.increase_time(11)
    assert refused_timers(grevy_engine) == 1

    grevy_engine.set_variables(instance, {"ok": True})
    (incident,) = grevy_engine.records.of(IncidentIntent.CREATED)
    grevy_engine.resolve_incident(incident.key)

    assert grevy_engine.records.has_completed(instance)
    assert len(grevy_engine.records.of(TimerIntent.CANCELED)) == 1


def test_many_refused_timers_do_not_keep_others_from_firing(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", guarded(FAILS))
    for _ in range(300):
        grevy_engine.create("p")
    for job in grevy_engine.activate_jobs("work", 300):
        grevy_engine.complete(job)
    for _ in range(3):
        grevy_engine.create("p")

    grevy_engine.increase_time(11)

    assert refused_timers(grevy_engine) == 300
    assert len(grevy_engine.records.of(TimerIntent.TRIGGERED)) == 3


@pytest.mark.parametrize(
    ("backoff_ms", "first"),
    [(5_000, JobIntent.RECURRED_AFTER_BACKOFF), (14_000, TimerIntent.TRIGGERED)],
)
def test_after_a_long_pause_what_was_due_first_comes_first(
    grevy_engine: InProcessEngine, backoff_ms: int, first: JobIntent | TimerIntent
) -> None:
    grevy_engine.deploy("p.bpmn", guarded())
    grevy_engine.create("p")
    grevy_engine.fail("work", retries=1, backoff_ms=backoff_ms)

    grevy_engine.increase_time(20, at_once=True)

    happened = grevy_engine.records.of(JobIntent.RECURRED_AFTER_BACKOFF, TimerIntent.TRIGGERED)
    assert happened[0].intent is first


def test_messages_are_found_to_be_expired_once_a_minute(grevy_engine: InProcessEngine) -> None:
    p = ProcessBuilder("p")
    wait = p.node("intermediateCatchEvent", "wait", message_ref(p.message("m", "=k")))
    p.chain(p.start(), wait, p.end())
    grevy_engine.deploy("p.bpmn", p.xml())
    grevy_engine.publish("m", "1", ttl_ms=10_000, message_id="only once")
    grevy_engine.increase_time(20)
    assert not grevy_engine.records.of(MessageIntent.EXPIRED)
    with pytest.raises(Rejected) as refused:
        grevy_engine.publish("m", "1", ttl_ms=10_000, message_id="only once")
    assert refused.value.rejection_type is RejectionType.ALREADY_EXISTS
    instance = grevy_engine.create("p", {"k": "1"})  # too late for the message

    grevy_engine.increase_time(41)

    assert len(grevy_engine.records.of(MessageIntent.EXPIRED)) == 1
    assert not grevy_engine.records.has_completed(instance)
    grevy_engine.publish("m", "1", ttl_ms=10_000, message_id="only once")
    assert grevy_engine.records.has_completed(instance)
