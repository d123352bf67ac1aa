"""FEEL, the expression language of BPMN and DMN, in the dialect of Zeebe (feel-scala).

    expression = parse_expression("customer.age >= 18 and not(blocked)")  # raises FeelSyntaxError
    evaluation = expression.evaluate(lookup, now_ms)  # never raises for bad data
    to_json(evaluation.value), evaluation.warnings, evaluation.failure

Text becomes tokens (`lexer`), a tree (`parser`, `ast`), closures (`compiler`) and, with variables,
values (`values`). What is missing or of the wrong type gives null and a warning. An evaluation has
a budget and so always ends (`budget`). `temporal` has durations and date-times for timers. Nothing
here reads a clock, and nothing is ever handed to `eval`.
"""

from grevy.feel.constants import (
    ANY,
    Constant,
    ConstantTests,
    parse_cell,
    parse_entry,
    short_cell,
    short_entry,
)
from grevy.feel.entries import arranged
from grevy.feel.errors import EvaluationFailed, FeelFormatError, FeelSyntaxError
from grevy.feel.expression import Evaluation, Expression, parse_expression, parse_unary_tests
from grevy.feel.json_codec import from_json, json_double, to_json
from grevy.feel.moments import Duration, FeelDate, FeelDateTime, FeelTime, Period
from grevy.feel.scope import INPUT, FeelWarning, Lookup, Scope
from grevy.feel.session import Session
from grevy.feel.text import shown
from grevy.feel.values import (
    FeelFunction,
    FeelRange,
    Value,
    feel_type,
    order_class,
    sort_key,
    type_name,
)

__all__ = [
    "ANY",
    "INPUT",
    "Constant",
    "ConstantTests",
    "Duration",
    "Evaluation",
    "EvaluationFailed",
    "Expression",
    "FeelDate",
    "FeelDateTime",
    "FeelFormatError",
    "FeelFunction",
    "FeelRange",
    "FeelSyntaxError",
    "FeelTime",
    "FeelWarning",
    "Lookup",
    "Period",
    "Scope",
    "Session",
    "Value",
    "arranged",
    "feel_type",
    "from_json",
    "json_double",
    "order_class",
    "parse_cell",
    "parse_entry",
    "parse_expression",
    "parse_unary_tests",
    "short_cell",
    "short_entry",
    "shown",
    "sort_key",
    "to_json",
    "type_name",
]
