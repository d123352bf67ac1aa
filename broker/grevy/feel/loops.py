"""Compiling what repeats: filters, `for`, `some` and `every`. See `compiler` for the whole.

A loop makes one scope and changes its names from turn to turn, unless its body defines a function:
that keeps the scope of its turn. A turn costs as many steps as the body has nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import DecimalException
from typing import Final, TypeAlias

from grevy.feel import ast, decimals
from grevy.feel.access import item as item_at
from grevy.feel.comparisons import HOLDS, decide, kinds_like
from grevy.feel.errors import EvaluationStopped
from grevy.feel.moments import FeelDate
from grevy.feel.operators import NUMBER_TYPES, expect_boolean, expect_list, is_number
from grevy.feel.scope import Code, Run, Scope
from grevy.feel.text import shown
from grevy.feel.values import Value

Build: TypeAlias = Callable[[ast.Node], Code]
PARTIAL: Final = "partial"
"""The variable in which the body of a `for` finds the results so far."""
ITEM: Final = "item"
"""The variable in which the condition of a filter finds the item."""

# --- filters ---

_NEVER_A_NUMBER: Final = (
    ast.Comparison,
    ast.Between,
    ast.In,
    ast.InstanceOf,
    ast.Junction,
    ast.Quantified,
    ast.InputComparison,
    ast.InputInRange,
)
"""Conditions that cannot be the position of an item."""
_NEVER_A_POSITION: Final = (*_NEVER_A_NUMBER, ast.Call)
"""Conditions that are tried on the items at once, and not first on their own as a position in the
list.
"""

Select: TypeAlias = Callable[[Scope, list[Value]], Value]
"""The items of a list for which a condition holds, or the one that it is the position of."""


def build_filter(node: ast.Filter, build: Build) -> Code:
    """`base[condition]`."""
    source, condition = build(node.base), build(node.condition)
    cost = ast.measure(node.condition)[1] + 1
    select = _selection(node.condition, condition, cost)
    if isinstance(node.condition, _NEVER_A_POSITION):

        def select_at_once(scope: Scope) -> Value:
            items = source(scope)
            if type(items) is list or (items := expect_list(scope.run, items)) is not None:
                return select(scope, items)
            return None

        return select_at_once

    def select_or_pick(scope: Scope) -> Value:
        run = scope.run
        items = expect_list(run, source(scope))
        if items is None:
            return None
        warned = len(run.warnings)
        position = condition(scope)
        if isinstance(position, NUMBER_TYPES) and is_number(position):
            return item_at(items, position)
        del run.warnings[warned:]
        return select(scope, items)

    return select_or_pick


def _selection(node: ast.Node, condition: Code, cost: int) -> Select:
    if ast.defines_function(node):
        return lambda scope, items: _selected_apart(scope, items, condition, cost)
    if not isinstance(node, _NEVER_A_NUMBER):
        return lambda scope, items: _selected_or_picked(scope, items, condition, cost)
    if (
        isinstance(node, ast.Comparison)
        and isinstance(node.left, ast.Name)
        and isinstance(node.right, ast.Literal)
        and kinds_like(node.right.value)
    ):
        return _by_one_field(node.left.name, node.operator, node.right.value, condition, cost)
    return lambda scope, items: _selected(scope, items, condition, cost)


def _by_one_field(name: str, operator: str, constant: Value, condition: Code, cost: int) -> Select:
    """For `list[name op constant]`: items with a field of the constant's type are decided at
    once, others by the condition.
    """
    holds, kinds, is_item = HOLDS[operator], kinds_like(constant), name == ITEM

    def select(scope: Scope, items: list[Value]) -> Value:
        scope.run.charge(cost * len(items))
        selected: list[Value] = []
        for value in items:
            field = value
            if type(value) is dict:
                field = value.get(name)
            elif not is_item:
                field = None
            if type(field) in kinds:
                if holds(field, constant):
                    selected.append(value)
            elif condition(_item_scope(scope, value)) is True:
                selected.append(value)
        return selected

    return select


def _item_scope(scope: Scope, value: Value) -> Scope:
    """What the condition sees of an item: `item`, and the entries of a context."""
    around = Scope({ITEM: value}, scope, scope.run)
    return Scope(value, around, scope.run) if type(value) is dict else around


def _selected(scope: Scope, items: list[Value], condition: Code, cost: int) -> Value:
    run, selected = scope.run, []
    run.charge(cost * len(items))
    names: dict[str, Value] = {}
    around = Scope(names, scope, run)
    inside = Scope(names, around, run)
    for value in items:
        names[ITEM] = value
        if type(value) is dict:
            inside.names = value
            outcome = condition(inside)
        else:
            outcome = condition(around)
        if outcome is True:
            selected.append(value)
    return selected


def _selected_or_picked(scope: Scope, items: list[Value], condition: Code, cost: int) -> Value:
    """A number for the first item is a position, after all."""
    if items:
        scope.run.charge(cost)
        outcome = condition(_item_scope(scope, items[0]))
        if isinstance(outcome, NUMBER_TYPES) and is_number(outcome):
            return item_at(items, outcome)
        rest = _selected(scope, items[1:], condition, cost)
        assert isinstance(rest, list)
        return [items[0], *rest] if outcome is True else rest
    return []


def _selected_apart(scope: Scope, items: list[Value], condition: Code, cost: int) -> Value:
    """The same with a scope for each item."""
    run, selected = scope.run, []
    for value in items:
        run.charge(cost)
        outcome = condition(_item_scope(scope, value))
        if outcome is True:
            selected.append(value)
        elif value is items[0] and isinstance(outcome, NUMBER_TYPES) and is_number(outcome):
            return item_at(items, outcome)
    return selected


# --- iterations ---


class _NoList(Exception):
    """Something to iterate over is no list."""


def build_steps(node: ast.Steps, build: Build) -> Code:
    """`start..end` of an iteration: the numbers or days from one to the other, up or down."""
    start, end = build(node.start), build(node.end)

    def count(scope: Scope) -> Value:
        first, last = start(scope), end(scope)
        if isinstance(first, FeelDate) and isinstance(last, FeelDate):
            return [FeelDate(day) for day in _whole_steps(scope.run, first.day, last.day)]
        for bound in (first, last):
            if not is_number(bound):
                scope.run.warn("INVALID_TYPE", f"Expected number but found '{shown(bound)}'")
                raise _NoList
        assert isinstance(first, NUMBER_TYPES)
        assert isinstance(last, NUMBER_TYPES)
        if isinstance(first, int) and isinstance(last, int):
            return list(_whole_steps(scope.run, first, last))
        try:
            turns = decimals.to_index(decimals.subtract(last, first))
            steps = _whole_steps(scope.run, 0, turns)
            return [decimals.add(first, step) for step in steps]
        except DecimalException:
            raise EvaluationStopped("a range is out of range") from None

    return count


def _whole_steps(run: Run, first: int, last: int) -> range:
    run.check_list(abs(last - first) + 1)
    return range(first, last + 1) if first < last else range(first, last - 1, -1)


Source: TypeAlias = tuple[str, Code]


def _turns(scope: Scope, sources: tuple[Source, ...], at: int = 0) -> Iterator[Scope]:
    """A scope for each turn of nested loops; inner sources see the variables of outer ones."""
    name, source = sources[at]
    items = expect_list(scope.run, source(scope))
    if items is None:
        raise _NoList
    is_inner = at + 1 == len(sources)
    for item in items:
        turn = Scope({name: item}, scope, scope.run)
        if is_inner:
            yield turn
        else:
            yield from _turns(turn, sources, at + 1)


def _sources(iterators: tuple[tuple[str, ast.Node], ...], build: Build) -> tuple[Source, ...]:
    return tuple((name, build(node)) for name, node in iterators)


def build_quantified(node: ast.Quantified, build: Build) -> Code:
    """`some` and `every`: `or` and `and` over the turns."""
    sources = _sources(node.iterators, build)
    condition, is_every = build(node.condition), node.is_every
    cost = ast.measure(node.condition)[1] + 1

    def quantify(scope: Scope) -> Value:
        charge = scope.run.charge

        def outcomes() -> Iterator[Value]:
            for turn in _turns(scope, sources):
                charge(cost)
                yield condition(turn)

        try:
            return decide(scope.run, outcomes(), is_and=is_every)
        except _NoList:
            return None

    if len(sources) > 1 or ast.defines_function(node.condition):
        return quantify
    return _quantified(sources[0], condition, cost, is_every=is_every)


def _quantified(over: Source, condition: Code, cost: int, *, is_every: bool) -> Code:
    """Over one list, with one scope."""
    name, source = over
    decisive = not is_every

    def quantify(scope: Scope) -> Value:
        run = scope.run
        items = _items(scope, source)
        if items is None:
            return None
        names: dict[str, Value] = {}
        turn = Scope(names, scope, run)
        result: bool | None = is_every
        for names[name] in items:
            run.steps -= cost
            if run.steps < 0:
                run.charge(0)
            outcome = condition(turn)
            if outcome is decisive:
                return decisive
            if outcome is not is_every and result is not None:
                result = expect_boolean(run, outcome)
        return result

    return quantify


def _items(scope: Scope, source: Code) -> list[Value] | None:
    try:
        return expect_list(scope.run, source(scope))
    except _NoList:
        return None


def build_for(node: ast.For, build: Build) -> Code:
    """`for`: the list of what the body gives in each turn."""
    sources, body = _sources(node.iterators, build), build(node.body)
    cost = ast.measure(node.body)[1] + 1
    has_partial = ast.mentions(node.body, PARTIAL)

    def loop(scope: Scope) -> Value:
        run = scope.run
        results: list[Value] = []
        try:
            for turn in _turns(scope, sources):
                run.charge(cost)
                if has_partial:
                    run.charge(len(results))
                    turn.names[PARTIAL] = results.copy()
                results.append(body(turn))
        except _NoList:
            return None
        run.check_list(len(results))
        return results

    if len(sources) > 1 or has_partial or ast.defines_function(node.body):
        return loop
    return _loop(sources[0], body, cost)


def _loop(over: Source, body: Code, cost: int) -> Code:
    """Over one list, with one scope."""
    name, source = over

    def loop(scope: Scope) -> Value:
        items = _items(scope, source)
        if items is None:
            return None
        run = scope.run
        run.charge(cost * len(items))
        names: dict[str, Value] = {}
        turn = Scope(names, scope, run)
        results: list[Value] = []
        for names[name] in items:
            results.append(body(turn))
        run.check_list(len(results))
        return results

    return loop
