"""The logic of decisions, compiled: boxed expressions, each with what it gives in a scope.

Decision tables are in `tables`. Boxes may hold boxes; each level goes down the session's depth, so
that no nesting of models outgrows Python's stack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from msgspec import Struct

from grevy.dmn.sitting import Sitting, Trace
from grevy.dmn.types import Type, check_type
from grevy.feel import (
    EvaluationFailed,
    Expression,
    FeelFunction,
    Scope,
    Value,
    arranged,
)

LEVEL: Final = 2
"""What a box in a box uses of the depth of calls."""

CALL_STEPS: Final = 50
"""What a call from FEEL costs, with its report."""


class Logic(Protocol):
    """A boxed expression. `kind` is the word of records for it."""

    @property
    def kind(self) -> str: ...

    def evaluate(self, sitting: Sitting, scope: Scope, trace: Trace | None) -> Value:
        """The value; raises `EvaluationFailed`. What there is to report goes into `trace`."""
        ...


class Literal(Struct, frozen=True):
    """An expression."""

    expression: Expression
    kind: str = "LITERAL_EXPRESSION"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        return sitting.session.evaluate(self.expression, scope)


class Context(Struct, frozen=True):
    """Named entries, each of which sees those before it; with a `result` that is the value."""

    entries: tuple[tuple[str, Logic], ...]
    result: Logic | None
    kind: str = "CONTEXT"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        session = sitting.session
        found: dict[str, Value] = {}
        with session.deeper(LEVEL):
            for name, logic in self.entries:
                found[name] = boxed(logic.evaluate(sitting, session.box(found, scope), None))
            if self.result is not None:
                return self.result.evaluate(sitting, session.box(found, scope), None)
        return arranged(found)


class Items(Struct, frozen=True):
    """A list."""

    items: tuple[Logic, ...]
    kind: str = "LIST"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        return _all(self.items, sitting, scope)


class Relation(Struct, frozen=True):
    """A list of contexts with the same keys."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Logic, ...], ...]
    kind: str = "RELATION"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        return [
            arranged(dict(zip(self.columns, map(boxed, _all(row, sitting, scope)), strict=True)))
            for row in self.rows
        ]


class Parameter(Struct, frozen=True):
    """What a function takes."""

    name: str
    type: Type | None = None


class Function(Struct, frozen=True):
    """A function that a context defines; it sees the scope in which it stands."""

    parameters: tuple[Parameter, ...]
    body: Logic
    kind: str = "FUNCTION"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        names = tuple(parameter.name for parameter in self.parameters)

        def invoke(values: list[Value]) -> Value:
            inner = sitting.session.scope(dict(zip(names, values, strict=True)), scope)
            return tolerant(sitting, self.body, inner)

        return FeelFunction(names, invoke)


class Callee(Protocol):
    """A business knowledge model, or a decision service."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> tuple[Parameter, ...]: ...

    def call(self, sitting: Sitting, values: dict[str, Value], scope: Scope) -> Value:
        """The value for a value of each parameter, with what is seen in a scope; raises
        `EvaluationFailed`.
        """
        ...


class Invocation(Struct, frozen=True):
    """A call with named arguments. Those that are no parameters are evaluated for nothing. What is
    called sees what its caller sees, as in Zeebe.
    """

    callee: Callee
    bindings: tuple[tuple[str, Logic], ...]
    kind: str = "INVOCATION"

    def evaluate(self, sitting: Sitting, scope: Scope, _trace: Trace | None) -> Value:
        """See `Logic`."""
        values = {name: logic.evaluate(sitting, scope, None) for name, logic in self.bindings}
        arguments = {}
        for parameter in self.callee.parameters:
            if parameter.name not in values:
                raise EvaluationFailed(f"no parameter found with name '{parameter.name}'")
            arguments[parameter.name] = value = values[parameter.name]
            check_type(parameter.type, value)
        return self.callee.call(sitting, arguments, scope)


def boxed(value: Value) -> Value:
    """A value as an entry of a boxed context."""
    return replace(value, is_boxed=True) if isinstance(value, FeelFunction) else value


def function_of(sitting: Sitting, callee: Callee, scope: Scope) -> FeelFunction:
    """What FEEL can call: null for arguments of a wrong type, and when it fails. `scope` is what it
    sees besides its parameters.
    """
    parameters = callee.parameters

    def invoke(values: list[Value]) -> Value:
        sitting.session.charge(CALL_STEPS)
        try:
            for parameter, value in zip(parameters, values, strict=True):
                check_type(parameter.type, value)
            arguments = {p.name: value for p, value in zip(parameters, values, strict=True)}
            return callee.call(sitting, arguments, scope)
        except EvaluationFailed:
            _check_end(sitting)
            return None

    return FeelFunction(tuple(parameter.name for parameter in parameters), invoke)


def tolerant(sitting: Sitting, logic: Logic, scope: Scope) -> Value:
    """The value where FEEL asks for it: null when it fails, unless the budget is used up."""
    session = sitting.session
    session.charge(CALL_STEPS)
    try:
        with session.deeper(LEVEL):
            return logic.evaluate(sitting, scope, None)
    except EvaluationFailed:
        _check_end(sitting)
        return None


def _check_end(sitting: Sitting) -> None:
    """FEEL gets null for a call that failed, unless that was the end of the whole evaluation."""
    if sitting.is_over:
        raise EvaluationFailed("it evaluates too much")
    sitting.session.charge(0)


def _all(items: Sequence[Logic], sitting: Sitting, scope: Scope) -> list[Value]:
    with sitting.session.deeper(LEVEL):
        return [item.evaluate(sitting, scope, None) for item in items]
