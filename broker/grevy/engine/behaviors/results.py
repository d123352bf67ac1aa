"""Clients that await the result of an instance."""

from __future__ import annotations

from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.variables import result_document
from grevy.engine.step import Step
from grevy.protocol.intents import (
    ProcessInstanceCreationIntent,
    ProcessInstanceResultIntent,
    RejectionType,
)
from grevy.protocol.record import Answer
from grevy.protocol.values import ProcessInstanceResultValue


def answer_awaited(step: Step, here: Here) -> None:
    """The instance completes: who waits gets its variables."""
    awaited = step.awaited(here.key)
    if awaited is None:
        return
    value = ProcessInstanceResultValue(
        bpmn_process_id=here.value.bpmn_process_id,
        version=here.value.version,
        process_definition_key=here.value.process_definition_key,
        process_instance_key=here.key,
        variables=result_document(step, here.key, awaited.fetch_variables),
    )
    answer = Answer(int(ProcessInstanceResultIntent.COMPLETED), here.key, value)
    step.reply(awaited.request, answer)


def reject_awaited(step: Step, here: Here) -> None:
    """The instance was terminated: who waits is told that there is no result."""
    awaited = step.awaited(here.key)
    if awaited is not None:
        intent = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
        reason = (
            f"Expected to get the result of process instance {here.key}, "
            "but it was terminated before it completed"
        )
        answer = Answer(int(intent), here.key, None, RejectionType.INVALID_STATE, reason)
        step.reply(awaited.request, answer)
