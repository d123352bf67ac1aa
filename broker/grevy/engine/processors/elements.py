"""Processors of element instances: the engine's own commands that move them on."""

from __future__ import annotations

from typing import Final

from grevy.engine.behaviors import behavior_of
from grevy.engine.behaviors.base import Behavior, Here, Stuck
from grevy.engine.behaviors.incidents import raise_incident
from grevy.engine.step import Command, Step
from grevy.engine.tables import Lifecycle
from grevy.protocol.intents import (
    BpmnElementType,
    ErrorType,
    ProcessInstanceBatchIntent,
    ProcessInstanceIntent,
    RejectionType,
)
from grevy.protocol.limits import ACTIVATIONS_MAX
from grevy.protocol.values import ProcessInstanceBatchValue, ProcessInstanceValue

# Looked up once, see step.py.
_ACTIVATED: Final = Lifecycle.ACTIVATED
_COMPLETING: Final = Lifecycle.COMPLETING
_ELEMENT_ACTIVATING: Final = ProcessInstanceIntent.ELEMENT_ACTIVATING
_ELEMENT_COMPLETING: Final = ProcessInstanceIntent.ELEMENT_COMPLETING
_PARALLEL_GATEWAY: Final = BpmnElementType.PARALLEL_GATEWAY

_TERMINABLE: Final = frozenset({Lifecycle.ACTIVATING, Lifecycle.ACTIVATED, Lifecycle.COMPLETING})


def activate_element(step: Step, command: Command) -> None:
    """Activates an element in its scope, or goes on with one whose incident was resolved."""
    value = _value(command)
    element = command.element or step.element(value)
    key = command.key
    instance = step.views.elements.get(key) if key > 0 else None
    if instance is None:
        if not _may_activate(step, command, value, len(element.incoming)):
            return
        key = key if key > 0 else step.next_key()
        step.event(_ELEMENT_ACTIVATING, key, value)
        step.activations += 1
    elif instance.state is not Lifecycle.ACTIVATING:
        _reject_state(step, command, "activate", instance.state)
        return
    here = Here(key, value, element)
    try:
        if step.activations > ACTIVATIONS_MAX:
            _stop_loop(step, here)
        behavior_of(element).activate(step, here)
    except Stuck as stuck:
        raise_incident(step, here, stuck)


def complete_element(step: Step, command: Command) -> None:
    """Completes an element that is at work, or goes on with one whose incident was resolved."""
    value = _value(command)
    instance = step.views.elements.get(command.key)
    if instance is None:
        _reject_gone(step, command, "complete")
        return
    scope_key = value.flow_scope_key
    if scope_key > 0 and not step.views.elements.is_active_scope(scope_key, value.element_id):
        reason = (
            f"Expected to complete element '{value.element_id}', but its flow scope is not active"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    if instance.children:
        reason = f"Expected to complete element '{value.element_id}', but elements in it are alive"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return  # it completes when they have ended
    if instance.state is _ACTIVATED:
        step.event(_ELEMENT_COMPLETING, command.key, value)
    elif instance.state is not _COMPLETING:
        _reject_state(step, command, "complete", instance.state)
        return
    element = command.element or step.element(value)
    here = Here(command.key, value, element)
    try:
        behavior_of(element).complete(step, here)
    except Stuck as stuck:
        raise_incident(step, here, stuck)


def terminate_element(step: Step, command: Command) -> None:
    """Ends an element without completing it."""
    value = _value(command)
    instance = step.views.elements.get(command.key)
    if instance is None:
        _reject_gone(step, command, "terminate")
        return
    if instance.state not in _TERMINABLE:
        _reject_state(step, command, "terminate", instance.state)
        return
    step.event(ProcessInstanceIntent.ELEMENT_TERMINATING, command.key, value)
    here = Here(command.key, value, step.element(value))
    behavior: Behavior = behavior_of(here.element)
    behavior.terminate(step, here)


def terminate_batch(step: Step, command: Command) -> None:
    """Terminates the children of an element, one after the other, as in Zeebe: what each one leads
    to mixes with what the next one does. One that ends already is left alone.
    """
    value = command.value
    assert isinstance(value, ProcessInstanceBatchValue), value
    parent = value.batch_element_instance_key
    children = step.views.elements.children(parent, 2, after=value.index)
    if not children:
        return
    child = step.views.elements.get(children[0])
    assert child is not None, f"child {children[0]} is not alive"
    if child.state in _TERMINABLE:
        step.follow_up(ProcessInstanceIntent.TERMINATE_ELEMENT, child.key, child.value)
    if len(children) > 1:
        rest = ProcessInstanceBatchValue(
            value.process_instance_key, value.process_definition_key, parent, child.key
        )
        step.follow_up(ProcessInstanceBatchIntent.TERMINATE, step.next_key(), rest)


def _may_activate(step: Step, command: Command, value: ProcessInstanceValue, incoming: int) -> bool:
    """Whether a new element may come to be; else the command is refused, as users see in the
    log.
    """
    scope_key = value.flow_scope_key
    if scope_key > 0 and not step.views.elements.is_active_scope(scope_key, value.element_id):
        reason = (
            f"Expected to activate element '{value.element_id}', but its flow scope is not active"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return False
    is_reached = command.key <= 0  # over a flow; else a client asks for it
    if incoming > 1 and value.bpmn_element_type is _PARALLEL_GATEWAY and is_reached:
        waiting = step.views.elements.tokens_at(scope_key, value.element_id)
        if waiting < incoming:
            reason = (
                f"Expected to activate the parallel gateway '{value.element_id}', "
                f"but only {waiting} of its {incoming} incoming sequence flows were taken"
            )
            step.reject(command, RejectionType.INVALID_STATE, reason)
            return False
    return True


def _stop_loop(step: Step, here: Here) -> None:
    step.activations = 0
    reason = (
        f"Expected the process to wait somewhere, "
        f"but {ACTIVATIONS_MAX} elements were activated in a row: "
        f"it may loop for ever. Resolve the incident to let it go on as long again."
    )
    raise Stuck(ErrorType.UNKNOWN, reason, scope_key=here.key)


def _value(command: Command) -> ProcessInstanceValue:
    value = command.value
    assert isinstance(value, ProcessInstanceValue), value
    return value


def _reject_gone(step: Step, command: Command, verb: str) -> None:
    reason = f"Expected to {verb} the element instance with key {command.key}, but it is not alive"
    step.reject(command, RejectionType.INVALID_STATE, reason)


def _reject_state(step: Step, command: Command, verb: str, state: Lifecycle) -> None:
    reason = (
        f"Expected to {verb} the element instance with key {command.key}, "
        f"but it is {state.name.lower()}"
    )
    step.reject(command, RejectionType.INVALID_STATE, reason)
