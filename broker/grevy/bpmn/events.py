"""Events: where they stand decides which triggers they may have; each trigger has its reader.

A position is a table of triggers. To support another trigger, move its name from `later` to a row
with its reader.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from grevy.bpmn.extensions import read_job
from grevy.bpmn.model import Element, TimerKind
from grevy.bpmn.nodes import event_definitions, new_element
from grevy.bpmn.reading import Reading
from grevy.bpmn.timers import read_timer
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.xml import Node, quote

Trigger: TypeAlias = Callable[[Element, Node, Node, Reading], None]
"""Reads an event definition (third) of an event (first, second) into the element."""


@dataclass(frozen=True, slots=True)
class _Position:
    """What an event at one place in a process may be."""

    name: str
    element_type: BpmnElementType
    triggers: Mapping[str, tuple[BpmnEventType, Trigger]]
    later: frozenset[str]
    needs_trigger: bool = False


def read_start_event(node: Node, reading: Reading) -> Element:
    """A start event of a process or of an embedded sub-process; it has no input mappings."""
    element = _read_event(node, reading, _START)
    element.inputs = ()
    return element


def read_end_event(node: Node, reading: Reading) -> Element:
    """An end event; a message end is a job."""
    return _read_event(node, reading, _END)


def read_throw_event(node: Node, reading: Reading) -> Element:
    """An intermediate throw event; a message throw is a job."""
    return _read_event(node, reading, _THROW)


def read_catch_event(node: Node, reading: Reading) -> Element:
    """An intermediate catch event."""
    element = _read_event(node, reading, _CATCH)
    if element.timer is not None and element.timer.kind is TimerKind.CYCLE:
        reading.faults.add(
            node, "An intermediate timer catch event must have a timeDuration or timeDate"
        )
    return element


def read_boundary_event(node: Node, reading: Reading) -> Element:
    """A boundary event; `flows` attaches it to its activity. It has no input mappings."""
    element = _read_event(node, reading, _BOUNDARY)
    element.inputs = ()
    element.interrupting = reading.flag(node, "cancelActivity", default=True)
    is_cycle = element.timer is not None and element.timer.kind is TimerKind.CYCLE
    if element.interrupting and is_cycle:
        reading.faults.add(node, "An interrupting timer event must not have a timeCycle")
    if not element.interrupting and element.event_type is BpmnEventType.ERROR:
        reading.faults.add(node, "An error boundary event must be interrupting")
    return element


def _read_event(node: Node, reading: Reading, position: _Position) -> Element:
    element = new_element(node, reading, position.element_type, BpmnEventType.NONE)
    definitions = event_definitions(node)
    if len(definitions) > 1:
        reading.faults.add(
            node, f"Must have one event definition at most, but has {len(definitions)}"
        )
    elif not definitions and position.needs_trigger:
        reading.faults.add(node, f"{position.name} must have an event definition")
    for definition in definitions:
        _read_trigger(element, node, definition, (reading, position))
    return element


def _read_trigger(
    element: Element, node: Node, definition: Node, where: tuple[Reading, _Position]
) -> None:
    reading, position = where
    row = position.triggers.get(definition.name)
    if row is not None:
        element.event_type, trigger = row
        trigger(element, node, definition, reading)
        return
    element.event_type = BpmnEventType.UNSPECIFIED
    if definition.name in position.later:
        reading.faults.add(node, f"{position.name} with '{definition.name}' is not supported yet")
    else:
        reading.faults.add(node, f"{position.name} cannot have '{quote(definition.name)}'")


def _start_message(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    element.message = reading.message(node, definition.get("messageRef"), has_key=False)


def _catch_message(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    element.message = reading.message(node, definition.get("messageRef"), has_key=True)


def _throw_message(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    spec = reading.messages.get(definition.get("messageRef"))
    if spec is not None:
        reading.check_message_name(spec)
    element.job = read_job(node, reading)


def _timer(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    element.timer = read_timer(node, definition, reading)


def _catch_error(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    """An error without a code, or no error at all, catches all of them."""
    spec = reading.errors.get(definition.get("errorRef"))
    code = "" if spec is None else spec.code
    if code.startswith("="):
        reading.faults.add(node, "The error code of a catch event must not be an expression")
    element.error_code = code or None


def _throw_error(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    spec = reading.errors.get(definition.get("errorRef"))
    if spec is None:
        reading.faults.add(node, "Must reference an error")
    else:
        element.error_code = reading.name(node, spec.code, "The code of the error")


def _terminate(element: Element, node: Node, definition: Node, reading: Reading) -> None:
    """Says it all by being there."""


_SIGNAL: Final = "signalEventDefinition"
_ESCALATION: Final = "escalationEventDefinition"
_CONDITIONAL: Final = "conditionalEventDefinition"
_COMPENSATE: Final = "compensateEventDefinition"
_LINK: Final = "linkEventDefinition"

_START: Final = _Position(
    name="A start event",
    element_type=BpmnElementType.START_EVENT,
    triggers={
        "messageEventDefinition": (BpmnEventType.MESSAGE, _start_message),
        "timerEventDefinition": (BpmnEventType.TIMER, _timer),
    },
    later=frozenset((_SIGNAL, _CONDITIONAL)),
)
_CATCH: Final = _Position(
    name="An intermediate catch event",
    element_type=BpmnElementType.INTERMEDIATE_CATCH_EVENT,
    triggers={
        "messageEventDefinition": (BpmnEventType.MESSAGE, _catch_message),
        "timerEventDefinition": (BpmnEventType.TIMER, _timer),
    },
    later=frozenset((_SIGNAL, _CONDITIONAL, _LINK)),
    needs_trigger=True,
)
_BOUNDARY: Final = _Position(
    name="A boundary event",
    element_type=BpmnElementType.BOUNDARY_EVENT,
    triggers={
        "messageEventDefinition": (BpmnEventType.MESSAGE, _catch_message),
        "timerEventDefinition": (BpmnEventType.TIMER, _timer),
        "errorEventDefinition": (BpmnEventType.ERROR, _catch_error),
    },
    later=frozenset((_SIGNAL, _ESCALATION, _CONDITIONAL, _COMPENSATE)),
    needs_trigger=True,
)
_THROW: Final = _Position(
    name="An intermediate throw event",
    element_type=BpmnElementType.INTERMEDIATE_THROW_EVENT,
    triggers={"messageEventDefinition": (BpmnEventType.MESSAGE, _throw_message)},
    later=frozenset((_SIGNAL, _ESCALATION, _COMPENSATE, _LINK)),
)
_END: Final = _Position(
    name="An end event",
    element_type=BpmnElementType.END_EVENT,
    triggers={
        "messageEventDefinition": (BpmnEventType.MESSAGE, _throw_message),
        "errorEventDefinition": (BpmnEventType.ERROR, _throw_error),
        "terminateEventDefinition": (BpmnEventType.TERMINATE, _terminate),
    },
    later=frozenset((_SIGNAL, _ESCALATION, _COMPENSATE)),
)
