"""Trees into closures: each node becomes a Python function of the scope. No code is generated,
nothing is evaluated.

The handlers of one node each are in `arithmetic`, `comparisons`, `control` (what decides), `loops`
(what repeats), `functions` (calls) and here (the rest).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, cast

from grevy.feel import arithmetic, ast, comparisons, control, functions, loops
from grevy.feel.access import entry
from grevy.feel.entries import key_order
from grevy.feel.scope import Code, Missing, Scope
from grevy.feel.text import shown
from grevy.feel.types import build_instance_of
from grevy.feel.values import FeelRange, Value, order_class

Build: TypeAlias = Callable[[ast.Node], Code]
NodeT = TypeVar("NodeT")


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
        names = scope.names
        value = names[name] if name in names else scope.find(name)
        for key in keys:
            if type(value) is dict and key in value:
                value = value[key]
            elif isinstance(value, Missing):
                break
            else:
                value = entry(scope.run, value, key)
        if isinstance(value, Missing):
            scope.run.warn("NO_VARIABLE_FOUND", f"No variable found with name '{name}'")
            return None
        return value

    return follow


def _list_of(node: ast.ListOf, build: Build) -> Code:
    items = tuple(map(build, node.items))
    return lambda scope: [make(scope) for make in items]


def _context_of(node: ast.ContextOf, build: Build) -> Code:
    entries = tuple((key, build(value)) for key, value in node.entries)
    order = key_order(dict(entries))
    is_in_order = order == list(dict(entries))

    def make(scope: Scope) -> Value:
        context: dict[str, Value] = {}
        inner = Scope(context, scope, scope.run)
        for key, value in entries:
            context[key] = value(inner)
        return context if is_in_order else {key: context[key] for key in order}

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


def _with_build(handler: Callable[[NodeT, Build], Code]) -> Callable[[ast.Node], Code]:
    return lambda node: handler(cast(NodeT, node), compile_node)


_HANDLERS: Final[dict[type, Callable[[ast.Node], Code]]] = {
    ast.Literal: _with_build(_literal),
    ast.Name: _with_build(_name),
    ast.Path: _with_build(_path),
    ast.Filter: _with_build(loops.build_filter),
    ast.ListOf: _with_build(_list_of),
    ast.ContextOf: _with_build(_context_of),
    ast.RangeOf: _with_build(_range_of),
    ast.Chain: _with_build(arithmetic.build_chain),
    ast.Negation: _with_build(arithmetic.build_negation),
    ast.Comparison: _with_build(comparisons.build_comparison),
    ast.InstanceOf: _with_build(build_instance_of),
    ast.Between: _with_build(comparisons.build_between),
    ast.Junction: _with_build(comparisons.build_junction),
    ast.If: _with_build(control.build_if),
    ast.Steps: _with_build(loops.build_steps),
    ast.For: _with_build(loops.build_for),
    ast.Quantified: _with_build(loops.build_quantified),
    ast.In: _with_build(comparisons.build_in),
    ast.InputSymbol: _with_build(control.build_input_symbol),
    ast.InputComparison: _with_build(control.build_input_comparison),
    ast.InputInRange: _with_build(control.build_input_in_range),
    ast.UnaryTest: _with_build(control.build_unary_test),
    ast.Not: _with_build(control.build_not),
    ast.Call: _with_build(functions.build_call),
    ast.FunctionOf: _with_build(functions.build_function),
}
