"""Which rules of a decision table match: an index over their cells.

Sets of rules are ints with a bit for each. A column knows, for a value, the rules whose cell holds:
by a hash for constants that the input is equal to, by bisection for ranges. Cells with anything
else in them can fail, so they are evaluated as they would be in a walk: not after a cell of the
same rule that does not hold.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from grevy.feel import (
    INPUT,
    ConstantTests,
    EvaluationFailed,
    Expression,
    FeelRange,
    Scope,
    Session,
    Value,
    order_class,
    sort_key,
)
from grevy.feel.budget import Budget
from grevy.feel.values import SortKey, identity

Cell: TypeAlias = ConstantTests | Expression

_CELL_STEPS: Final = 4
"""What a cell costs that has to be evaluated."""

_TOGGLES_MAX: Final = 16
"""Changes between two sets of an order that are kept whole."""


class Matcher:
    """The rules of a table, by their cells."""

    __slots__ = ("_all", "_columns", "_rows")

    def __init__(self, rows: Sequence[Sequence[Cell]], width: int) -> None:
        """Rows with fewer cells than `width` hold for any value of the rest."""
        self._all = (1 << len(rows)) - 1
        self._columns = tuple(
            _Column([row[at] if at < len(row) else ConstantTests(is_any=True) for row in rows])
            for at in range(width)
        )
        self._rows = tuple(tuple(row[:width]) for row in rows)

    def matches(self, session: Session, values: Sequence[Value], scope: Scope) -> Iterator[int]:
        """The indexes of the rules that match, in their order. Raises `EvaluationFailed`."""
        alive = self._all
        session.charge(len(self._columns))
        try:
            for column, value in zip(self._columns, values, strict=True):
                alive &= column.holding(value, session) | column.tried(value, alive, session, scope)
        except EvaluationFailed:
            self._fail_as_the_walk(session, values, scope)
            raise
        return bits(alive)

    def _fail_as_the_walk(self, session: Session, values: Sequence[Value], scope: Scope) -> None:
        """Several cells may fail; the one to tell of is the first, rule by rule."""
        constant = [
            column.holding(value, session)
            for column, value in zip(self._columns, values, strict=True)
        ]
        inputs = [session.scope({INPUT: value}, scope) for value in values]
        for rule, row in enumerate(self._rows):
            for at, cell in enumerate(row):
                if isinstance(cell, Expression):
                    if session.evaluate(cell, inputs[at]) is not True:
                        break
                elif not constant[at] >> rule & 1:
                    break


class _Column:
    """The cells of one input."""

    __slots__ = ("_always", "_equal", "_open", "_orders")

    def __init__(self, cells: Iterable[Cell]) -> None:
        always: list[int] = []
        equal: dict[Hashable, list[int]] = {}
        ranges: dict[str, list[tuple[int, list[FeelRange]]]] = {}
        others: dict[Expression, list[int]] = {}
        for rule, cell in enumerate(cells):
            if isinstance(cell, Expression):
                others.setdefault(cell, []).append(rule)
            elif cell.is_any:
                always.append(rule)
            else:
                for value in cell.values:
                    equal.setdefault(_key(value), []).append(rule)
                for kind, spans in _by_order(cell.ranges).items():
                    ranges.setdefault(kind, []).append((rule, spans))
        self._always = _set(always)
        self._equal = {key: _set(rules) for key, rules in equal.items()}
        self._orders = {kind: _Order(spans) for kind, spans in ranges.items()}
        self._open = tuple((cell, _set(rules)) for cell, rules in others.items())

    def holding(self, value: Value, session: Session) -> int:
        """The rules whose cell is constant and holds for the value."""
        found = self._always
        if isinstance(value, list | dict):
            return found
        if self._equal:
            found |= self._equal.get(session.identity(value), 0)
        if self._orders:
            order = self._orders.get(order_class(value) or "")
            if order is not None:
                found |= order.around(sort_key(value))
        return found

    def tried(self, value: Value, alive: int, session: Session, scope: Scope) -> int:
        """The rules whose cell has to be evaluated and holds for the value. A text that stands in
        many rules is evaluated once, if one of them is `alive`. Raises `EvaluationFailed`.
        """
        found = 0
        if self._open:
            inner = session.scope({INPUT: value}, scope)
            for cell, rules in self._open:
                if alive & rules:
                    session.charge(_CELL_STEPS)
                    if session.evaluate(cell, inner) is True:
                        found |= rules
        return found


class _Order:
    """Ranges of values that can be ordered.

    The bounds cut the order into segments: what lies before the first bound, that bound, what lies
    between it and the second one, and so on. The set of rules of a segment is kept for some, and
    made for the others from the one before.
    """

    __slots__ = ("_bounds", "_kept", "_places", "_toggles")

    def __init__(self, rules: list[tuple[int, list[FeelRange]]]) -> None:
        keys = {
            sort_key(bound)
            for _, spans in rules
            for span in spans
            for bound in (span.start, span.end)
            if bound is not None
        }
        self._bounds: list[SortKey] = sorted(keys)
        places = {bound: 2 * at + 1 for at, bound in enumerate(self._bounds)}
        toggles: list[list[int]] = [[] for _ in range(2 * len(self._bounds) + 2)]
        for rule, spans in rules:
            for first, last in _merged([self._segments(span, places) for span in spans]):
                toggles[first].append(rule)
                toggles[last + 1].append(rule)
        self._toggles = list(map(tuple, toggles))
        self._places: list[int] = []
        self._kept: list[int] = []
        self._keep_some()

    def around(self, key: SortKey) -> int:
        """The rules with a range that has the value in it."""
        at = bisect_left(self._bounds, key)
        is_bound = at < len(self._bounds) and self._bounds[at] == key
        segment = 2 * at + is_bound
        place = bisect_right(self._places, segment) - 1
        found = self._kept[place]
        for later in range(self._places[place] + 1, segment + 1):
            for rule in self._toggles[later]:
                found ^= 1 << rule
        return found

    def _keep_some(self) -> None:
        found = changes = 0
        for segment, toggles in enumerate(self._toggles):
            for rule in toggles:
                found ^= 1 << rule
            changes += len(toggles)
            if segment == 0 or changes > _TOGGLES_MAX:
                self._places.append(segment)
                self._kept.append(found)
                changes = 0

    def _segments(self, span: FeelRange, places: Mapping[SortKey, int]) -> tuple[int, int]:
        """The first and the last segment of a range; `places` has the segments of bounds."""
        first, last = 0, 2 * len(self._bounds)
        if span.start is not None:
            first = places[sort_key(span.start)] + (0 if span.is_start_closed else 1)
        if span.end is not None:
            last = places[sort_key(span.end)] - (0 if span.is_end_closed else 1)
        return first, last


def bits(rules: int) -> Iterator[int]:
    """The rules of a set, in their order. As digits, since each step over an int copies it."""
    digits = f"{rules:b}"[::-1]
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)


def _set(rules: Iterable[int]) -> int:
    found = 0
    for rule in rules:
        found |= 1 << rule
    return found


def _key(value: Value) -> Hashable:
    return identity(value, Budget())  # constants have no parts, and cost nothing


def _by_order(ranges: Iterable[FeelRange]) -> dict[str, list[FeelRange]]:
    """The ranges by what they order; those that order nothing hold nothing."""
    found: dict[str, list[FeelRange]] = {}
    for span in ranges:
        start = None if span.start is None else order_class(span.start)
        end = start if span.end is None else order_class(span.end)
        if end is not None and (span.start is None or start == end):
            found.setdefault(end, []).append(span)
    return found


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans without those that are empty, joined where they overlap."""
    if len(spans) == 1 and spans[0][0] <= spans[0][1]:
        return spans
    found: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if first > last:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found
