"""FEEL's values, and what can be said of them without an expression: their type, their text, their
equality and order.

    null      None              string    str               list      list
    boolean   bool              date …    see `moments`     context   dict, in order of definition
    number    int or Decimal    range     FeelRange         function  FeelFunction

Whole numbers are ints as long as they are whole by their making: 1 is an int, 1.0 and 2.50 are
Decimals that keep their scale, as BigDecimal does. Values are never changed once made; lists and
dicts may be shared.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeAlias

from grevy.feel.budget import Budget
from grevy.feel.errors import EvaluationStopped
from grevy.feel.moments import Duration, FeelDate, FeelDateTime, FeelTime, Period
from grevy.protocol import limits


@dataclass(frozen=True, slots=True)
class FeelRange:
    """A range of comparable values; an open end does not belong to it."""

    start: Value
    end: Value
    is_start_closed: bool
    is_end_closed: bool


@dataclass(frozen=True, slots=True)
class FeelFunction:
    """A function that an expression defined. `invoke` takes one argument for each parameter.

    In a context it is not shown as JSON, unless it is an entry of a boxed one: then it is null.
    """

    parameters: tuple[str, ...]
    invoke: Callable[[list[Value]], Value] = field(compare=False, repr=False)
    is_boxed: bool = field(default=False, compare=False, repr=False)


Value: TypeAlias = (
    bool
    | int
    | Decimal
    | str
    | list["Value"]
    | dict[str, "Value"]
    | FeelDate
    | FeelTime
    | FeelDateTime
    | Duration
    | Period
    | FeelRange
    | FeelFunction
    | None
)

_RESULT_TYPES: Final[dict[type, str]] = {
    type(None): "NULL",
    bool: "BOOLEAN",
    int: "NUMBER",
    Decimal: "NUMBER",
    str: "STRING",
    list: "ARRAY",
    dict: "OBJECT",
    FeelDate: "DATE",
    FeelDateTime: "DATE_TIME",
    Duration: "DURATION",
    Period: "PERIOD",
}

_FEEL_TYPES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    str: "string",
    list: "list",
    dict: "context",
    FeelDate: "date",
    FeelTime: "time",
    FeelDateTime: "date and time",
    Duration: "days and time duration",
    Period: "years and months duration",
    FeelRange: "range",
    FeelFunction: "function",
}


def type_name(value: Value) -> str:
    """The type as Zeebe names it in messages about results; times, ranges and functions have none:
    `UNKNOWN`.
    """
    return _RESULT_TYPES.get(type(value), "UNKNOWN")


def feel_type(value: Value) -> str:
    """The type as FEEL names it, for `instance of` and in warnings."""
    return _FEEL_TYPES[type(value)]


def order_class(value: Value) -> str | None:
    """Values of the same order class can be ordered; None for those that cannot. Local and zoned
    times do not mix.
    """
    kind = type(value)
    if kind in _ORDERED:
        return _FEEL_TYPES[kind]
    if isinstance(value, _TIMES):
        return f"{_FEEL_TYPES[kind]} {'local' if value.offset is None else 'zoned'}"
    return None


_TIMES: Final = (FeelTime, FeelDateTime)
_ORDERED: Final = frozenset((int, Decimal, str, FeelDate, Duration, Period))
_OWN_KEYS: Final = (int, Decimal, str)

SortKey: TypeAlias = int | Decimal | str


def sort_key(value: Value) -> SortKey:
    """A key that orders values of one order class."""
    if isinstance(value, _OWN_KEYS):
        return value
    if isinstance(value, FeelDate):
        return value.day
    if isinstance(value, Duration):
        return value.nanos
    if isinstance(value, Period):
        return value.months
    if isinstance(value, FeelTime):
        return value.utc_nanos
    assert isinstance(value, FeelDateTime), "order_class says what has an order"
    return value.utc


_PAIR_STEPS: Final = 5
"""What a list or a context costs to be compared, besides its items: many are nearly empty."""


def less(left: Value, right: Value) -> bool:
    """Whether `left` comes before `right`, which is of the same order class."""
    low, high = sort_key(left), sort_key(right)
    return low < high  # type: ignore[operator]  # keys of one order class are of one type


def equal(left: Value, right: Value, budget: Budget, depth: int = 0) -> bool | None:
    """FEEL's `=`; None where the types differ. Null equals null only; items of different types
    make lists unequal.
    """
    if left is None or right is None:
        return left is right
    kind = type(left)
    if kind is not type(right):
        is_number = kind in (int, Decimal) and type(right) in (int, Decimal)
        return left == right if is_number else None
    if isinstance(left, list) and isinstance(right, list):
        _check_depth(depth)
        budget.charge(min(len(left), len(right)) + _PAIR_STEPS)
        return len(left) == len(right) and all(
            equal(a, b, budget, depth + 1) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        _check_depth(depth)
        budget.charge(min(len(left), len(right)) + _PAIR_STEPS)
        return left.keys() == right.keys() and all(
            equal(left[key], right[key], budget, depth + 1) for key in left
        )
    if isinstance(left, FeelFunction | FeelRange):
        return left == right if isinstance(left, FeelRange) else None
    if order_class(left) != order_class(right):
        return None
    if isinstance(left, FeelDateTime) and isinstance(right, FeelDateTime):
        return left.utc == right.utc
    return left == right


def identity(value: Value, budget: Budget, depth: int = 0) -> Hashable:
    """A key that is the same for values that are equal, so that sets of values take linear time."""
    kind = type(value)
    if kind is list:
        assert isinstance(value, list)
        _check_depth(depth)
        budget.charge(len(value) + _PAIR_STEPS)
        return list, tuple(identity(item, budget, depth + 1) for item in value)
    if kind is dict:
        assert isinstance(value, dict)
        _check_depth(depth)
        budget.charge(len(value) + _PAIR_STEPS)
        return dict, frozenset(
            (key, identity(item, budget, depth + 1)) for key, item in value.items()
        )
    if isinstance(value, FeelDateTime):
        return order_class(value), value.utc
    # True == 1 in Python, not in FEEL; an int and a Decimal of one value are equal and hash alike
    # in both.
    return (int if kind is Decimal else kind), value


def _check_depth(depth: int) -> None:
    if depth > limits.JSON_DEPTH_MAX:
        raise EvaluationStopped(f"a value nests deeper than {limits.JSON_DEPTH_MAX}")


def check_result(value: Value) -> None:
    """Raises `EvaluationStopped` for a result too deep or too large to be written; shared parts
    count as often as written.
    """
    if not isinstance(value, list | dict):
        return
    level: list[Value] = [value]
    weight = depth = 0
    while level:
        depth += 1
        _check_depth(depth)
        below: list[Value] = []
        for item in level:
            if isinstance(item, str):
                weight += len(item)
            elif isinstance(item, list):
                below += item
            elif isinstance(item, dict):
                below += item.values()
                weight += len("".join(item))
            else:
                continue
            if weight + len(below) > limits.FEEL_RESULT_WEIGHT_MAX:
                raise EvaluationStopped("its result is too large")
        weight += len(below)
        level = below
