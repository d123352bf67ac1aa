"""What the room gives out: expressions that were parsed once, to be evaluated often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from grevy.feel import ast
from grevy.feel.compiler import compile_node
from grevy.feel.errors import EvaluationStopped, quote
from grevy.feel.parser import parse
from grevy.feel.scope import FeelWarning, Lookup, Run, Scope
from grevy.feel.values import Value, check_result
from grevy.feel.variables import free_names
from grevy.ports import Entropy
from grevy.protocol import limits


class Evaluation(Struct):
    """What an evaluation gave.

    `failure` is None, or a sentence that says why there is no value: `assert` failed, a budget is
    used up. Then `value` is None. `warnings` say what was null or not comparable on the way; a
    result may well be right in spite of them.
    """

    value: Value
    warnings: tuple[FeelWarning, ...]
    failure: str | None


class Expression:
    """A compiled expression; immutable, so it may be cached and shared.

    `code` is the closure, for whoever brings a scope (`Session`); it raises `EvaluationStopped`.
    """

    __slots__ = ("_depth", "code", "text", "variables")

    def __init__(self, text: str, node: ast.Node) -> None:
        """Use `parse_expression` or `parse_unary_tests`."""
        self.text = text
        self.variables = free_names(node)
        self._depth = limits.FEEL_CALL_DEPTH_MAX - ast.measure(node)[0]
        self.code = compile_node(node)

    def evaluate(
        self,
        lookup: Lookup,
        now_ms: int,
        *,
        bindings: Mapping[str, Value] | None = None,
        entropy: Entropy | None = None,
    ) -> Evaluation:
        """Evaluates with the variables that `lookup` has, as JSON, at the time `now_ms`
        (milliseconds since the epoch).

        `bindings` are variables that are values already (dates, functions); they come before
        `lookup`. `entropy` is what `uuid()` and `random number()` draw from; without it they are
        null, with a warning. Never raises for bad data.
        """
        run = Run(lookup=lookup, now_ms=now_ms, entropy=entropy, depth=self._depth)
        try:
            value = self.code(Scope({} if bindings is None else dict(bindings), None, run))
            if type(value) is list or type(value) is dict:
                check_result(value)
        except EvaluationStopped as stop:
            return Evaluation(None, tuple(run.warnings), self.failure_text(stop))
        warnings = run.warnings
        return Evaluation(value, tuple(warnings) if warnings else (), None)

    @property
    def height(self) -> int:
        """What `code` uses of the depth of calls."""
        return limits.FEEL_CALL_DEPTH_MAX - self._depth

    def failure_text(self, stop: EvaluationStopped) -> str:
        """Why there is no value."""
        if stop.is_assertion:
            return (
                f"Assertion failure on evaluate the expression '{quote(self.text)}': {stop.reason}"
            )
        return f"failed to evaluate expression '{quote(self.text)}': {stop.reason}"

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def parse_expression(text: str, names: Iterable[str] = ()) -> Expression:
    """Parses an expression, without the `=` that marks one in a model. Raises `FeelSyntaxError`.

    `names` are variables whose names are not one word (`Full Name`), which then need no backticks.
    """
    return Expression(text, parse(text, names))


def parse_unary_tests(text: str, names: Iterable[str] = ()) -> Expression:
    """Parses unary tests, as in a cell of a decision table. Raises `FeelSyntaxError`.

    The value that they test is the variable `cellInput`; in the text it is `?`.
    """
    return Expression(text, parse(text, names, is_unary_tests=True))
