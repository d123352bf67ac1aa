"""When timers fire."""

from __future__ import annotations

from typing import NamedTuple

from grevy.bpmn.cycle import Cycle, parse_cycle
from grevy.bpmn.model import Timer, TimerKind
from grevy.engine.behaviors.base import Stuck
from grevy.engine.behaviors.expressions import evaluate
from grevy.engine.moments import moment
from grevy.engine.step import Step
from grevy.feel import Value, temporal, to_json, type_name
from grevy.protocol.intents import ErrorType


class Due(NamedTuple):
    """When a timer fires (epoch ms), and how often, this time included; -1 without end."""

    at: int
    repetitions: int


def evaluate_timer(step: Step, timer: Timer, scope_key: int) -> Due:
    """When a timer first fires."""
    return _due(timer, _value(step, timer, scope_key), step.now, scope_key)


def evaluate_repetition(
    step: Step, timer: Timer, scope_key: int, previous: int, repetitions: int
) -> Due | None:
    """When a cycle fires next: an interval after the last due date, or at cron's next time from
    now.

    None where cron has no further time.
    """
    cycle = _cycle(timer, _value(step, timer, scope_key), scope_key)
    due = cycle.due_after(previous, step.now)
    return None if due is None else Due(moment(due), repetitions)


def _value(step: Step, timer: Timer, scope_key: int) -> str:
    if isinstance(timer.value, str):
        return timer.value
    value = evaluate(step, timer.value, scope_key, ErrorType.EXTRACT_VALUE_ERROR)
    return _as_text(value, timer, scope_key)


def _as_text(value: Value, timer: Timer, scope_key: int) -> str:
    """Durations and dates as the ISO text that a string would hold."""
    if isinstance(value, str):
        return value
    if type_name(value) in ("DURATION", "PERIOD", "DATE_TIME"):
        return to_json(value)[1:-1].decode()
    expression = timer.value if isinstance(timer.value, str) else timer.value.text
    wanted = "a date-time" if timer.kind is TimerKind.DATE else "a duration or a string"
    reason = (
        f"Expected result of the expression '{expression}' to be {wanted}, "
        f"but was '{type_name(value)}'."
    )
    raise Stuck(ErrorType.EXTRACT_VALUE_ERROR, reason, scope_key=scope_key)


def _due(timer: Timer, text: str, now: int, scope_key: int) -> Due:
    if timer.kind is TimerKind.CYCLE:
        cycle = _cycle(timer, text, scope_key)
        due = cycle.first_due(now)
        if due is None:
            reason = f"Expected the cycle '{text}' to have a next time, but it has none"
            raise Stuck(ErrorType.EXTRACT_VALUE_ERROR, reason, scope_key=scope_key)
        return Due(moment(due), cycle.repetitions)
    try:
        if timer.kind is TimerKind.DATE:
            return Due(moment(temporal.parse_date_time(text)), 1)
        return Due(moment(temporal.add(now, temporal.parse_duration(text))), 1)
    except ValueError as error:
        raise Stuck(ErrorType.EXTRACT_VALUE_ERROR, str(error), scope_key=scope_key) from None


def _cycle(timer: Timer, text: str, scope_key: int) -> Cycle:
    try:
        return parse_cycle(text)
    except ValueError as error:
        raise Stuck(ErrorType.EXTRACT_VALUE_ERROR, str(error), scope_key=scope_key) from None
