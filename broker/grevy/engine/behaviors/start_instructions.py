"""Instances that begin somewhere else than at their start event."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.model import Element, Process
from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.behaviors.events import subscribe
from grevy.engine.behaviors.transitions import value_of
from grevy.engine.step import Refused, Step
from grevy.protocol.intents import BpmnElementType, ProcessInstanceIntent, RejectionType
from grevy.protocol.values import ProcessInstanceValue

_NOT_TO_START: Final = frozenset(
    {BpmnElementType.PROCESS, BpmnElementType.START_EVENT, BpmnElementType.BOUNDARY_EVENT}
)


def start_fault(model: Process, element_id: str) -> str:
    """What speaks against a start before an element; "" if nothing does."""
    element = model.elements.get(element_id)
    if element is None:
        return f"it has no element '{element_id}' to start before"
    if element.element_type in _NOT_TO_START:
        return f"the element '{element_id}' is none to start before"
    for flow in element.incoming:
        if flow.source.element_type is BpmnElementType.EVENT_BASED_GATEWAY:
            return f"the event '{element_id}' belongs to the gateway '{flow.source.id}'"
    return ""


def start_before(
    step: Step, root: ProcessInstanceValue, element_ids: tuple[str, ...]
) -> tuple[int, ...]:
    """Activates the scopes of some elements, without their mappings, and queues the elements
    themselves; gives the scopes that a token enters so. Raises `Refused`.
    """
    model = step.models.get(root.process_definition_key)
    scope_keys: dict[str, int] = {}
    _activate_scope(step, Here(root.process_instance_key, root, model.root), scope_keys)
    entered = []
    for element_id in element_ids:
        element = model.elements[element_id]
        scope_key = _scope_of(step, root, element, scope_keys)
        value = value_of(root, element, scope_key)
        # With a key of its own it needs no token at a joining gateway, and takes none from there.
        step.follow_up(ProcessInstanceIntent.ACTIVATE_ELEMENT, step.next_key(), value)
        if element.element_type is not BpmnElementType.PARALLEL_GATEWAY:
            entered.append(scope_key)
    return tuple(entered)


def _scope_of(
    step: Step, root: ProcessInstanceValue, element: Element, scope_keys: dict[str, int]
) -> int:
    """The instance of the scope of an element, with those around it, from the outermost one."""
    missing: list[Element] = []
    scope = element.scope
    assert scope is not None, f"{element.id} has no scope"
    while scope.id not in scope_keys:
        missing.append(scope)
        assert scope.scope is not None, "the process itself is active"
        scope = scope.scope
    scope_key = scope_keys[scope.id]
    for inner in reversed(missing):
        value = value_of(root, inner, scope_key)
        scope_key = step.next_key()
        _activate_scope(step, Here(scope_key, value, inner), scope_keys)
    return scope_key


def _activate_scope(step: Step, here: Here, scope_keys: dict[str, int]) -> None:
    scope_keys[here.element.id] = here.key
    step.event(ProcessInstanceIntent.ELEMENT_ACTIVATING, here.key, here.value)
    step.event(ProcessInstanceIntent.ELEMENT_ACTIVATED, here.key, here.value)
    try:
        subscribe(step, here)
    except Stuck as stuck:
        reason = (
            f"Expected to start in the scope '{here.element.id}', "
            f"but what it waits for cannot be subscribed to: {stuck.message}"
        )
        raise Refused(RejectionType.INVALID_ARGUMENT, reason) from None
