"""Several expressions over the same variables: each variable is decoded once, and one budget is
theirs together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from grevy.feel.errors import EvaluationFailed, EvaluationStopped
from grevy.feel.expression import Expression
from grevy.feel.scope import BoxScope, Lookup, Run, Scope
from grevy.feel.values import Value, check_result, identity
from grevy.ports import Entropy

NAMES_PER_STEP: Final = 64
"""Copying names is cheap, but not free: this many count as one step."""


class Session:
    """What belongs together in time: the evaluation of a decision with all that it requires."""

    __slots__ = ("_run", "root")

    def __init__(
        self, lookup: Lookup, now_ms: int, *, steps: int, entropy: Entropy | None = None
    ) -> None:
        """As for `Expression.evaluate`; `steps` is the budget of all that is evaluated."""
        self._run = Run(lookup=lookup, now_ms=now_ms, entropy=entropy)
        self._run.steps = self._run.steps_max = steps
        self.root = Scope({}, None, self._run)

    def scope(self, names: Mapping[str, Value], parent: Scope | None = None) -> Scope:
        """Names that come before those of `parent`, or of the variables."""
        return Scope(dict(names), parent or self.root, self._run)

    def box(self, names: Mapping[str, Value], parent: Scope) -> Scope:
        """The entries of a boxed context, which hide functions of their names in `parent`, too."""
        self.charge(len(names) // NAMES_PER_STEP)
        return BoxScope(dict(names), parent, self._run)

    def evaluate(self, expression: Expression, scope: Scope) -> Value:
        """The value; raises `EvaluationFailed` when there is none."""
        run, height = self._run, expression.height
        try:
            run.enter(height)
            value = expression.code(scope)
            if type(value) in (list, dict):
                check_result(value)
        except EvaluationStopped as stop:
            raise EvaluationFailed(expression.failure_text(stop)) from None
        finally:
            run.leave(height)
        return value

    def identity(self, value: Value) -> Hashable:
        """A key that is the same for values that are equal."""
        try:
            return identity(value, self._run)
        except EvaluationStopped as stop:
            raise EvaluationFailed(stop.reason) from None

    def charge(self, steps: int) -> None:
        """Takes steps off the budget; raises `EvaluationFailed` when none are left."""
        try:
            self._run.charge(steps)
        except EvaluationStopped as stop:
            raise EvaluationFailed(stop.reason) from None

    @contextmanager
    def deeper(self, height: int) -> Iterator[None]:
        """Goes down `height` calls and comes back; raises `EvaluationFailed` where that is too
        deep.
        """
        try:
            self._run.enter(height)
            yield
        except EvaluationStopped as stop:
            raise EvaluationFailed(stop.reason) from None
        finally:
            self._run.leave(height)
