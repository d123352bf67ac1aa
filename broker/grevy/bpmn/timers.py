"""Timer event definitions: one of a date, a duration and a cycle, static or FEEL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grevy.bpmn.cycle import parse_cycle
from grevy.bpmn.model import Timer, TimerKind
from grevy.bpmn.reading import Reading, content, is_expression
from grevy.feel.temporal import parse_date_time, parse_duration
from grevy.xml import Node, quote

_PARSERS: Final[dict[TimerKind, Callable[[str], object]]] = {
    TimerKind.DATE: parse_date_time,
    TimerKind.DURATION: parse_duration,
    TimerKind.CYCLE: parse_cycle,
}


def read_timer(event: Node, definition: Node, reading: Reading) -> Timer | None:
    """The timer of an event. A static value is parsed now, so that its fault is found now."""
    found = [(kind, child) for kind in TimerKind for child in definition.all(kind.value)]
    if len(found) != 1:
        names = ", ".join(kind.value for kind in TimerKind)
        reading.faults.add(
            event, f"The timer must have exactly one of {names}, but has {len(found)}"
        )
        return None
    kind, child = found[0]
    raw = content(child)
    value = reading.text(event, raw, f"The {kind.value} of the timer")
    if not is_expression(raw):
        _check_static(event, kind, raw, reading)
    return Timer(kind, value)


def _check_static(event: Node, kind: TimerKind, raw: str, reading: Reading) -> None:
    try:
        _PARSERS[kind](raw)
    except ValueError as error:
        reading.faults.add(
            event, f"The {kind.value} of the timer '{quote(raw)}' is invalid: {error}"
        )
