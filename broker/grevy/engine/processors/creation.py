"""Processors that create and cancel process instances."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from grevy.engine.behaviors.documents import BadDocument, split, variables_of
from grevy.engine.behaviors.process_starts import root_value
from grevy.engine.behaviors.start_instructions import start_before, start_fault
from grevy.engine.behaviors.variables import set_local
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RejectionType,
)
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    ProcessInstanceCreationValue,
    ProcessValue,
)

# Looked up once, see step.py.
_CREATED: Final = ProcessInstanceCreationIntent.CREATED
_CREATE_WITH_AWAITING_RESULT: Final = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
_ACTIVATE_ELEMENT: Final = ProcessInstanceIntent.ACTIVATE_ELEMENT


def create_instance(step: Step, command: Command) -> None:
    """Creates a process instance at its none start event, or before the elements that are asked
    for.
    """
    value = command.value
    assert isinstance(value, ProcessInstanceCreationValue), value
    process = _find(step, command, value)
    if process is None:
        return
    try:
        document = variables_of(step, command)
    except BadDocument as error:
        reason = (
            f"Expected to create an instance of process '{process.bpmn_process_id}', but {error}"
        )
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    key = step.next_key()
    root = root_value(process, key)
    set_local(step, key, root, split(document))
    scopes: tuple[int, ...] = ()
    if value.start_instructions:
        scopes = start_before(step, root, value.start_instructions)
    else:
        step.follow_up(_ACTIVATE_ELEMENT, key, root)
    created = ProcessInstanceCreationValue(
        bpmn_process_id=process.bpmn_process_id,
        process_definition_key=process.process_definition_key,
        version=process.version,
        process_instance_key=key,
        variables=document,
        start_instructions=value.start_instructions,
        start_scopes=scopes,
    )
    creation = step.next_key()
    step.event(_CREATED, creation, created)
    if command.intent is _CREATE_WITH_AWAITING_RESULT:
        step.await_result(key, value.fetch_variables)
    else:
        answer = replace(created, variables=EMPTY_DOCUMENT, start_scopes=())
        step.answer(ProcessInstanceCreationIntent.CREATED, creation, answer)


def cancel_instance(step: Step, command: Command) -> None:
    """Terminates a process instance; the client is answered as soon as that begins."""
    instance = step.views.elements.get(command.key)
    if instance is None or instance.value.flow_scope_key > 0:
        reason = (
            f"Expected to cancel the process instance with key {command.key}, "
            "but no such process was found"
        )
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    step.follow_up(ProcessInstanceIntent.TERMINATE_ELEMENT, command.key, instance.value)
    step.answer(ProcessInstanceIntent.ELEMENT_TERMINATING, command.key, instance.value)


def _find(step: Step, command: Command, value: ProcessInstanceCreationValue) -> ProcessValue | None:
    processes = step.views.processes
    if value.bpmn_process_id:
        process = processes.find(value.bpmn_process_id, value.version)
        version = "" if value.version < 0 else f" and version {value.version}"
        what = f"with the BPMN process id '{value.bpmn_process_id}'{version}"
    elif value.process_definition_key >= 0:
        process = processes.get(value.process_definition_key)
        if processes.is_retired(value.process_definition_key):
            process = None
        what = f"with the key {value.process_definition_key}"
    else:
        reason = "Expected a BPMN process id or a process definition key, but neither is given"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return None
    if process is None:
        reason = f"Expected to find a process definition {what}, but there is none"
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return None
    model = step.models.get(process.process_definition_key)
    for element_id in value.start_instructions:
        fault = start_fault(model, element_id)
        if fault:
            reason = f"Expected to create an instance of the process {what}, but {fault}"
            step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
            return None
    if not value.start_instructions and model.root.none_start_event is None:
        reason = (
            f"Expected to create an instance of the process {what}, but it has no none start event"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return None
    return process
