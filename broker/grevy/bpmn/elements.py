"""Which element of BPMN is read how: the table to which a new element is a line."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from grevy.bpmn.events import (
    read_boundary_event,
    read_catch_event,
    read_end_event,
    read_start_event,
    read_throw_event,
)
from grevy.bpmn.grammar import GRAMMAR
from grevy.bpmn.model import Element
from grevy.bpmn.nodes import names
from grevy.bpmn.reading import Reading
from grevy.bpmn.tasks import (
    Reader,
    gateway,
    job_task,
    plain_task,
    read_business_rule_task,
    read_receive_task,
    read_script_task,
    read_sub_process,
)
from grevy.protocol.intents import BpmnElementType
from grevy.xml import Node

READERS: Final = MappingProxyType[str, Reader](
    {
        "startEvent": read_start_event,
        "endEvent": read_end_event,
        "intermediateThrowEvent": read_throw_event,
        "intermediateCatchEvent": read_catch_event,
        "boundaryEvent": read_boundary_event,
        "serviceTask": job_task(BpmnElementType.SERVICE_TASK),
        "sendTask": job_task(BpmnElementType.SEND_TASK),
        "businessRuleTask": read_business_rule_task,
        "scriptTask": read_script_task,
        "receiveTask": read_receive_task,
        "manualTask": plain_task(BpmnElementType.MANUAL_TASK),
        "task": plain_task(BpmnElementType.TASK),
        "exclusiveGateway": gateway(BpmnElementType.EXCLUSIVE_GATEWAY),
        "parallelGateway": gateway(BpmnElementType.PARALLEL_GATEWAY),
        "eventBasedGateway": gateway(BpmnElementType.EVENT_BASED_GATEWAY),
        "subProcess": read_sub_process,
    }
)
"""The reader of each flow node that can be executed."""

NOT_YET: Final = frozenset(("userTask", "callActivity", "inclusiveGateway", "adHocSubProcess"))
"""Flow nodes that will have a reader."""

NEVER: Final = names(
    """
    complexGateway transaction choreographyTask subChoreography callChoreography event
    implicitThrowEvent
    """
)
"""Flow nodes of BPMN that no engine of this kind executes."""


def read_element(node: Node, reading: Reading) -> Element | None:
    """The flow node, or None for what is none.

    What cannot be executed, or is no element of BPMN, is a fault and becomes an element of type
    UNSPECIFIED, so that flows from and to it are not at fault as well.
    """
    reader = READERS.get(node.name)
    if reader is not None:
        return reader(node, reading)
    if node.name in NOT_YET | NEVER:
        yet = " yet" if node.name in NOT_YET else ""
        reading.faults.add(node, f"An element of type '{node.name}' is not supported{yet}")
    elif node.name in GRAMMAR["process"].children or node.name in GRAMMAR["subProcess"].children:
        return None
    return Element(node.id, BpmnElementType.UNSPECIFIED)
