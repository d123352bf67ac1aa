"""Records as lines for people."""

from __future__ import annotations

import pytest

from grevy.protocol.intents import (
    BpmnElementType,
    DecisionEvaluationIntent,
    DecisionIntent,
    DecisionRequirementsIntent,
    DeploymentIntent,
    ErrorType,
    IncidentIntent,
    Intent,
    JobIntent,
    MessageIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    ResourceDeletionIntent,
    TimerIntent,
    VariableIntent,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.text_form import TEXT_CHARS_MAX, about, entry_lines, words
from grevy.protocol.values import (
    VALUES,
    DecisionEvaluationValue,
    DecisionRequirementsValue,
    DecisionValue,
    DeploymentValue,
    EvaluatedDecision,
    IncidentValue,
    JobValue,
    MessageValue,
    ProcessInstanceValue,
    ProcessValue,
    ResourceDeletionValue,
    TimerValue,
    Value,
    VariableValue,
)

DECISION = DecisionValue("dish", "Dish", 3, 5, "menu", 4)

CASES: list[tuple[Intent, Value, str]] = [
    (
        ProcessInstanceIntent.ELEMENT_ACTIVATED,
        ProcessInstanceValue(element_id="ship", bpmn_element_type=BpmnElementType.SERVICE_TASK),
        "service task ship",
    ),
    (VariableIntent.CREATED, VariableValue("n", b'{"a":1}'), 'n = {"a":1}'),
    (JobIntent.COMPLETED, JobValue("pay", element_id="task"), "pay for task"),
    (
        JobIntent.FAILED,
        JobValue("pay", element_id="task", error_message="no\n  money"),
        "pay for task, no money",
    ),
    (
        IncidentIntent.CREATED,
        IncidentValue(ErrorType.JOB_NO_RETRIES, "no money", element_id="task", job_key=7),
        "task (job 7): job no retries: no money",
    ),
    (MessageIntent.PUBLISHED, MessageValue("paid", "o-1"), "paid for 'o-1'"),
    (MessageIntent.PUBLISHED, MessageValue("paid"), "paid"),
    (DecisionIntent.CREATED, DECISION, "dish version 3"),
    (DeploymentIntent.CREATED, DeploymentValue(decisions_metadata=(DECISION,)), "dish 3"),
    (
        DecisionRequirementsIntent.CREATED,
        DecisionRequirementsValue("menu", "Menu", 2, 4, "ns", "menu.dmn", b"", b""),
        "menu version 2",
    ),
    (
        DecisionEvaluationIntent.EVALUATE,
        DecisionEvaluationValue(decision_id="dish", variables=b'{"guests":3}'),
        'dish, {"guests":3}',
    ),
    (
        DecisionEvaluationIntent.EVALUATED,
        DecisionEvaluationValue(
            decision_id="dish",
            decision_output=b'"stew"',
            evaluated_decisions=(EvaluatedDecision("dish", "Dish", 5, 3, "", b'"stew"'),),
        ),
        'dish = "stew"',
    ),
    (
        DecisionEvaluationIntent.FAILED,
        DecisionEvaluationValue(decision_id="dish", evaluation_failure_message="no season"),
        "dish: no season",
    ),
    (ResourceDeletionIntent.DELETING, ResourceDeletionValue(7), "7"),
]


@pytest.mark.parametrize(("intent", "value", "text"), CASES)
def test_what_a_record_is_about(intent: Intent, value: Value, text: str) -> None:
    assert about(Record(RecordType.EVENT, intent, 1, value)) == text


def test_a_timer_says_when() -> None:
    timer = TimerValue(due_date=1_767_298_305_000, target_element_id="late")
    text = about(Record(RecordType.EVENT, TimerIntent.CREATED, 1, timer))
    assert text.startswith("late, due 2026-01-0")


def test_a_rejection_says_why() -> None:
    kind, intent = RecordType.COMMAND_REJECTION, JobIntent.COMPLETE
    record = Record(kind, intent, 1, JobValue(), RejectionType.NOT_FOUND, "there is no such job")
    assert about(record) == "there is no such job"


def test_long_texts_are_cut() -> None:
    variable = VariableValue("n", b'"' + b"x" * 5_000 + b'"')
    text = about(Record(RecordType.EVENT, VariableIntent.CREATED, 1, variable))
    assert len(text) == TEXT_CHARS_MAX + 1
    assert text.endswith("…")


def test_every_value_has_a_line() -> None:
    without_defaults = (ProcessValue, DecisionValue, DecisionRequirementsValue)
    for kind in VALUES.values():
        if kind not in without_defaults:
            about(Record(RecordType.EVENT, JobIntent.CREATED, 1, kind()))


def test_lines_of_an_entry() -> None:
    records = tuple(
        Record(RecordType.EVENT, VariableIntent.CREATED, key, VariableValue("n", b"1"))
        for key in (5, 6)
    )
    first, second = entry_lines(Entry(1, 1_767_298_305_123, 40, 40, records))
    assert first.split()[0] == "40"
    assert ".123 event     VARIABLE " in first
    assert second.split()[0] == "41"
    assert second.endswith("6 n = 1")
    assert list(entry_lines(Entry(1, 1_767_298_305_123, 40, 40, records), 1)) == [second]


def test_words() -> None:
    assert words("PROCESS_INSTANCE") == "process instance"
