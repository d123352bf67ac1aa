"""The operators on values. What an operator cannot do gives null and a warning, and never an
exception.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Final, TypeAlias

from grevy.feel import decimals
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped, FeelFormatError
from grevy.feel.moments import (
    DAY,
    Duration,
    FeelDate,
    FeelDateTime,
    FeelTime,
    Period,
)
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import FeelRange, SortKey, Value, equal, order_class, sort_key

Operation: TypeAlias = Callable[[Run, Value, Value], Value]
NUMBER_TYPES: Final = (int, Decimal)
_DURATIONS: Final = (Duration, Period)
_DATES: Final = (FeelDate, FeelDateTime)
_MILLI: Final = 1_000_000
_POWER_STEPS: Final = 20
"""The worst powers take some 20 µs."""


class _Impossible(Exception):
    """The operator is not defined for these types."""


def is_number(value: Value) -> bool:
    """Whether it is a number; booleans are none, though Python's are ints."""
    return type(value) in NUMBER_TYPES


def _arithmetic(
    on_numbers: Callable[[Number, Number], Number],
    calculate: Callable[[Value, Value], Value],
    template: str,
) -> Operation:
    def operate(run: Run, left: Value, right: Value) -> Value:
        try:
            if type(left) in NUMBER_TYPES and type(right) in NUMBER_TYPES:
                return on_numbers(left, right)  # type: ignore[arg-type]
            result = calculate(left, right)
        except (_Impossible, DecimalException, FeelFormatError):
            run.warn("INVALID_TYPE", template.format(shown(left), shown(right)))
            return None
        return run.check_text(result) if isinstance(result, str) else result

    return operate


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, _DURATIONS) and not isinstance(right, _DURATIONS):
        left, right = right, left
    if isinstance(right, _DURATIONS):
        return _shift(left, right, 1)
    raise _Impossible


def _subtract(left: Value, right: Value) -> Value:
    if isinstance(right, _DURATIONS):
        return _shift(left, right, -1)
    if isinstance(left, FeelTime) and isinstance(right, FeelTime):
        if order_class(left) != order_class(right):
            raise _Impossible
        return Duration(left.utc_nanos - right.utc_nanos)
    return Duration(_instant(left, right) - _instant(right, left))


def _shift(left: Value, amount: Duration | Period, sign: int) -> Value:
    if isinstance(left, _DATES):
        return left.plus(amount, sign)
    if isinstance(left, FeelTime) and isinstance(amount, Duration):
        return left.plus(amount, sign)
    if isinstance(left, Duration) and isinstance(amount, Duration):
        return Duration(left.nanos + sign * amount.nanos)
    if isinstance(left, Period) and isinstance(amount, Period):
        return Period(left.months + sign * amount.months)
    raise _Impossible


def _instant(value: Value, other: Value) -> int:
    """Nanoseconds from the epoch; a date beside a date and time with an offset is its midnight in
    UTC.
    """
    if isinstance(value, FeelDate):
        if isinstance(other, FeelDate) or (
            isinstance(other, FeelDateTime) and other.offset is not None
        ):
            return value.day * DAY
    elif isinstance(value, FeelDateTime):
        is_alike = isinstance(other, FeelDateTime) and order_class(value) == order_class(other)
        if is_alike or (isinstance(other, FeelDate) and value.offset is not None):
            return value.utc
    raise _Impossible


def _multiply(left: Value, right: Value) -> Value:
    if is_number(left):
        left, right = right, left
    if isinstance(right, NUMBER_TYPES) and is_number(right):
        if isinstance(left, Period):
            return Period(decimals.to_index(decimals.multiply(left.months, right)))
        if isinstance(left, Duration):
            return Duration(int(decimals.multiply(left.nanos, right)))
    raise _Impossible


def _divide(left: Value, right: Value) -> Value:
    if isinstance(right, NUMBER_TYPES) and is_number(right):
        if isinstance(left, Period):
            return Period(decimals.to_index(decimals.divide(left.months, right)))
        if isinstance(left, Duration):
            return Duration(int(decimals.divide(_millis(left), right)) * _MILLI)
    if isinstance(left, Period) and isinstance(right, Period):
        return _whole_quotient(left.months, right.months)
    if isinstance(left, Duration) and isinstance(right, Duration):
        if right.nanos and not _millis(right):  # as in Zeebe: no null here, but a failure
            raise EvaluationStopped("a duration is divided by one of less than a millisecond")
        return _whole_quotient(_millis(left), _millis(right))
    raise _Impossible


def _millis(duration: Duration) -> int:
    """What Zeebe divides; the rest is dropped towards zero."""
    millis = abs(duration.nanos) // _MILLI
    return -millis if duration.nanos < 0 else millis


def _whole_quotient(left: int, right: int) -> int:
    """How often a duration goes into another, towards zero, as in Zeebe."""
    if not right:
        raise _Impossible
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) is (right < 0) else -quotient


def _power(run: Run, left: Value, right: Value) -> Value:
    for operand in (left, right):
        if not is_number(operand):
            run.warn("INVALID_TYPE", f"Expected number but found '{shown(operand)}'")
            return None
    run.charge(_POWER_STEPS)
    try:
        return decimals.power(left, right)  # type: ignore[arg-type]
    except DecimalException:  # as in Zeebe: no null here, but a failure
        reason = f"{shown(left)} ** {shown(right)} is no number"
        raise EvaluationStopped(reason) from None


ARITHMETIC: Final[dict[str, Operation]] = {
    "+": _arithmetic(decimals.add, _add, "Can't add '{1}' to '{0}'"),
    "-": _arithmetic(decimals.subtract, _subtract, "Can't subtract '{1}' from '{0}'"),
    "*": _arithmetic(decimals.multiply, _multiply, "Can't multiply '{0}' by '{1}'"),
    "/": _arithmetic(decimals.divide, _divide, "Can't divide '{0}' by '{1}'"),
    "**": _power,
}


def negate(run: Run, value: Value) -> Value:
    """-value, of a number or a duration."""
    if isinstance(value, NUMBER_TYPES) and is_number(value):
        return decimals.negate(value)
    if isinstance(value, Duration):
        return Duration(-value.nanos)
    if isinstance(value, Period):
        return Period(-value.months)
    run.warn("INVALID_TYPE", f"Expected number but found '{shown(value)}'")
    return None


def _warn_not_comparable(run: Run, left: Value, right: Value) -> None:
    run.warn("NOT_COMPARABLE", f"Can't compare '{shown(left)}' with '{shown(right)}'")


def is_equal(run: Run, left: Value, right: Value) -> bool | None:
    """left = right; null and a warning for values of different types."""
    result = equal(left, right, run)
    if result is None:
        _warn_not_comparable(run, left, right)
    return result


def _differs(run: Run, left: Value, right: Value) -> Value:
    result = is_equal(run, left, right)
    return None if result is None else not result


def _ordering(holds: Callable[[SortKey, SortKey], bool]) -> Operation:
    def compare(run: Run, left: Value, right: Value) -> Value:
        order = order_class(left)
        if order is None or order != order_class(right):
            _warn_not_comparable(run, left, right)
            return None
        return holds(sort_key(left), sort_key(right))

    return compare


COMPARISONS: Final[dict[str, Operation]] = {
    "=": is_equal,
    "!=": _differs,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
}


def contains(run: Run, whole: FeelRange, value: Value) -> bool | None:
    """Whether a range has the value in it; null and a warning when they do not compare."""
    order = order_class(value)
    if order is None or not order == order_class(whole.start) == order_class(whole.end):
        run.warn(
            "NOT_COMPARABLE",
            f"Can't compare '{shown(value)}' with '{shown(whole.start)}' and '{shown(whole.end)}'",
        )
        return None
    after = COMPARISONS[">=" if whole.is_start_closed else ">"](run, value, whole.start)
    before = COMPARISONS["<=" if whole.is_end_closed else "<"](run, value, whole.end)
    return bool(after and before)


def expect_boolean(run: Run, value: Value) -> bool | None:
    """The boolean; null and a warning for anything else."""
    if isinstance(value, bool):
        return value
    run.warn("INVALID_TYPE", f"Expected boolean but found '{shown(value)}'")
    return None


def expect_list(run: Run, value: Value) -> list[Value] | None:
    """The list; null and a warning for anything else."""
    if isinstance(value, list):
        return value
    run.warn("INVALID_TYPE", f"Expected list but found '{shown(value)}'")
    return None
