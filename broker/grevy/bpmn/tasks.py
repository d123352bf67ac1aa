"""Activities and gateways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from grevy.bpmn.decisions import CALLED_DECISION, read_called_decision
from grevy.bpmn.extensions import extensions, read_job, read_script
from grevy.bpmn.model import Element
from grevy.bpmn.nodes import new_element
from grevy.bpmn.reading import Reading
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.xml import Node

Reader: TypeAlias = Callable[[Node, Reading], Element]


def job_task(element_type: BpmnElementType) -> Reader:
    """The reader of a task that a job worker does."""

    def read(node: Node, reading: Reading) -> Element:
        element = _activity(node, reading, element_type)
        element.job = read_job(node, reading)
        return element

    return read


def plain_task(element_type: BpmnElementType) -> Reader:
    """The reader of an activity that does nothing. Mappings at it are checked; they have no effect,
    as in Zeebe.
    """

    def read(node: Node, reading: Reading) -> Element:
        element = _activity(node, reading, element_type)
        element.inputs = element.outputs = ()
        return element

    return read


def gateway(element_type: BpmnElementType) -> Reader:
    """The reader of a gateway. Mappings at a gateway are checked, and have no effect."""

    def read(node: Node, reading: Reading) -> Element:
        element = new_element(node, reading, element_type)
        element.inputs = element.outputs = ()
        return element

    return read


def read_receive_task(node: Node, reading: Reading) -> Element:
    """A task that waits for a message."""
    element = _activity(node, reading, BpmnElementType.RECEIVE_TASK)
    element.event_type = BpmnEventType.MESSAGE
    element.message = reading.message(node, node.get("messageRef"), has_key=True)
    return element


def read_script_task(node: Node, reading: Reading) -> Element:
    """A FEEL script, or a job."""
    element = _activity(node, reading, BpmnElementType.SCRIPT_TASK)
    scripts, jobs = extensions(node, "zeebe:script"), extensions(node, "zeebe:taskDefinition")
    if bool(scripts) == bool(jobs):
        reading.faults.add(
            node, "Must have either a 'zeebe:script' or a 'zeebe:taskDefinition' extension element"
        )
    if scripts:
        element.script = read_script(node, reading)
    elif jobs:
        element.job = read_job(node, reading)
    return element


def read_business_rule_task(node: Node, reading: Reading) -> Element:
    """A decision to evaluate, or a job."""
    element = _activity(node, reading, BpmnElementType.BUSINESS_RULE_TASK)
    decisions, jobs = extensions(node, CALLED_DECISION), extensions(node, "zeebe:taskDefinition")
    if bool(decisions) == bool(jobs):
        what = f"Must have either a '{CALLED_DECISION}' or a 'zeebe:taskDefinition'"
        reading.faults.add(node, f"{what} extension element")
    if decisions:
        element.called_decision = read_called_decision(node, reading)
    elif jobs:
        element.job = read_job(node, reading)
    return element


def read_sub_process(node: Node, reading: Reading) -> Element:
    """An embedded sub-process; `scopes` reads what is in it."""
    if reading.flag(node, "triggeredByEvent"):
        reading.faults.add(node, "An event sub-process is not supported yet")
        return Element(node.id, BpmnElementType.UNSPECIFIED)
    return _activity(node, reading, BpmnElementType.SUB_PROCESS)


def _activity(node: Node, reading: Reading, element_type: BpmnElementType) -> Element:
    if node.first("multiInstanceLoopCharacteristics") is not None:
        reading.faults.add(node, "A multi-instance activity is not supported yet")
    if node.first("standardLoopCharacteristics") is not None:
        reading.faults.add(
            node, "A standard loop is not supported; use a gateway or multi-instance"
        )
    if reading.flag(node, "isForCompensation"):
        reading.faults.add(node, "A compensation activity is not supported yet")
    return new_element(node, reading, element_type)
