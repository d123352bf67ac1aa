"""Appliers of the lifecycle of element instances."""

from __future__ import annotations

from typing import Final

from grevy.engine.stores import Stores
from grevy.engine.tables import ElementInstance, Lifecycle
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.protocol.values import ProcessInstanceCreationValue, ProcessInstanceValue

_WITHOUT_TOKEN: Final = frozenset(
    {BpmnElementType.PROCESS, BpmnElementType.START_EVENT, BpmnElementType.BOUNDARY_EVENT}
)
"""Elements that no token reaches over a sequence flow."""

# Looked up once, see step.py.
_ACTIVATING: Final = Lifecycle.ACTIVATING
_ACTIVATED: Final = Lifecycle.ACTIVATED
_COMPLETING: Final = Lifecycle.COMPLETING
_COMPLETED: Final = Lifecycle.COMPLETED
_PROCESS: Final = BpmnElementType.PROCESS
_SUB_PROCESS: Final = BpmnElementType.SUB_PROCESS
_PARALLEL_GATEWAY: Final = BpmnElementType.PARALLEL_GATEWAY
_EVENT_BASED_GATEWAY: Final = BpmnElementType.EVENT_BASED_GATEWAY
_TERMINATE: Final = BpmnEventType.TERMINATE


def apply_instance_created(stores: Stores, _key: int, value: ProcessInstanceCreationValue) -> None:
    """Where start instructions begin a path, a token stands before its first element."""
    for scope in value.start_scopes:
        stores.elements.count(scope, 0, 1)


def apply_sequence_flow_taken(stores: Stores, _key: int, value: ProcessInstanceValue) -> None:
    """A token is on its way; at a joining gateway it waits for the others."""
    stores.elements.count(value.flow_scope_key, 0, 1)
    if value.joining_gateway_id:
        stores.elements.take_flow(value.flow_scope_key, value.joining_gateway_id, value.element_id)


def apply_element_activating(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """A new element instance; the tokens that led to it are consumed."""
    elements, scope = stores.elements, value.flow_scope_key
    kind = value.bpmn_element_type
    tokens = 0 if kind in _WITHOUT_TOKEN else 1
    if kind is _PARALLEL_GATEWAY:
        tokens = elements.consume_flows(scope, value.element_id)
    elif kind is _SUB_PROCESS and not elements.has_active_flows(scope):
        tokens = 0  # around the element that a start instruction names
    elif value.bpmn_event_type is _TERMINATE and not elements.has_active_flows(scope):
        tokens = 0  # the scope's tokens went when the same end event was reached before
    # A process has had its variables before it begins, if it has any.
    instance = ElementInstance(key, value, _ACTIVATING, has_variables=kind is _PROCESS)
    elements.create(instance, scope, tokens)
    if kind is _PROCESS:
        stores.processes.count_running(value.process_definition_key, 1)


def apply_element_activated(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element is at work."""
    stores.elements.move(key, _ACTIVATED)


def apply_element_completing(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element has done its work."""
    stores.elements.move(key, _COMPLETING)


def apply_element_completed(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """The element is gone; a terminate end event takes its scope's other paths with it."""
    _end(stores, key, value, _COMPLETED)
    scope = value.flow_scope_key
    if value.bpmn_element_type is _EVENT_BASED_GATEWAY:
        stores.elements.count(scope, 0, 1)  # to the event that happened; no flow is taken
    elif value.bpmn_event_type is _TERMINATE:
        stores.elements.interrupt(scope, value.element_id)


def apply_element_terminating(stores: Stores, key: int, _value: ProcessInstanceValue) -> None:
    """The element is to end without completing; nothing moves in it any more."""
    stores.elements.move(key, Lifecycle.TERMINATING)


def apply_element_terminated(stores: Stores, key: int, value: ProcessInstanceValue) -> None:
    """The element is gone."""
    _end(stores, key, value, Lifecycle.TERMINATED)


def _end(stores: Stores, key: int, value: ProcessInstanceValue, to: Lifecycle) -> None:
    instance = stores.elements.end(key, value.flow_scope_key, to)
    if instance.has_variables:
        stores.variables.remove_scope(key)
    if instance.triggers:
        stores.events.remove_scope(key)
    if value.bpmn_element_type is _PROCESS:
        stores.processes.count_running(value.process_definition_key, -1)
        stores.requests.forget_awaited(key)
        stores.subscriptions.unlock(value.bpmn_process_id, key)
    if instance.active_flows or instance.is_interrupted:
        stores.elements.forget_flows(key)
