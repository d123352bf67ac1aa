"""The second pass over a process: its flows, and boundary events at their activities."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.model import Element, SequenceFlow
from grevy.bpmn.reading import Reading, content
from grevy.bpmn.scopes import Draft
from grevy.protocol.intents import BpmnElementType
from grevy.xml import Node, quote

ACTIVITIES: Final = frozenset(
    (
        BpmnElementType.SERVICE_TASK,
        BpmnElementType.SEND_TASK,
        BpmnElementType.RECEIVE_TASK,
        BpmnElementType.BUSINESS_RULE_TASK,
        BpmnElementType.SCRIPT_TASK,
        BpmnElementType.MANUAL_TASK,
        BpmnElementType.TASK,
        BpmnElementType.SUB_PROCESS,
        BpmnElementType.UNSPECIFIED,
    )
)
"""What a boundary event can be attached to; UNSPECIFIED is at fault already."""


def connect(draft: Draft, reading: Reading) -> None:
    """Makes the references between the elements of a draft."""
    _read_flows(draft, reading)
    attached: dict[str, list[Element]] = {}
    for element in draft.process.elements.values():
        node = draft.nodes[element.id]
        if (
            element.element_type is BpmnElementType.EXCLUSIVE_GATEWAY
            and "default" in node.attributes
        ):
            _set_default(element, node, draft, reading)
        elif element.element_type is BpmnElementType.BOUNDARY_EVENT:
            activity = _activity_of(element, node, draft, reading)
            if activity is not None:
                element.attached_to = activity
                attached.setdefault(activity.id, []).append(element)
        elif element.element_type is BpmnElementType.EVENT_BASED_GATEWAY:
            targets = {flow.target.id: flow.target for flow in element.outgoing}
            element.event_targets = tuple(targets.values())
    for activity_id, events in attached.items():
        draft.process.elements[activity_id].boundary_events = tuple(events)


def _read_flows(draft: Draft, reading: Reading) -> None:
    incoming: dict[str, list[SequenceFlow]] = {}
    outgoing: dict[str, list[SequenceFlow]] = {}
    for order, node in enumerate(draft.flow_nodes):
        source = _end_of(node, "sourceRef", draft, reading)
        target = _end_of(node, "targetRef", draft, reading)
        if source is None or target is None:
            continue
        if source.scope is not target.scope:
            ways = f"'{source.id}' to '{target.id}'"
            reading.faults.add(node, f"The flow from {ways} leads into another scope")
            continue
        flow = SequenceFlow(node.id, source, target, order)
        condition = node.first("conditionExpression")
        if condition is not None:
            flow.condition = reading.expression(node, content(condition), "The condition")
        draft.process.flows.setdefault(flow.id, flow)
        outgoing.setdefault(source.id, []).append(flow)
        incoming.setdefault(target.id, []).append(flow)
    for element_id, flows in outgoing.items():
        draft.process.elements[element_id].outgoing = tuple(flows)
    for element_id, flows in incoming.items():
        draft.process.elements[element_id].incoming = tuple(flows)


def _end_of(node: Node, attribute: str, draft: Draft, reading: Reading) -> Element | None:
    element = draft.process.elements.get(node.get(attribute))
    if element is None or element is draft.process.root:
        wanted = f"'{quote(node.get(attribute))}', which is no flow node of this process"
        reading.faults.add(node, f"The {attribute} of the sequence flow is {wanted}")
        return None
    return element


def _set_default(element: Element, node: Node, draft: Draft, reading: Reading) -> None:
    flow = draft.process.flows.get(node.get("default"))
    if flow is None or flow.source is not element:
        reading.faults.add(
            node, f"The default flow '{quote(node.get('default'))}' must be a flow that starts here"
        )
    else:
        element.default_flow = flow


def _activity_of(element: Element, node: Node, draft: Draft, reading: Reading) -> Element | None:
    reference = node.get("attachedToRef")
    activity = draft.process.elements.get(reference)
    if activity is None or activity.element_type not in ACTIVITIES:
        reading.faults.add(
            node, f"Must be attached to an activity; '{quote(reference)}' is none of this process"
        )
        return None
    if activity.scope is not element.scope:
        reading.faults.add(node, f"Is attached to '{activity.id}', which is in another scope")
        return None
    return activity
