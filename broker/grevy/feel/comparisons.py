"""Compiling what compares: `=`, `<` and the like, `between`, `in`, and `and`/`or` of them. See
`compiler` for the whole.

Nearly all that is compared are numbers and strings, and nearly always with a constant; those are
compared at once, and what they are not is left to the operators.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, TypeAlias

from grevy.feel import ast
from grevy.feel.operators import COMPARISONS, expect_boolean
from grevy.feel.scope import INPUT, Code, Run, Scope
from grevy.feel.values import Value

Build: TypeAlias = Callable[[ast.Node], Code]
Holds: TypeAlias = Callable[..., bool]

HOLDS: Final[dict[str, Holds]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""What the operators are for two numbers or two strings."""

_NUMBERS: Final = frozenset((int, Decimal))
_STRINGS: Final = frozenset((str,))


def kinds_like(value: Value) -> frozenset[type]:
    """The types of values that Python compares with this one as FEEL does; none for a value that
    is neither a number nor a string.
    """
    if type(value) in _NUMBERS:
        return _NUMBERS
    return _STRINGS if type(value) is str else frozenset()


def build_comparison(node: ast.Comparison, build: Build) -> Code:
    """`left op right`."""
    compare, holds = COMPARISONS[node.operator], HOLDS[node.operator]
    left, right = build(node.left), build(node.right)
    if isinstance(node.right, ast.Literal) and kinds_like(node.right.value):
        name = node.left.name if isinstance(node.left, ast.Name) else None
        return _with_constant(node.operator, left, node.right.value, name)

    def test(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        kind = type(a)
        if kind is str:
            if type(b) is str:
                return holds(a, b)
        elif (kind is int or kind is Decimal) and type(b) in _NUMBERS:
            return holds(a, b)
        return compare(scope.run, a, b)

    return test


def _with_constant(operator: str, left: Code, constant: Value, name: str | None) -> Code:
    """`name` is that of the variable on the left, if it is one."""
    compare, holds, kinds = COMPARISONS[operator], HOLDS[operator], kinds_like(constant)

    def test(scope: Scope) -> Value:
        names = scope.names
        value = names[name] if name in names else left(scope)
        if type(value) in kinds:
            return holds(value, constant)
        return compare(scope.run, value, constant)

    return test


def build_between(node: ast.Between, build: Build) -> Code:
    """`value between low and high`, both included."""
    value, low, high = build(node.value), build(node.low), build(node.high)
    at_least, at_most = COMPARISONS[">="], COMPARISONS["<="]

    def lies_between(scope: Scope) -> Value:
        run, inner = scope.run, value(scope)
        result: bool | None = True
        for compare, bound in ((at_least, low), (at_most, high)):
            outcome = compare(run, inner, bound(scope))
            if outcome is False:
                return False
            if outcome is None and result is not None:
                result = expect_boolean(run, outcome)
        return result

    return lies_between


def build_junction(node: ast.Junction, build: Build) -> Code:
    """`and`, `or`, and lists of tests."""
    operands = tuple(map(build, node.operands))
    is_and = node.is_and
    decisive = not is_and

    def join(scope: Scope) -> Value:
        result: bool | None = is_and
        for operand in operands:
            outcome = operand(scope)
            if outcome is decisive:
                return decisive
            if outcome is not is_and and result is not None:
                result = expect_boolean(scope.run, outcome)
        return result

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


def build_in(node: ast.In, build: Build) -> Code:
    """`value in tests`: makes the value the input of the tests."""
    value, tests = build(node.value), build(node.tests)
    is_inside = _range_of_constants(node.tests)

    def test(scope: Scope) -> Value:
        return tests(Scope({INPUT: value(scope)}, scope, scope.run))

    if is_inside is None:
        return test
    kinds, after, low, before, high = is_inside

    def test_range(scope: Scope) -> Value:
        tested = value(scope)
        if type(tested) in kinds:
            return after(tested, low) and before(tested, high)
        return tests(Scope({INPUT: tested}, scope, scope.run))

    return test_range


def _range_of_constants(
    tests: ast.Node,
) -> tuple[frozenset[type], Holds, Value, Holds, Value] | None:
    """Of a single range between two numbers or two strings: the types that lie within or without
    it, and how it is tested.
    """
    if not isinstance(tests, ast.InputInRange):
        return None
    start, end = tests.range.start, tests.range.end
    if not (isinstance(start, ast.Literal) and isinstance(end, ast.Literal)):
        return None
    kinds = kinds_like(start.value)
    if not kinds or kinds is not kinds_like(end.value):
        return None
    after = HOLDS[">=" if tests.range.is_start_closed else ">"]
    before = HOLDS["<=" if tests.range.is_end_closed else "<"]
    return kinds, after, start.value, before, end.value
