"""Texts that need no evaluation: tests of the input against constants, and constants themselves.

Who has thousands of them, as a large decision table does, keeps an index over the constants and
compiles only the rest. `short_cell` and `short_entry` know the most common ones without parsing.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from grevy.feel import ast, decimals, short_forms
from grevy.feel.expression import Expression
from grevy.feel.operators import NUMBER_TYPES, is_number
from grevy.feel.parser import parse
from grevy.feel.values import FeelRange, Value


class ConstantTests(Struct, frozen=True):
    """Unary tests that hold for any input, for those equal to one of `values`, and for those in
    one of `ranges`, where an end that is None is no bound. Values with parts are not among them.
    """

    is_any: bool = False
    values: tuple[Value, ...] = ()
    ranges: tuple[FeelRange, ...] = ()


class Constant(Struct, frozen=True):
    """An expression that has the same value always."""

    value: Value


ANY: ConstantTests = ConstantTests(is_any=True)


def short_cell(text: str) -> ConstantTests | None:
    """The tests of a text that is in a short form; None says nothing of it."""
    if text in ("true", "false"):
        return ConstantTests(values=(text == "true",))
    if short_forms.is_string(text):
        return ConstantTests(values=(text[1:-1],))
    values = short_forms.scalars(text)
    if values is not None:
        return ConstantTests(values=values)
    span = short_forms.span(text)
    return None if span is None else ConstantTests(ranges=(span,))


def short_entry(text: str) -> Constant | None:
    """The constant of a text that is in a short form; None says nothing of it."""
    if short_forms.is_string(text):
        return Constant(text[1:-1])
    return Constant(short_forms.scalar(text)) if short_forms.is_scalar(text) else None


def parse_cell(text: str) -> ConstantTests | Expression:
    """Parses unary tests. Raises `FeelSyntaxError`."""
    if text == "-":
        return ANY
    node = parse(text, is_unary_tests=True)
    return _tests(node) or Expression(text, node)


def parse_entry(text: str, names: Iterable[str] = ()) -> Constant | Expression:
    """Parses an expression. Raises `FeelSyntaxError`."""
    node = parse(text, names)
    value = _scalar(node)
    return Expression(text, node) if value is None else value


def _scalar(node: ast.Node) -> Constant | None:
    """A constant without parts."""
    if isinstance(node, ast.Literal):
        return Constant(node.value)
    if isinstance(node, ast.Negation) and isinstance(node.operand, ast.Literal):
        number = node.operand.value
        if isinstance(number, NUMBER_TYPES) and is_number(number):
            return Constant(decimals.negate(number))
    return None


def _tests(node: ast.Node) -> ConstantTests | None:
    if isinstance(node, ast.Literal):  # what the parser makes of `-`
        return ANY if node.value is True else None
    if isinstance(node, ast.UnaryTest):
        equal = _scalar(node.expression)
        # `true` as the value of an expression is a test that was passed.
        return (
            None if equal is None or equal.value is True else ConstantTests(values=(equal.value,))
        )
    if isinstance(node, ast.InputComparison):
        return _comparison(node)
    if isinstance(node, ast.InputInRange):
        start, end = _scalar(node.range.start), _scalar(node.range.end)
        if start is None or end is None or start.value is None or end.value is None:
            return None
        whole = FeelRange(
            start.value, end.value, node.range.is_start_closed, node.range.is_end_closed
        )
        return ConstantTests(ranges=(whole,))
    if isinstance(node, ast.Junction) and not node.is_and:
        return _union(list(map(_tests, node.operands)))
    return None


def _comparison(node: ast.InputComparison) -> ConstantTests | None:
    operand = _scalar(node.operand)
    if operand is None or node.operator == "!=":
        return None
    bound = operand.value
    if node.operator == "=":
        return ConstantTests(values=(bound,))
    if bound is None:
        return None
    is_closed = node.operator in ("<=", ">=")
    if node.operator in (">", ">="):
        return ConstantTests(ranges=(FeelRange(bound, None, is_closed, False),))
    return ConstantTests(ranges=(FeelRange(None, bound, False, is_closed),))


def _union(parts: list[ConstantTests | None]) -> ConstantTests | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return ConstantTests(
        any(part.is_any for part in known),
        tuple(value for part in known for value in part.values),
        tuple(whole for part in known for whole in part.ranges),
    )
