"""Built-ins for any value: `not`, `is defined`, `get or else`, `assert`, `is`, and Zeebe's
`fromAi`.
"""

from __future__ import annotations

from typing import Final

from grevy.feel.builtins.library import Library, all_shown
from grevy.feel.errors import EvaluationStopped
from grevy.feel.moments import FeelDateTime
from grevy.feel.scope import Run
from grevy.feel.values import Value, equal

LIBRARY: Final = Library()


@LIBRARY.define("not", "negand")
def _not(_run: Run, negand: Value) -> Value:
    return not negand if isinstance(negand, bool) else None


@LIBRARY.define("is defined", "value")
def _is_defined(_run: Run, value: Value) -> Value:
    return value is not None


@LIBRARY.define("get or else", "value", "default")
def _get_or_else(_run: Run, value: Value, default: Value) -> Value:
    return default if value is None else value


@LIBRARY.define("assert", "value", "condition")
@LIBRARY.define("assert", "value", "condition", "cause")
def _assert(
    run: Run, value: Value, condition: Value, cause: Value = "The condition is not fulfilled"
) -> Value:
    if not isinstance(cause, str):
        cause = f"Illegal arguments: {all_shown((value, condition, cause))}"
    elif condition is True:
        return value
    run.warn("ASSERT_FAILURE", cause)
    raise EvaluationStopped(cause, is_assertion=True)


@LIBRARY.define("is", "value1", "value2")
def _is(run: Run, value1: Value, value2: Value) -> Value:
    """Stricter than `=`: of one instant, date-times in different places are not the same."""
    if isinstance(value1, FeelDateTime):
        return value1 == value2
    return equal(value1, value2, run) is True


@LIBRARY.define("fromAi", "value")
@LIBRARY.define("fromAi", "value", "description")
@LIBRARY.define("fromAi", "value", "description", "type")
@LIBRARY.define("fromAi", "value", "description", "type", "schema")
@LIBRARY.define("fromAi", "value", "description", "type", "schema", "options")
def _from_ai(_run: Run, value: Value, *_about: Value) -> Value:
    """Marks a value that a language model gives; evaluated it is that value."""
    return value
