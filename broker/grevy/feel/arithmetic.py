"""Compiling arithmetic. See `compiler` for the whole.

Whole numbers and strings are added at once; the rest is left to the operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from grevy.feel import ast
from grevy.feel.decimals import INT_END
from grevy.feel.operators import ARITHMETIC, negate
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
    special = _SPECIAL.get(name)
    if special is not None:
        return special(left, right)
    operate = ARITHMETIC[name]
    return lambda scope: operate(scope.run, left(scope), right(scope))


def _sum(left: Code, right: Code) -> Code:
    add = ARITHMETIC["+"]

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int:
            total = a + b
            if -INT_END < total < INT_END:
                return total
        elif type(a) is str and type(b) is str:
            return scope.run.check_text(a + b)
        return add(scope.run, a, b)

    return calculate


def _difference(left: Code, right: Code) -> Code:
    subtract = ARITHMETIC["-"]

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int:
            rest = a - b
            if -INT_END < rest < INT_END:
                return rest
        return subtract(scope.run, a, b)

    return calculate


def _product(left: Code, right: Code) -> Code:
    multiply = ARITHMETIC["*"]

    def calculate(scope: Scope) -> Value:
        a, b = left(scope), right(scope)
        if type(a) is int and type(b) is int:
            product = a * b
            if -INT_END < product < INT_END:
                return product
        return multiply(scope.run, a, b)

    return calculate


_SPECIAL: Final[dict[str, Callable[[Code, Code], Code]]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
}


def build_negation(node: ast.Negation, build: Build) -> Code:
    """`-operand`."""
    operand = build(node.operand)
    if isinstance(node.operand, ast.Literal) and type(node.operand.value) is int:
        constant = -node.operand.value
        return lambda _scope: constant
    return lambda scope: negate(scope.run, operand(scope))
