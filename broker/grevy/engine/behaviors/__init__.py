"""How each type of element behaves: a table from what an element is to the behaviour that it
has.
"""

from __future__ import annotations

from typing import Final

from grevy.bpmn.model import Element
from grevy.engine.behaviors.activities import JobTask, PassThroughTask, ReceiveTask, ScriptTask
from grevy.engine.behaviors.base import Behavior
from grevy.engine.behaviors.decisions import BusinessRuleTask
from grevy.engine.behaviors.event_elements import (
    BoundaryEvent,
    ErrorEndEvent,
    NoneEvent,
    StartEvent,
    TerminateEndEvent,
)
from grevy.engine.behaviors.gateways import EventBasedGateway, ExclusiveGateway, ParallelGateway
from grevy.engine.behaviors.scopes import ProcessRoot, SubProcess
from grevy.protocol.intents import BpmnElementType, BpmnEventType

_JOB: Final = JobTask()
_END_EVENT: Final = BpmnElementType.END_EVENT  # looked up once, see step.py

BEHAVIORS: Final[dict[BpmnElementType, Behavior]] = {
    BpmnElementType.PROCESS: ProcessRoot(),
    BpmnElementType.SUB_PROCESS: SubProcess(),
    BpmnElementType.START_EVENT: StartEvent(),
    BpmnElementType.END_EVENT: NoneEvent(),
    BpmnElementType.INTERMEDIATE_THROW_EVENT: NoneEvent(),
    BpmnElementType.INTERMEDIATE_CATCH_EVENT: ReceiveTask(),
    BpmnElementType.BOUNDARY_EVENT: BoundaryEvent(),
    BpmnElementType.SERVICE_TASK: _JOB,
    BpmnElementType.SEND_TASK: _JOB,
    BpmnElementType.BUSINESS_RULE_TASK: BusinessRuleTask(),
    BpmnElementType.SCRIPT_TASK: ScriptTask(),
    BpmnElementType.RECEIVE_TASK: ReceiveTask(),
    BpmnElementType.MANUAL_TASK: PassThroughTask(),
    BpmnElementType.TASK: PassThroughTask(),
    BpmnElementType.EXCLUSIVE_GATEWAY: ExclusiveGateway(),
    BpmnElementType.PARALLEL_GATEWAY: ParallelGateway(),
    BpmnElementType.EVENT_BASED_GATEWAY: EventBasedGateway(),
}
"""By element type; `END_EVENTS` comes first for the end events that do more than end a path."""

END_EVENTS: Final[dict[BpmnEventType, Behavior]] = {
    BpmnEventType.TERMINATE: TerminateEndEvent(),
    BpmnEventType.ERROR: ErrorEndEvent(),
}


def behavior_of(element: Element) -> Behavior:
    """The behaviour of an element. Whatever has a job is a job's element, whatever its type."""
    if element.job is not None:
        return _JOB
    if element.element_type is _END_EVENT and element.event_type in END_EVENTS:
        return END_EVENTS[element.event_type]
    return BEHAVIORS[element.element_type]
