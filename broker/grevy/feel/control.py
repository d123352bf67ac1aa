"""Compiling what decides: `if` and tests of the input. See `compiler`
for the whole.

A handler takes a node and `build`, which compiles the nodes below it, and gives a closure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from grevy.feel import ast
from grevy.feel.errors import EvaluationStopped
from grevy.feel.operators import (
    COMPARISONS,
    contains,
    expect_boolean,
    is_equal,
)
from grevy.feel.scope import INPUT, INPUT_SYMBOL, Code, Missing, Run, Scope
from grevy.feel.values import FeelRange, Value, equal, order_class

Build: TypeAlias = Callable[[ast.Node], Code]


def build_if(node: ast.If, build: Build) -> Code:
    """`if`: the value of the first branch whose condition is true; anything but true is false."""
    branches = tuple((build(condition), build(value)) for condition, value in node.branches)
    otherwise = build(node.otherwise)

    def choose(scope: Scope) -> Value:
        for condition, value in branches:
            holds = condition(scope)
            if holds is True:
                return value(scope)
            if holds is not False:
                expect_boolean(scope.run, holds)
        return otherwise(scope)

    return choose


# --- tests of the input ---


def build_input_symbol(_node: ast.InputSymbol, _build: Build) -> Code:
    """`?`: the input; without one there is no value at all."""

    def read(scope: Scope) -> Value:
        value = scope.find(INPUT_SYMBOL)
        if isinstance(value, Missing):
            raise EvaluationStopped(
                "No input value available. '?' can only be used inside an unary-test expression."
            )
        return value

    return read


def _input(scope: Scope) -> Value:
    value = scope.find(INPUT)
    if isinstance(value, Missing):
        scope.run.warn("NO_VARIABLE_FOUND", "No input value found.")
        return None
    return value


def build_input_comparison(node: ast.InputComparison, build: Build) -> Code:
    """`< x` and the like."""
    compare, operand = COMPARISONS[node.operator], build(node.operand)
    return lambda scope: compare(scope.run, _input(scope), operand(scope))


def build_input_in_range(node: ast.InputInRange, build: Build) -> Code:
    """`[a..b]` as a test."""
    start, end = build(node.range.start), build(node.range.end)
    is_start_closed, is_end_closed = node.range.is_start_closed, node.range.is_end_closed

    def test(scope: Scope) -> Value:
        whole = FeelRange(start(scope), end(scope), is_start_closed, is_end_closed)
        return contains(scope.run, whole, _input(scope))

    return test


def build_not(node: ast.Not, build: Build) -> Code:
    """`not(tests)`."""
    tests = build(node.tests)

    def test(scope: Scope) -> Value:
        outcome = expect_boolean(scope.run, tests(scope))
        return None if outcome is None else not outcome

    return test


def build_unary_test(node: ast.UnaryTest, build: Build) -> Code:
    """An expression as a test."""
    expression = build(node.expression)
    if ast.mentions(node.expression, INPUT_SYMBOL):

        def test_symbol(scope: Scope) -> Value:
            inner = Scope({INPUT_SYMBOL: _input(scope)}, scope, scope.run)
            outcome = expression(inner)
            return outcome if isinstance(outcome, bool) else None

        return test_symbol

    def test(scope: Scope) -> Value:
        return _fits(scope.run, _input(scope), expression(scope))

    return test


def _fits(run: Run, value: Value, tested: Value) -> bool | None:
    """Whether the input passes what an expression gave: true itself, the input, or something with
    the input in it.
    """
    if tested is True:
        return True
    if isinstance(tested, FeelRange):
        return contains(run, tested, value)
    if isinstance(tested, list) and any(_is_or_holds(run, item, value) for item in tested):
        return True
    outcome = is_equal(run, value, tested)
    if outcome or (tested is not False and not isinstance(tested, list)):
        return outcome
    return False


def _is_or_holds(run: Run, item: Value, value: Value) -> bool | None:
    if isinstance(item, FeelRange) and order_class(item.start) == order_class(value):
        return contains(run, item, value)
    return equal(item, value, run)
