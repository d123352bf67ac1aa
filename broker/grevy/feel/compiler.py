"""Trees into closures: each node becomes a Python function of the scope. No code is generated,
nothing is evaluated.

The handlers of one node each are in `control` (what decides and repeats), `functions` (calls) and
here (the rest).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, cast

from grevy.feel import ast, control, functions
from grevy.feel.access import entry, item
from grevy.feel.entries import key_order
from grevy.feel.operators import (
    ARITHMETIC,
    COMPARISONS,
    NUMBER_TYPES,
    expect_list,
    is_number,
    negate,
)
from grevy.feel.scope import Code, Missing, Scope
from grevy.feel.text import shown
from grevy.feel.types import build_instance_of
from grevy.feel.values import FeelRange, Value, order_class

Build: TypeAlias = Callable[[ast.Node], Code]
NodeT = TypeVar("NodeT")

_SMALL: Final = 10**34
"""Sums and products of ints below it need no rounding."""


def compile_node(node: ast.Node) -> Code:
    """The closure of a tree. Its recursion is as deep as the tree is high, which the parser
    limits.
    """
    return _HANDLERS[type(node)](node)


def _literal(node: ast.Literal, _build: Build) -> Code:
    value = node.value
    return lambda _scope: value


def _name(node: ast.Name, _build: Build) -> Code:
    name = node.name

    def read(scope: Scope) -> Value:
        names = scope.names
        if name in names:
            return names[name]
        value = scope.find(name)
        if isinstance(value, Missing):
            scope.run.warn("NO_VARIABLE_FOUND", f"No variable found with name '{name}'")
            return None
        return value

    return read


def _path(node: ast.Path, build: Build) -> Code:
    """A path from a variable is one step: where the variable is missing, its keys are not warned
    of.
    """
    keys = [node.key]
    base = node.base
    while isinstance(base, ast.Path):
        keys.append(base.key)
        base = base.base
    if isinstance(base, ast.Name):
        return _path_of_variable(base.name, tuple(reversed(keys)))
    source, key = build(node.base), node.key
    return lambda scope: entry(scope.run, source(scope), key)


def _path_of_variable(name: str, keys: tuple[str, ...]) -> Code:
    def follow(scope: Scope) -> Value:
        value = scope.find(name)
        if isinstance(value, Missing):
            scope.run.warn("NO_VARIABLE_FOUND", f"No variable found with name '{name}'")
            return None
        for key in keys:
            if type(value) is dict and key in value:
                value = value[key]
            else:
                value = entry(scope.run, value, key)
        return value

    return follow


def _list_of(node: ast.ListOf, build: Build) -> Code:
    items = tuple(map(build, node.items))
    return lambda scope: [make(scope) for make in items]


def _context_of(node: ast.ContextOf, build: Build) -> Code:
    entries = tuple((key, build(value)) for key, value in node.entries)
    order = key_order(dict(entries))

    def make(scope: Scope) -> Value:
        context: dict[str, Value] = {}
        inner = Scope(context, scope, scope.run)
        for key, value in entries:
            context[key] = value(inner)
        return {key: context[key] for key in order}

    return make


def _range_of(node: ast.RangeOf, build: Build) -> Code:
    start, end = build(node.start), build(node.end)
    is_start_closed, is_end_closed = node.is_start_closed, node.is_end_closed

    def make(scope: Scope) -> Value:
        whole = FeelRange(start(scope), end(scope), is_start_closed, is_end_closed)
        order = order_class(whole.start)
        if order is None or order != order_class(whole.end):
            scope.run.warn("INVALID_TYPE", f"Invalid range definition '{shown(whole)}'")
            return None
        return whole

    return make


# --- operators ---


def _chain(node: ast.Chain, build: Build) -> Code:
    first = build(node.first)
    rest = tuple((ARITHMETIC[operator], build(operand)) for operator, operand in node.rest)
    if len(rest) == 1 and node.rest[0][0] in _FAST:
        return _FAST[node.rest[0][0]](first, rest[0][1])

    def calculate(scope: Scope) -> Value:
        run, value = scope.run, first(scope)
        for operate, operand in rest:
            value = operate(run, value, operand(scope))
        return value

    return calculate


def _sum(left: Code, right: Code) -> Code:
    add = ARITHMETIC["+"]

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int and -_SMALL < a + b < _SMALL:
            return a + b
        return add(scope.run, a, b)

    return calculate


def _difference(left: Code, right: Code) -> Code:
    subtract = ARITHMETIC["-"]

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int and -_SMALL < a - b < _SMALL:
            return a - b
        return subtract(scope.run, a, b)

    return calculate


_FAST: Final[dict[str, Callable[[Code, Code], Code]]] = {"+": _sum, "-": _difference}


def _negation(node: ast.Negation, build: Build) -> Code:
    operand = build(node.operand)
    return lambda scope: negate(scope.run, operand(scope))


def _comparison(node: ast.Comparison, build: Build) -> Code:
    compare, compare_alike = COMPARISONS[node.operator], _ALIKE[node.operator]
    left, right = build(node.left), build(node.right)

    def test(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int:
            return compare_alike(a, b)
        return compare(scope.run, a, b)

    return test


_ALIKE: Final[dict[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


# --- filters ---

_NEVER_A_POSITION: Final = (
    ast.Comparison,
    ast.Call,
    ast.Between,
    ast.In,
    ast.InstanceOf,
    ast.Junction,
    ast.Quantified,
    ast.InputComparison,
    ast.InputInRange,
)
"""Conditions that are tried on the items at once, and not first on their own as a position in the
list.
"""


def _filter(node: ast.Filter, build: Build) -> Code:
    source, condition = build(node.base), build(node.condition)
    cost = ast.measure(node.condition)[1] + 1
    is_position_first = not isinstance(node.condition, _NEVER_A_POSITION)

    def select(scope: Scope) -> Value:
        run = scope.run
        items = expect_list(run, source(scope))
        if items is None:
            return None
        if is_position_first:
            warned = len(run.warnings)
            position = condition(scope)
            if isinstance(position, NUMBER_TYPES) and is_number(position):
                return item(items, position)
            del run.warnings[warned:]
        return _selected(scope, items, condition, cost)

    return select


def _selected(scope: Scope, items: list[Value], condition: Code, cost: int) -> Value:
    """The items for which the condition is true. A number for the first one is a position, after
    all.
    """
    run, selected = scope.run, []
    for value in items:
        run.charge(cost)
        inner = Scope({"item": value}, scope, run)
        if type(value) is dict:
            inner = Scope(value, inner, run)
        outcome = condition(inner)
        if outcome is True:
            selected.append(value)
        elif value is items[0] and isinstance(outcome, NUMBER_TYPES) and is_number(outcome):
            return item(items, outcome)
    return selected


def _with_build(handler: Callable[[NodeT, Build], Code]) -> Callable[[ast.Node], Code]:
    return lambda node: handler(cast(NodeT, node), compile_node)


_HANDLERS: Final[dict[type, Callable[[ast.Node], Code]]] = {
    ast.Literal: _with_build(_literal),
    ast.Name: _with_build(_name),
    ast.Path: _with_build(_path),
    ast.Filter: _with_build(_filter),
    ast.ListOf: _with_build(_list_of),
    ast.ContextOf: _with_build(_context_of),
    ast.RangeOf: _with_build(_range_of),
    ast.Chain: _with_build(_chain),
    ast.Negation: _with_build(_negation),
    ast.Comparison: _with_build(_comparison),
    ast.InstanceOf: _with_build(build_instance_of),
    ast.Between: _with_build(control.build_between),
    ast.Junction: _with_build(control.build_junction),
    ast.If: _with_build(control.build_if),
    ast.Steps: _with_build(control.build_steps),
    ast.For: _with_build(control.build_for),
    ast.Quantified: _with_build(control.build_quantified),
    ast.In: _with_build(control.build_in),
    ast.InputSymbol: _with_build(control.build_input_symbol),
    ast.InputComparison: _with_build(control.build_input_comparison),
    ast.InputInRange: _with_build(control.build_input_in_range),
    ast.UnaryTest: _with_build(control.build_unary_test),
    ast.Not: _with_build(control.build_not),
    ast.Call: _with_build(functions.build_call),
    ast.FunctionOf: _with_build(functions.build_function),
}
