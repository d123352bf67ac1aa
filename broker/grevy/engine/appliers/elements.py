"""Appliers of the lifecycle of element instances."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from grevy.engine.lifecycle import check_transition
from grevy.engine.stores import Stores
from grevy.engine.tables import ElementInstance, Lifecycle
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.protocol.values import ProcessInstanceValue

_WITHOUT_TOKEN: Final = frozenset(
    {BpmnElementType.PROCESS, BpmnElementType.START_EVENT, BpmnElementType.BOUNDARY_EVENT}
)
"""Elements that no token reaches over a sequence flow."""


def apply_sequence_flow_taken(stores: Stores, _key: int, value: ProcessInstanceValue) -> None:
    """A token is on its way; at a joining gateway it waits for the others."""
    stores.elements.count(value.flow_scope_key, active_flows=1)
    if value.joining_gateway_id:
        stores.elements.take_flow(value.flow_scope_key, value.joining_gateway_id, value.element_id)


def apply_element_activating(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """A new element instance; the tokens that led to it are consumed."""
    elements, scope = stores.elements, value.flow_scope_key
    tokens = 0 if value.bpmn_element_type in _WITHOUT_TOKEN else 1
    if value.bpmn_element_type is BpmnElementType.PARALLEL_GATEWAY:
        tokens = elements.consume_flows(scope, value.element_id)
    instance = ElementInstance(key, value, Lifecycle.ACTIVATING)
    if value.bpmn_element_type is BpmnElementType.PROCESS and stores.variables.has_any(key):
        instance = replace(instance, has_variables=True)  # its variables come first
    elements.create(instance, scope)
    if scope > 0:
        elements.count(scope, children=1, active_flows=-tokens)


def apply_element_activated(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element is at work."""
    _move(stores, key, Lifecycle.ACTIVATED)


def apply_element_completing(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element has done its work."""
    _move(stores, key, Lifecycle.COMPLETING)


def apply_element_completed(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """The element is gone; a terminate end event takes its scope's other paths with it."""
    _end(stores, key, value, Lifecycle.COMPLETED)
    scope = value.flow_scope_key
    if value.bpmn_element_type is BpmnElementType.EVENT_BASED_GATEWAY:
        stores.elements.count(scope, active_flows=1)  # to the event that happened; no flow is taken
    elif value.bpmn_event_type is BpmnEventType.TERMINATE:
        instance = stores.elements.get(scope)
        if instance is not None:
            stores.elements.put(replace(instance, is_interrupted=True, active_flows=0))


def apply_element_terminating(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element is to end without completing; nothing moves in it any more."""
    _move(stores, key, Lifecycle.TERMINATING)


def apply_element_terminated(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """The element is gone."""
    _end(stores, key, value, Lifecycle.TERMINATED)


def _move(stores: Stores, key: int, to: Lifecycle) -> None:
    instance = stores.elements.get(key)
    assert instance is not None, f"element instance {key} is not alive"
    check_transition(instance.state, to)
    stores.elements.put(replace(instance, state=to))


def _end(stores: Stores, key: int, value: ProcessInstanceValue, to: Lifecycle) -> None:
    instance = stores.elements.get(key)
    assert instance is not None, f"element instance {key} is not alive"
    check_transition(instance.state, to)
    assert instance.children == 0, f"element instance {key} ends before its children"
    stores.elements.remove(key, value.flow_scope_key)
    if instance.has_variables:
        stores.variables.remove_scope(key)
    if instance.triggers:
        stores.events.remove_scope(key)
    if value.bpmn_element_type is BpmnElementType.PROCESS:
        stores.requests.forget_awaited(key)
        stores.subscriptions.unlock(value.bpmn_process_id, key)
    if value.bpmn_element_type in (BpmnElementType.PROCESS, BpmnElementType.SUB_PROCESS):
        stores.elements.forget_flows(key)
