"""What an expression sees while it runs: one `Run` for each evaluation, and a chain of scopes of
names.

A variable of the process is fetched and decoded when it is first read, once in an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec import Struct

from grevy.feel.budget import Budget
from grevy.feel.errors import EvaluationStopped, FeelFormatError
from grevy.feel.json_codec import from_json
from grevy.feel.values import FeelFunction, Value
from grevy.ports import Entropy
from grevy.protocol import limits

Lookup: TypeAlias = Callable[[str], bytes | None]
"""The JSON text of a variable, or None when there is no variable of that name."""

INPUT: Final = "cellInput"
"""The variable that unary tests are about."""
INPUT_SYMBOL: Final = "?"


@dataclass(frozen=True, slots=True)
class FeelWarning:
    """Something that was null, or not as an expression took it to be. `kind` is Zeebe's word for
    it.
    """

    kind: str
    message: str


class Missing:
    """The type of `MISSING`."""


MISSING: Final = Missing()
"""No variable of that name; a null is a value."""


class Run(Budget, kw_only=True, eq=False):
    """One evaluation: its budget, its clock reading, its variables, its warnings so far."""

    lookup: Lookup
    now_ms: int
    entropy: Entropy | None = None
    warnings: list[FeelWarning] = []

    def warn(self, kind: str, message: str) -> None:
        """Notes a warning. Only the first ones are kept."""
        if len(self.warnings) < limits.FEEL_WARNINGS_MAX:
            self.warnings.append(FeelWarning(kind, message))

    def load(self, name: str) -> Value | Missing:
        """A variable of the process."""
        raw = self.lookup(name)
        if raw is None:
            return MISSING
        try:
            return from_json(raw)
        except FeelFormatError as error:
            raise EvaluationStopped(f"the variable '{name}' is {error}") from None


class Scope(Struct, eq=False):
    """Some names, and the scope around. The outermost one keeps what was loaded of the process's
    variables. A loop has one scope whose names it changes, unless its body defines a function,
    which would keep it.
    """

    names: dict[str, Value]
    parent: Scope | None
    run: Run

    def find(self, name: str) -> Value | Missing:
        """The value of a name, from here outwards."""
        scope = self
        while True:
            names = scope.names
            if name in names:
                return names[name]
            around = scope.parent
            if around is None:
                value = scope.run.load(name)
                if value is not MISSING:
                    names[name] = value  # type: ignore[assignment]  # it is not missing
                return value
            scope = around

    def find_function(self, name: str, fits: Callable[[FeelFunction], bool]) -> FeelFunction | None:
        """The nearest function of that name that `fits` the arguments. Variables of the process
        are never functions.
        """
        scope: Scope | None = self
        while scope is not None:
            function = scope.names.get(name)
            if isinstance(function, FeelFunction) and fits(function):
                return function
            if isinstance(scope, BoxScope) and name in scope.names:
                return None
            scope = scope.parent
        return None


class BoxScope(Scope, eq=False):
    """The entries of a boxed context of DMN. Other than in FEEL, as in Zeebe, an entry hides the
    functions of its name further out.
    """


Code: TypeAlias = Callable[[Scope], Value]
"""A compiled expression."""
