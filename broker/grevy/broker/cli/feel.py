"""`grevy feel`: evaluates an expression as the engine does, without a broker."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from grevy.broker.cli.output import Output
from grevy.broker.system import OsEntropy, SystemClock
from grevy.feel import (
    Evaluation,
    FeelFormatError,
    FeelSyntaxError,
    Value,
    from_json,
    parse_expression,
    to_json,
    type_name,
)


def show_value(text: str, context: Path | None, output: Output) -> None:
    """Evaluates with the variables of a JSON file (`-` is the standard input) and prints the value
    as the engine would store it; warnings go to the error output, and so does what is wrong, with
    its place.
    """
    variables = {} if context is None else _read(context, output)
    try:
        expression = parse_expression(text.removeprefix("="))
    except FeelSyntaxError as error:
        raise _fail_with_place(error, output) from None
    evaluation = expression.evaluate(
        lambda _name: None, SystemClock().now_ms(), bindings=variables, entropy=OsEntropy()
    )
    if evaluation.failure is not None:
        raise output.fail(evaluation.failure, warnings=_warnings(evaluation))
    value = to_json(evaluation.value)
    if output.as_json:
        values = {"type": type_name(evaluation.value), "value": orjson.Fragment(value)}
        output.result({**values, "warnings": _warnings(evaluation)}, "")
        return
    output.result({}, value.decode())
    for warning in _warnings(evaluation):
        output.note(f"warning: {warning}")


def _warnings(evaluation: Evaluation) -> list[str]:
    return [f"[{warning.kind}] {warning.message}" for warning in evaluation.warnings]


def _fail_with_place(error: FeelSyntaxError, output: Output) -> Exception:
    place = f"line {error.line}, column {error.column}"
    message = f"expected {error.expected} at {place}, but found {error.found}"
    if error.hint:
        message += f" ({error.hint})"
    if not output.as_json:
        message += f"\n{error.excerpt}"
    return output.fail(message, line=error.line, column=error.column, expected=error.expected)


def _read(context: Path, output: Output) -> dict[str, Value]:
    is_piped = str(context) == "-"
    where = "context on standard input" if is_piped else f"context in {context}"
    try:
        document = sys.stdin.buffer.read() if is_piped else context.read_bytes()
        variables = from_json(document)
    except OSError as error:
        raise output.fail(f"{where}: {error.strerror}") from None
    except FeelFormatError as error:
        raise output.fail(f"{where}: expected a JSON object: {error}") from None
    if not isinstance(variables, dict):
        raise output.fail(f"{where}: expected a JSON object")
    return variables
