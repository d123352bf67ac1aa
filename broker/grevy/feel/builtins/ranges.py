"""Built-ins that compare points and ranges: Allen's relations, with open and closed ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from grevy.feel import ast
from grevy.feel.builtins.library import CallFailed, Library, all_shown
from grevy.feel.errors import FeelSyntaxError, quote
from grevy.feel.parser import parse
from grevy.feel.scope import Run
from grevy.feel.values import FeelRange, Value, less, order_class

LIBRARY: Final = Library()


class _Bound(NamedTuple):
    value: Value
    is_closed: bool


class _Span(NamedTuple):
    """A range, or a point as a closed range of its own."""

    start: _Bound
    end: _Bound


Relation: TypeAlias = Callable[[_Span, _Span], bool]


def _span(value: Value) -> _Span:
    if isinstance(value, FeelRange):
        return _Span(
            _Bound(value.start, value.is_start_closed), _Bound(value.end, value.is_end_closed)
        )
    return _Span(_Bound(value, True), _Bound(value, True))


def _is_same(left: _Bound, right: _Bound) -> bool:
    return not less(left.value, right.value) and not less(right.value, left.value)


def _meet(left: _Bound, right: _Bound) -> bool:
    """Whether two bounds are one point that belongs to both."""
    return left.is_closed and right.is_closed and _is_same(left, right)


def _starts_earlier(left: _Bound, right: _Bound) -> bool:
    """Whether a start takes in all that another start does; both may be the same."""
    if _is_same(left, right):
        return left.is_closed or not right.is_closed
    return less(left.value, right.value)


def _ends_later(left: _Bound, right: _Bound) -> bool:
    """Whether an end takes in all that another end does; both may be the same."""
    if _is_same(left, right):
        return left.is_closed or not right.is_closed
    return less(right.value, left.value)


def _before(left: _Span, right: _Span) -> bool:
    if _is_same(left.end, right.start):
        return not _meet(left.end, right.start)
    return less(left.end.value, right.start.value)


def _overlaps(left: _Span, right: _Span) -> bool:
    return not _before(left, right) and not _before(right, left)


def _overlaps_before(left: _Span, right: _Span) -> bool:
    starts_before = _starts_earlier(left.start, right.start) and left.start != right.start
    return starts_before and not _before(left, right) and _ends_later(right.end, left.end)


def _includes(left: _Span, right: _Span) -> bool:
    return _starts_earlier(left.start, right.start) and _ends_later(left.end, right.end)


def _finishes(left: _Span, right: _Span) -> bool:
    return (
        left.end.is_closed == right.end.is_closed
        and _is_same(left.end, right.end)
        and _starts_earlier(right.start, left.start)
    )


def _starts(left: _Span, right: _Span) -> bool:
    return (
        left.start.is_closed == right.start.is_closed
        and _is_same(left.start, right.start)
        and _ends_later(right.end, left.end)
    )


def _coincides(left: _Span, right: _Span) -> bool:
    return _includes(left, right) and _includes(right, left)


@LIBRARY.define("range", "from: string")
def _range(_run: Run, source: str) -> Value:
    """Reads a range of literals, such as `[1..10)` or `[@"2026-01-01"..@"2026-12-31"]`."""
    try:
        node = parse(source)
    except FeelSyntaxError:
        node = None
    if isinstance(node, ast.InputInRange):
        start, end = node.range.start, node.range.end
        if isinstance(start, ast.Literal) and isinstance(end, ast.Literal):
            order = order_class(start.value)
            is_ordered = order is not None and order == order_class(end.value)
            if is_ordered and not less(end.value, start.value):
                bounds = node.range.is_start_closed, node.range.is_end_closed
                return FeelRange(start.value, end.value, *bounds)
    raise CallFailed(f"Failed to parse range from '{quote(source)}'")


def _flipped(relation: Relation) -> Relation:
    return lambda left, right: relation(right, left)


_POINTS: Final = ("point1", "point2")
_POINT_RANGE: Final = ("point", "range")
_RANGE_POINT: Final = ("range", "point")
_RANGES: Final = ("range1", "range2")


def _define(name: str, relation: Relation, *forms: tuple[str, str]) -> None:
    """Defines a relation for the forms of arguments that it has; which one is meant the values
    tell.
    """
    accepted = {(first.startswith("range"), second.startswith("range")) for first, second in forms}

    def relate(_run: Run, left: Value, right: Value) -> Value:
        is_accepted = (isinstance(left, FeelRange), isinstance(right, FeelRange)) in accepted
        first, second = _span(left), _span(right)
        order = order_class(first.start.value)
        if not is_accepted or order in (None, "string") or order != order_class(second.start.value):
            raise CallFailed(f"Illegal arguments: {all_shown((left, right))}")
        return relation(first, second)

    for form in forms:
        LIBRARY.define(name, *form)(relate)


_define("before", _before, _POINTS, _POINT_RANGE, _RANGE_POINT, _RANGES)
_define("after", _flipped(_before), _POINTS, _POINT_RANGE, _RANGE_POINT, _RANGES)
_define("meets", lambda left, right: _meet(left.end, right.start), _RANGES)
_define("met by", lambda left, right: _meet(left.start, right.end), _RANGES)
_define("overlaps", _overlaps, _RANGES)
_define("overlaps before", _overlaps_before, _RANGES)
_define("overlaps after", _flipped(_overlaps_before), _RANGES)
_define("finishes", _finishes, _POINT_RANGE, _RANGES)
_define("finished by", _flipped(_finishes), _RANGE_POINT, _RANGES)
_define("includes", _includes, _RANGE_POINT, _RANGES)
_define("during", _flipped(_includes), _POINT_RANGE, _RANGES)
_define("starts", _starts, _POINT_RANGE, _RANGES)
_define("started by", _flipped(_starts), _RANGE_POINT, _RANGES)
_define("coincides", _coincides, _POINTS, _RANGES)
