"""Compiling what decides and repeats: `if`, `and`/`or`, loops, tests of the input. See `compiler`
for the whole.

A handler takes a node and `build`, which compiles the nodes below it, and gives a closure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import DecimalException
from typing import Final, TypeAlias

from grevy.feel import ast, decimals
from grevy.feel.errors import EvaluationStopped
from grevy.feel.moments import FeelDate
from grevy.feel.operators import (
    COMPARISONS,
    NUMBER_TYPES,
    contains,
    expect_boolean,
    expect_list,
    is_equal,
    is_number,
)
from grevy.feel.scope import INPUT, INPUT_SYMBOL, Code, Missing, Run, Scope
from grevy.feel.text import shown
from grevy.feel.values import FeelRange, Value, equal, order_class

Build: TypeAlias = Callable[[ast.Node], Code]
PARTIAL: Final = "partial"
"""The variable in which the body of a `for` finds the results so far."""


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


def build_junction(node: ast.Junction, build: Build) -> Code:
    """`and`, `or`, and lists of tests."""
    operands = tuple(map(build, node.operands))
    is_and = node.is_and

    def join(scope: Scope) -> Value:
        return decide(scope.run, (operand(scope) for operand in operands), is_and=is_and)

    return join


def decide(run: Run, outcomes: Iterator[Value], *, is_and: bool) -> bool | None:
    """`and` and `or` of any number: the first that decides does, else anything not boolean makes
    it null.

    Only the first that is not boolean is warned of.
    """
    decisive = not is_and
    result: bool | None = is_and
    for outcome in outcomes:
        if outcome is decisive:
            return decisive
        if result is not None and not isinstance(outcome, bool):
            result = expect_boolean(run, outcome)
    return result


def build_between(node: ast.Between, build: Build) -> Code:
    """`value between low and high`, both included."""
    value, low, high = build(node.value), build(node.low), build(node.high)

    def lies_between(scope: Scope) -> Value:
        run, inner = scope.run, value(scope)
        outcomes = (
            COMPARISONS[operator](run, inner, bound(scope))
            for operator, bound in ((">=", low), ("<=", high))
        )
        return decide(run, outcomes, is_and=True)

    return lies_between


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

    return quantify


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

    return loop


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


def build_in(node: ast.In, build: Build) -> Code:
    """`value in tests`: makes the value the input of the tests."""
    value, tests = build(node.value), build(node.tests)

    def test(scope: Scope) -> Value:
        return tests(Scope({INPUT: value(scope)}, scope, scope.run))

    return test


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
