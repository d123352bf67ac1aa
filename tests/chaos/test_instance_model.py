"""The model of a process instance against what engines do, and what they never do."""

from __future__ import annotations

import pytest
from tests.chaos.history import MARK
from tests.chaos.instance_model import missteps
from tests.chaos.model import ORDER

from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    BpmnElementType,
    Intent,
    JobBatchIntent,
    JobIntent,
    ProcessInstanceIntent,
    RecordType,
    VariableDocumentIntent,
    VariableIntent,
)
from grevy.protocol.keys import key_of
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    JobBatchValue,
    JobValue,
    ProcessInstanceValue,
    Value,
    VariableDocumentValue,
    VariableValue,
)
from grevy.testing.engine import InProcessEngine

INSTANCE = key_of(1, 1)
TASK, JOB = key_of(1, 2), key_of(1, 3)
_Pi = ProcessInstanceIntent


def element(intent: Intent, key: int = INSTANCE, kind: str = "PROCESS") -> Record:
    """An event of an element instance."""
    value = ProcessInstanceValue(
        process_instance_key=INSTANCE,
        element_id=kind.lower(),
        bpmn_element_type=BpmnElementType[kind],
    )
    return Record(RecordType.EVENT, intent, key, value)


def task(intent: Intent) -> Record:
    """An event of the one task."""
    return element(intent, TASK, "SERVICE_TASK")


def event(intent: Intent, key: int, value: Value) -> Record:
    """Any event."""
    return Record(RecordType.EVENT, intent, key, value)


def job(intent: Intent) -> Record:
    """An event of the one job."""
    return event(intent, JOB, JobValue(process_instance_key=INSTANCE))


def taken() -> Record:
    """A worker has the job."""
    return event(JobBatchIntent.ACTIVATED, key_of(1, 9), JobBatchValue(job_keys=(JOB,)))


def variable(intent: Intent, name: str = "x", value: bytes = b"1") -> Record:
    """An event of a variable of the instance."""
    told = VariableValue(name=name, value=value, scope_key=INSTANCE, process_instance_key=INSTANCE)
    return event(intent, key_of(1, 5), told)


def wrong(*records: Record, partition_id: int = 1) -> list[str]:
    """What the model says of a log of these."""
    return [step.what for step in missteps([Entry(partition_id, 0, 1, 1, records)])]


BEGUN = (element(_Pi.ELEMENT_ACTIVATING), element(_Pi.ELEMENT_ACTIVATED))
ENDED = (element(_Pi.ELEMENT_COMPLETING), element(_Pi.ELEMENT_COMPLETED))


def test_what_an_engine_does() -> None:
    engine = InProcessEngine()
    engine.deploy("order.bpmn", ORDER)
    first = engine.create("order", {"key": "1"})
    second = engine.create("order", {"key": "2"})
    engine.set_variables(first, {"more": 1})
    for key in (first, second):
        engine.set_variables(key, {MARK: f"s-{key}"})
    engine.activate_jobs("work")
    engine.increase_time(3_600)  # both are timed out
    (job_of_first, _) = engine.activate_jobs("work")
    engine.fail(job_of_first, retries=1)
    engine.complete("work", {"more": 2})
    engine.publish("paid", "1", ttl_ms=1_000)
    engine.cancel(second)

    assert missteps(map(decode_entry, engine.entries)) == []


def test_a_whole_life() -> None:
    assert wrong(
        *BEGUN,
        task(_Pi.ELEMENT_ACTIVATING),
        job(JobIntent.CREATED),
        task(_Pi.ELEMENT_ACTIVATED),
        variable(VariableIntent.CREATED),
        variable(VariableIntent.UPDATED),
        taken(),
        job(JobIntent.TIMED_OUT),
        taken(),
        job(JobIntent.COMPLETED),
        task(_Pi.ELEMENT_COMPLETING),
        task(_Pi.ELEMENT_COMPLETED),
        *ENDED,
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ((*BEGUN, *BEGUN), "after ELEMENT_ACTIVATED"),
        ((element(_Pi.ELEMENT_ACTIVATED),), "after nothing"),
        ((*BEGUN, element(_Pi.ELEMENT_COMPLETED)), "after ELEMENT_ACTIVATED"),
        ((*BEGUN, *ENDED, element(_Pi.ELEMENT_TERMINATING)), "has ended"),
        ((*BEGUN, *ENDED, task(_Pi.ELEMENT_ACTIVATING)), "has ended"),
        ((*BEGUN, *ENDED, job(JobIntent.CREATED)), "has ended"),
        ((*BEGUN, *ENDED, variable(VariableIntent.CREATED)), "has ended"),
        ((*BEGUN, job(JobIntent.CREATED), job(JobIntent.CREATED)), "it is there already"),
        ((*BEGUN, job(JobIntent.COMPLETED)), "it is not there"),
        ((*BEGUN, taken()), "it is not there"),
        ((*BEGUN, job(JobIntent.CREATED), taken(), taken()), "it is with a worker"),
        (
            (*BEGUN, job(JobIntent.CREATED), job(JobIntent.COMPLETED), job(JobIntent.COMPLETED)),
            "it is gone",
        ),
        ((*BEGUN, job(JobIntent.CREATED), job(JobIntent.CANCELED), taken()), "it is gone"),
        ((*BEGUN, variable(VariableIntent.UPDATED)), "it is not there"),
        (
            (*BEGUN, variable(VariableIntent.CREATED), variable(VariableIntent.CREATED)),
            "it is there already",
        ),
    ],
)
def test_what_never_happens(records: tuple[Record, ...], what: str) -> None:
    (first, *_) = wrong(*records)

    assert what in first


def test_an_instance_of_another_partition() -> None:
    assert "of another partition" in wrong(*BEGUN, partition_id=2)[0]


def test_a_change_of_variables_that_changed_nothing() -> None:
    document = VariableDocumentValue(scope_key=INSTANCE, variables=b'{"request":"s-1"}')
    updated = event(VariableDocumentIntent.UPDATED, key_of(1, 8), document)

    assert wrong(*BEGUN, variable(VariableIntent.CREATED, MARK, b'"s-1"'), updated) == []
    assert wrong(*BEGUN, updated) == ["VARIABLE_DOCUMENT.UPDATED, s-1: no variable has that value"]
