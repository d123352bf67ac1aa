"""The rules that concern more than one element. Each adds what it finds; none ends the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grevy.bpmn.model import Element, Text
from grevy.bpmn.scopes import Draft
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.xml import Faults, quote

_EVENTS_BEHIND_GATEWAY: Final = (BpmnEventType.MESSAGE, BpmnEventType.TIMER)
_NO_TRIGGER: Final = (BpmnEventType.NONE, BpmnEventType.UNSPECIFIED)


def validate(draft: Draft, faults: Faults) -> None:
    """Checks a connected draft."""
    for scope in draft.scopes():
        _check_start_events(scope, draft, faults)
    for element in draft.process.elements.values():
        _check_flows(element, draft, faults)
        if element.boundary_events:
            _check_boundary_events(element, draft, faults)
        if element.element_type is BpmnElementType.EVENT_BASED_GATEWAY:
            _check_event_gateway(element, draft, faults)


def _check_start_events(scope: Element, draft: Draft, faults: Faults) -> None:
    node = draft.nodes[scope.id]
    without_trigger = [e for e in scope.start_events if e.event_type is BpmnEventType.NONE]
    if scope.element_type is BpmnElementType.SUB_PROCESS:
        if len(scope.start_events) != 1:
            faults.add(
                node, f"Must have exactly one start event, but has {len(scope.start_events)}"
            )
        for event in scope.start_events:
            if event.event_type not in _NO_TRIGGER:
                faults.add(draft.nodes[event.id], "The start event of a sub-process has no trigger")
        return
    if not scope.start_events:
        faults.add(node, "Must have at least one start event")
    if len(without_trigger) > 1:
        faults.add(node, f"Must have one none start event at most, but has {len(without_trigger)}")
    for name in _repeated(_message_names(scope.start_events)):
        faults.add(node, f"More than one start event waits for the message '{quote(name)}'")


def _check_flows(element: Element, draft: Draft, faults: Faults) -> None:
    node = draft.nodes[element.id]
    if element.element_type is BpmnElementType.UNSPECIFIED:
        return
    if element.element_type is BpmnElementType.END_EVENT and element.outgoing:
        faults.add(node, "An end event must not have outgoing sequence flows")
    if element.element_type is BpmnElementType.BOUNDARY_EVENT and element.incoming:
        faults.add(node, "A boundary event must not have incoming sequence flows")
    if element.element_type is BpmnElementType.EXCLUSIVE_GATEWAY:
        _check_conditions(element, draft, faults)
    elif any(draft.nodes[flow.id].first("conditionExpression") for flow in element.outgoing):
        faults.add(
            node, "Conditions are only allowed at flows of an exclusive or inclusive gateway"
        )


def _check_conditions(gateway: Element, draft: Draft, faults: Faults) -> None:
    """A single flow needs no condition: there is nothing to decide."""
    if len(gateway.outgoing) < 2:
        return
    for flow in gateway.outgoing:
        node = draft.nodes[flow.id]
        if flow is not gateway.default_flow and node.first("conditionExpression") is None:
            faults.add(node, "Must have a condition or be the default flow")


def _check_boundary_events(activity: Element, draft: Draft, faults: Faults) -> None:
    node = draft.nodes[activity.id]
    names = _message_names(activity.boundary_events)
    for name in _repeated(names):
        faults.add(node, f"More than one boundary event waits for the message '{quote(name)}'")
    if activity.message is not None and _source(activity.message.name) in names:
        faults.add(node, "The task and a boundary event of it wait for the same message")
    codes = [
        "" if event.error_code is None else _source(event.error_code)
        for event in activity.boundary_events
        if event.event_type is BpmnEventType.ERROR
    ]
    for code in _repeated(codes):
        which = f"the error code '{quote(code)}'" if code else "all errors"
        faults.add(node, f"More than one boundary event catches {which}")


def _check_event_gateway(gateway: Element, draft: Draft, faults: Faults) -> None:
    node = draft.nodes[gateway.id]
    if len(gateway.outgoing) < 2:
        faults.add(node, "An event-based gateway must have at least two outgoing sequence flows")
    for target in gateway.event_targets:
        if target.element_type is BpmnElementType.UNSPECIFIED:
            continue
        if not _is_event_behind_gateway(target, draft):
            wanted = "a message or timer catch event"
            faults.add(node, f"An event-based gateway must lead to {wanted}; '{target.id}' is none")
        if any(flow.source is not gateway for flow in target.incoming):
            faults.add(
                node, f"'{target.id}' must have no incoming flow but the one from this gateway"
            )
    for name in _repeated(_message_names(gateway.event_targets)):
        faults.add(node, f"More than one event waits for the message '{quote(name)}'")


def _is_event_behind_gateway(target: Element, draft: Draft) -> bool:
    if target.element_type is not BpmnElementType.INTERMEDIATE_CATCH_EVENT:
        return False
    # A catch event without a trigger, or with one that we do not know, is at fault itself.
    return target.event_type in (*_EVENTS_BEHIND_GATEWAY, *_NO_TRIGGER)


def _message_names(events: Iterable[Element]) -> list[str]:
    return [_source(event.message.name) for event in events if event.message is not None]


def _source(text: Text) -> str:
    """A text as it stands in the file: expressions are the same if they are written so."""
    return text if isinstance(text, str) else f"={text.text}"


def _repeated(texts: Iterable[str]) -> list[str]:
    """The texts that stand there more than once, each once."""
    seen: dict[str, int] = {}
    for text in texts:
        seen[text] = seen.get(text, 0) + 1
    return [text for text, count in seen.items() if count > 1]
