"""What a simulated client asked and was told, as an operation of a history (C3): the same that the
clients of real processes write down, so that one model judges both (`tests/chaos/checker.py`).
"""

from __future__ import annotations

from typing import Final

from tests.chaos.effects import mark_of
from tests.chaos.history import Kind, Operation, Outcome

from grevy.protocol.intents import (
    Intent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
)
from grevy.protocol.record import Answer
from grevy.protocol.values import MessageValue, ProcessInstanceCreationValue, Value

_KINDS: Final[dict[Intent, Kind]] = {
    ProcessInstanceCreationIntent.CREATE: Kind.CREATE,
    JobIntent.COMPLETE: Kind.COMPLETE,
    MessageIntent.PUBLISH: Kind.PUBLISH,
    ProcessInstanceIntent.CANCEL: Kind.CANCEL,
}
US_PER_S: Final = 1_000_000


def begun(number: int, intent: Intent, key: int, value: Value, now_us: int) -> Operation | None:
    """What is asked, before anybody knows what comes of it; None for what no rule is about."""
    kind = _KINDS.get(intent)
    if kind is None:
        return None
    subject = str(key)
    if isinstance(value, ProcessInstanceCreationValue):
        subject = mark_of(value.variables)
    elif isinstance(value, MessageValue):
        subject = value.message_id
    return Operation(number, kind, subject, now_us / US_PER_S)


def ended(operation: Operation, answer: Answer, now_us: int) -> Operation:
    """The same, answered; a reason begins as the errors of real clients do."""
    key, outcome, reason = 0, Outcome.OK, ""
    if answer.rejection_type is not None:
        outcome = Outcome.REJECTED
        name = answer.rejection_type.name.title().replace("_", "")
        reason = f"{name}: {answer.rejection_reason}"
    elif isinstance(answer.value, ProcessInstanceCreationValue):
        key = answer.value.process_instance_key
    elif operation.kind is Kind.PUBLISH:
        key = answer.key
    return Operation(
        *(operation.number, operation.kind, operation.subject, operation.begin_s),
        end_s=now_us / US_PER_S,
        outcome=outcome,
        key=key,
        reason=reason,
    )
