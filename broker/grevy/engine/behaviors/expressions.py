"""Evaluating what a model says: texts, numbers and conditions, static or FEEL."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Final

from grevy.bpmn.model import Text
from grevy.engine.behaviors.base import Stuck
from grevy.engine.step import Step
from grevy.feel import Evaluation, Expression, Value, type_name
from grevy.feel.decimals import to_json_number
from grevy.protocol.intents import ErrorType

_INT32_END: Final = 2**31


def evaluate(
    step: Step,
    expression: Expression,
    scope_key: int,
    error: ErrorType,
    bindings: Mapping[str, Value] | None = None,
) -> Value:
    """The value of an expression in a scope, where `bindings` come before its variables; raises
    `Stuck` when it has none.
    """
    evaluation = _evaluation(step, expression, scope_key, bindings)
    if evaluation.failure is not None:
        raise Stuck(error, _failed(expression, evaluation), scope_key=scope_key)
    return evaluation.value


def evaluate_text(step: Step, text: Text, scope_key: int) -> str:
    """A text that must be one: a job type, a message name, an error code."""
    if isinstance(text, str):
        return text
    value = _typed(step, text, scope_key, str, ErrorType.EXTRACT_VALUE_ERROR)
    assert isinstance(value, str)
    return value


def evaluate_text_or_number(step: Step, text: Text, scope_key: int) -> str:
    """A correlation key: a text, or a number as text: its whole part, as in Zeebe."""
    if isinstance(text, str):
        return text
    evaluation = _evaluated(step, text, scope_key, ErrorType.EXTRACT_VALUE_ERROR)
    value = evaluation.value
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(_whole(value))
    reason = (
        f"Failed to extract the correlation key for '{text.text}': "
        "The value must be either a string or a number, "
        f"but was '{type_name(value)}'.{_warnings(evaluation)}"
    )
    raise Stuck(ErrorType.EXTRACT_VALUE_ERROR, reason, scope_key=scope_key)


def evaluate_integer(step: Step, text: Text, scope_key: int) -> int:
    """A whole number, such as a job's retries: the low 32 bits of it, as in Zeebe."""
    if isinstance(text, str):
        return int(text)
    evaluation = _evaluated(step, text, scope_key, ErrorType.EXTRACT_VALUE_ERROR)
    value = evaluation.value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return (_whole(value) + _INT32_END) % (2 * _INT32_END) - _INT32_END
    raise Stuck(
        ErrorType.EXTRACT_VALUE_ERROR, _mismatch(text, "NUMBER", evaluation), scope_key=scope_key
    )


def evaluate_condition(step: Step, expression: Expression, scope_key: int) -> bool:
    """The condition of a sequence flow."""
    error = ErrorType.EXTRACT_VALUE_ERROR
    value = _typed(step, expression, scope_key, bool, error)
    assert isinstance(value, bool)
    return value


def _typed(
    step: Step,
    expression: Expression,
    scope_key: int,
    wanted: type[str] | type[bool],
    error: ErrorType,
) -> Value:
    evaluation = _evaluated(step, expression, scope_key, error)
    if not isinstance(evaluation.value, wanted):
        name = "STRING" if wanted is str else "BOOLEAN"
        raise Stuck(error, _mismatch(expression, name, evaluation), scope_key=scope_key)
    return evaluation.value


def _evaluated(step: Step, expression: Expression, scope_key: int, error: ErrorType) -> Evaluation:
    evaluation = _evaluation(step, expression, scope_key)
    if evaluation.failure is not None:
        raise Stuck(error, _failed(expression, evaluation), scope_key=scope_key)
    return evaluation


def _evaluation(
    step: Step,
    expression: Expression,
    scope_key: int,
    bindings: Mapping[str, Value] | None = None,
) -> Evaluation:
    lookup = step.lookup(scope_key)
    return expression.evaluate(lookup, step.now, bindings=bindings, entropy=step.entropy)


def _mismatch(expression: Expression, wanted: str, evaluation: Evaluation) -> str:
    return (
        f"Expected result of the expression '{expression.text}' to be '{wanted}', "
        f"but was '{type_name(evaluation.value)}'.{_warnings(evaluation)}"
    )


def _failed(expression: Expression, evaluation: Evaluation) -> str:
    warnings = _warnings(evaluation)
    return f"Failed to evaluate the expression '{expression.text}': {evaluation.failure}{warnings}"


def _warnings(evaluation: Evaluation) -> str:
    if not evaluation.warnings:
        return ""
    lines = "".join(f"\n[{warning.kind}] {warning.message}" for warning in evaluation.warnings)
    return f" The evaluation reported the following warnings:{lines}"


def _whole(value: int | Decimal) -> int:
    """The low 64 bits of the whole part."""
    whole = value if isinstance(value, int) else value.to_integral_value(ROUND_DOWN)
    number = to_json_number(whole)
    assert isinstance(number, int), "a whole number is exported as one"
    return number
