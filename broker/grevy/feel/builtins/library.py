"""What a built-in function is, and how one is defined: a name, its parameters with their types,
and a Python function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from grevy.feel.moments import Duration, FeelDate, FeelDateTime, FeelTime, Period
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import FeelFunction, FeelRange, Value


class CallFailed(Exception):
    """A built-in cannot give a value; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "number": (int, Decimal),
    "string": (str,),
    "list": (list,),
    "context": (dict,),
    "date": (FeelDate,),
    "time": (FeelTime,),
    "date and time": (FeelDateTime,),
    "duration": (Duration,),
    "period": (Period,),
    "range": (FeelRange,),
    "function": (FeelFunction,),
    "null": (type(None),),
}

Implementation: TypeAlias = Callable[..., Value]
"""Takes the run and a value for each parameter, of the types that were declared."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """One form of a built-in function. A variadic one takes all arguments from its last parameter
    on as a list.
    """

    name: str
    parameters: tuple[str, ...]
    types: tuple[frozenset[type] | None, ...]
    implementation: Implementation
    is_variadic: bool

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments by position."""
        own = len(self.parameters)
        return count == own or (self.is_variadic and count > own)

    def invoke(self, run: Run, values: list[Value]) -> Value:
        """Calls it with a value for each parameter; raises `CallFailed`."""
        for value, types in zip(values, self.types, strict=True):
            if types is not None and type(value) not in types:
                raise CallFailed(f"Illegal arguments: {all_shown(values)}")
        return self.implementation(run, *values)


def all_shown(values: Iterable[Value]) -> str:
    """The values as a message lists them."""
    return ", ".join(f"'{shown(value)}'" for value in values)


class Library:
    """A collection of built-ins that are defined one by one."""

    def __init__(self) -> None:
        self.functions: dict[str, list[Builtin]] = {}

    def define(
        self, name: str, *parameters: str, is_variadic: bool = False
    ) -> Callable[[Implementation], Implementation]:
        """Defines a form of the function `name`. A parameter is `name: type`, `name: type|type`,
        or `name` for any.
        """
        split = [parameter.partition(": ") for parameter in parameters]
        names = tuple(parameter for parameter, _, _ in split)
        types = tuple(_types_of(declared) for _, _, declared in split)

        def register(implementation: Implementation) -> Implementation:
            builtin = Builtin(name, names, types, implementation, is_variadic)
            # Decorators apply from the lowest up, and the uppermost form is to be tried first.
            self.functions.setdefault(name, []).insert(0, builtin)
            return implementation

        return register


def _types_of(declared: str) -> frozenset[type] | None:
    if not declared:
        return None
    return frozenset(kind for name in declared.split("|") for kind in _TYPES[name])
