"""The common course of element instances: from one state to the next, and on along the flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grevy.bpmn.model import Element, SequenceFlow
from grevy.engine.behaviors.base import Here
from grevy.engine.step import Step
from grevy.engine.tables import Lifecycle
from grevy.protocol.intents import (
    BpmnElementType,
    BpmnEventType,
    ProcessInstanceBatchIntent,
    ProcessInstanceIntent,
)
from grevy.protocol.values import ProcessInstanceBatchValue, ProcessInstanceValue

# Looked up once, see step.py.
_LIVE: Final = Lifecycle.ACTIVATED
_ACTIVATE: Final = ProcessInstanceIntent.ACTIVATE_ELEMENT
_ACTIVATED: Final = ProcessInstanceIntent.ELEMENT_ACTIVATED
_COMPLETE: Final = ProcessInstanceIntent.COMPLETE_ELEMENT
_COMPLETED: Final = ProcessInstanceIntent.ELEMENT_COMPLETED
_FLOW_TAKEN: Final = ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN
_SEQUENCE_FLOW: Final = BpmnElementType.SEQUENCE_FLOW
_PARALLEL_GATEWAY: Final = BpmnElementType.PARALLEL_GATEWAY
_NO_EVENT: Final = BpmnEventType.UNSPECIFIED


def value_of(owner: ProcessInstanceValue, element: Element, scope_key: int) -> ProcessInstanceValue:
    """The record value of an element in a scope of the owner's process instance."""
    return ProcessInstanceValue(
        owner.bpmn_process_id,
        owner.version,
        owner.process_definition_key,
        owner.process_instance_key,
        element.id,
        scope_key,
        element.element_type,
        element.event_type,
    )


def activate_child(
    step: Step, owner: ProcessInstanceValue, element: Element, scope_key: int
) -> None:
    """Queues the activation of an element in a scope."""
    value = value_of(owner, element, scope_key)
    step.follow_up(_ACTIVATE, -1, value, element)


def activated(step: Step, here: Here) -> None:
    """The element is at work."""
    step.event(_ACTIVATED, here.key, here.value)


def complete(step: Step, here: Here) -> None:
    """Queues the completion of an element."""
    step.follow_up(_COMPLETE, here.key, here.value, here.element)


def completed(step: Step, here: Here) -> None:
    """The element is done: its flows are taken, or its path ends."""
    value, outgoing = here.value, here.element.outgoing
    step.event(_COMPLETED, here.key, value)
    if len(outgoing) == 1:
        flow = outgoing[0]
        step.event(_FLOW_TAKEN, step.next_key(), _flow_value(value, flow))
        activate_child(step, value, flow.target, value.flow_scope_key)
    elif outgoing:
        take_flows(step, here, outgoing)
    else:
        end_path(step, value.flow_scope_key)


def take_flows(step: Step, here: Here, flows: Sequence[SequenceFlow]) -> None:
    """Takes flows, then queues the activation of their targets: the last flow of the document
    first, as Zeebe does.
    """
    for flow in reversed(flows):
        step.event(_FLOW_TAKEN, step.next_key(), _flow_value(here.value, flow))
    for flow in reversed(flows):
        activate_child(step, here.value, flow.target, here.scope_key)


def _flow_value(owner: ProcessInstanceValue, flow: SequenceFlow) -> ProcessInstanceValue:
    target = flow.target
    return ProcessInstanceValue(
        owner.bpmn_process_id,
        owner.version,
        owner.process_definition_key,
        owner.process_instance_key,
        flow.id,
        owner.flow_scope_key,
        _SEQUENCE_FLOW,
        _NO_EVENT,
        -1,
        -1,
        target.id if target.element_type is _PARALLEL_GATEWAY else "",
    )


def end_path(step: Step, scope_key: int) -> None:
    """A path has ended in a scope; when it was the last one, the scope completes."""
    scope = step.views.elements.get(scope_key)
    if scope is None or scope.state is not _LIVE:
        return
    if scope.children == 0 and scope.active_flows == 0:
        step.follow_up(_COMPLETE, scope_key, scope.value)


def terminate_children(step: Step, scope_key: int) -> bool:
    """Queues the termination of all that lives in a scope; False if nothing does."""
    scope = step.views.elements.get(scope_key)
    assert scope is not None, f"scope {scope_key} is not alive"
    if scope.children == 0:
        return False
    value = ProcessInstanceBatchValue(
        process_instance_key=scope.value.process_instance_key,
        process_definition_key=scope.value.process_definition_key,
        batch_element_instance_key=scope_key,
    )
    step.follow_up(ProcessInstanceBatchIntent.TERMINATE, step.next_key(), value)
    return True
