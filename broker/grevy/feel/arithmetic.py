"""Compiling arithmetic. See `compiler` for the whole.

Whole numbers and strings are added at once; the rest is left to the operators.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Final, TypeAlias

from grevy.feel import ast
from grevy.feel.decimals import CONTEXT, INT_END
from grevy.feel.operators import ARITHMETIC, NUMBER_TYPES, negate
from grevy.feel.scope import Code, Scope
from grevy.feel.values import Value

Build: TypeAlias = Callable[[ast.Node], Code]


def build_chain(node: ast.Chain, build: Build) -> Code:
    """`first op operand op operand …`, from left to right."""
    code = build(node.first)
    if len(node.rest) <= _NESTED_MAX:
        for name, operand in node.rest:
            code = _binary(name, code, build(operand))
        return code
    first = code
    rest = tuple((ARITHMETIC[name], build(operand)) for name, operand in node.rest)

    def calculate(scope: Scope) -> Value:
        run, value = scope.run, first(scope)
        for operate, operand in rest:
            value = operate(run, value, operand(scope))
        return value

    return calculate


_NESTED_MAX: Final = 4
"""Of so many operations each is a closure of its own; more would cost Python's stack."""


def _binary(name: str, left: Code, right: Code) -> Code:
    operate = ARITHMETIC[name]
    if name not in _ON_NUMBERS:
        return lambda scope: operate(scope.run, left(scope), right(scope))
    on_ints, on_decimals = _ON_NUMBERS[name]
    is_sum = name == "+"

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        kind, other = type(a), type(b)
        if kind is int and other is int:
            whole = on_ints(a, b)
            if -INT_END < whole < INT_END:
                return whole
        elif kind in _NUMBERS and other in _NUMBERS:
            try:
                result = on_decimals(a, b)
            except DecimalException:
                return operate(scope.run, a, b)
            return result or result.copy_abs()  # there is no negative zero
        elif is_sum and isinstance(a, str) and isinstance(b, str):
            return scope.run.check_text(a + b)
        return operate(scope.run, a, b)

    return calculate


_NUMBERS: Final = frozenset(NUMBER_TYPES)
_ON_NUMBERS: Final[dict[str, tuple[Callable[..., int], Callable[..., Decimal]]]] = {
    "+": (operator.add, CONTEXT.add),
    "-": (operator.sub, CONTEXT.subtract),
    "*": (operator.mul, CONTEXT.multiply),
}
"""What Python has for two ints, and for other numbers."""


def build_negation(node: ast.Negation, build: Build) -> Code:
    """`-operand`."""
    operand = build(node.operand)
    if isinstance(node.operand, ast.Literal) and type(node.operand.value) is int:
        constant = -node.operand.value
        return lambda _scope: constant
    return lambda scope: negate(scope.run, operand(scope))
