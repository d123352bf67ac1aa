"""Runs the FEEL conformance cases: `python tests/feel/conformance.py [-v]` prints how many of each
file pass.

The cases are those of the DMN TCK and of feel-scala's own tests (both Apache-2.0), see
`data/README.md`. A case that fails has to be listed in `known_failures.txt` with a reason, and a
listed case that passes has to be taken off it.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NotRequired, TypedDict

from grevy.feel import (
    Evaluation,
    FeelDateTime,
    FeelSyntaxError,
    FeelTime,
    Value,
    iso8601,
    parse_expression,
    parse_unary_tests,
)

HERE = Path(__file__).parent
NOW_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""


class Unsupported(Exception):
    """The case needs something of the JVM."""


class FixedEntropy:
    """The chance of a test."""

    def random_bytes(self, count: int) -> bytes:
        return bytes(range(count))

    def random_u64(self) -> int:
        return 2**63


@dataclass(frozen=True)
class Outcome:
    """How a case went; `problem` is empty when it passes."""

    case: str
    expression: str
    problem: str
    is_required: bool


class Typed(TypedDict):
    """A value of the TCK: its XSD type, and its text or its parts."""

    t: str
    v: str | list[Typed] | dict[str, Typed] | None


class TckRow(TypedDict):
    """A case of `dmn-tck`."""

    expr: str
    ctx: dict[str, Typed]
    expected: Typed
    error: bool
    zeebe_passes: bool


class ScalaRow(TypedDict):
    """A case of `feel-scala`."""

    expr: str
    fn: str
    extra_args_scala: list[str] | None
    expected: NotRequired[Value]
    expected_scala: NotRequired[str]
    failure: NotRequired[str]


def lines_of(name: str) -> Iterator[tuple[str, str]]:
    """The lines of a file with the ids of their cases: the file's name and the line's number."""
    with lzma.open(HERE / "data" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            yield f"{name}:{number}", line


def known_failures() -> dict[str, str]:
    """The listed cases and why they fail."""
    text = (HERE / "known_failures.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(maxsplit=1) for line in lines)


def run_all() -> list[Outcome]:
    """Runs every case of both files."""
    outcomes = [run_tck(case, json.loads(line)) for case, line in lines_of("dmn-tck")]
    return outcomes + [
        run_feel_scala(case, json.loads(line)) for case, line in lines_of("feel-scala")
    ]


def _evaluate(text: str, variables: dict[str, Value], *, is_unary: bool = False) -> Evaluation:
    parse = parse_unary_tests if is_unary else parse_expression
    try:
        expression = parse(text, names=variables)
    except FeelSyntaxError as error:
        return Evaluation(None, (), f"syntax: {error}")
    return expression.evaluate(
        lambda _name: None, NOW_MS, bindings=variables, entropy=FixedEntropy()
    )


# --- DMN TCK ---


def run_tck(case: str, row: TckRow) -> Outcome:
    """A decision of the TCK; where it expects an error, null is right, and so is no value."""
    text = row["expr"]
    variables = {name: typed(value) for name, value in row["ctx"].items()}
    evaluation = _evaluate(text, variables)
    expected = typed(row["expected"])
    problem = ""
    if evaluation.failure and not (row["error"] or expected is None):
        problem = evaluation.failure
    elif not same(expected, evaluation.value):
        problem = f"expected {expected}, got {evaluation.value}"
    return Outcome(case, text, problem, row["zeebe_passes"])


_XSD: dict[str, Callable[[str], Value]] = {
    "boolean": lambda text: text == "true",
    "decimal": Decimal,
    "string": str,
    "date": iso8601.parse_date,
    "time": iso8601.parse_time,
    "dateTime": iso8601.parse_date_and_time,
    "duration": iso8601.parse_any_duration,
}


def typed(value: Typed) -> Value:
    """The value that a typed value of the TCK stands for."""
    content = value["v"]
    if isinstance(content, list):
        return [typed(item) for item in content]
    if isinstance(content, dict):
        return {key: typed(item) for key, item in content.items()}
    return None if content is None else _XSD[value["t"]](content)


def same(expected: Value, actual: Value) -> bool:
    """Whether a result is right: numbers as decimals or doubles, zones by their offset."""
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            same(expected[key], actual[key]) for key in expected
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float | Decimal) and isinstance(actual, int | Decimal):
        is_close = abs(float(expected) - float(actual)) <= 1e-8 * abs(float(expected))
        return Decimal(str(expected)) == actual or is_close
    if isinstance(expected, FeelTime) and isinstance(actual, FeelTime):
        return (expected.nanos, expected.offset) == (actual.nanos, actual.offset)
    if isinstance(expected, FeelDateTime) and isinstance(actual, FeelDateTime):
        return (expected.local, expected.offset) == (actual.local, actual.offset)
    return type(expected) is type(actual) and expected == actual


# --- feel-scala ---


def run_feel_scala(case: str, row: ScalaRow) -> Outcome:
    """A test of feel-scala; its context and some results are Scala text."""
    text, is_unary = row["expr"], row["fn"] == "evaluateUnaryTests"
    is_required = True
    try:
        variables = arguments(row["extra_args_scala"] or [], is_unary=is_unary)
        evaluation = _evaluate(text, variables, is_unary=is_unary)
        problem = _problem(row, evaluation)
    except Unsupported as error:
        problem, is_required = f"needs a JVM object: {error}", False
    return Outcome(case, text, problem, is_required)


def _problem(row: ScalaRow, evaluation: Evaluation) -> str:
    if "failure" in row:
        wanted = re.search(
            r"EvaluationFailureType\.(\w+).*failureMessage =\s*(.*)", row["failure"], re.DOTALL
        )
        assert wanted is not None
        kind, message = wanted[1], wanted[2].strip().strip('"')
        found = [(warning.kind, warning.message) for warning in evaluation.warnings]
        return "" if (kind, message) in found else f"no warning {kind}: {message} in {found}"
    if evaluation.failure:
        return evaluation.failure
    expected = row["expected"] if "expected" in row else scala(row["expected_scala"])
    if same(expected, evaluation.value):
        return ""
    return f"expected {expected}, got {evaluation.value}"


def arguments(texts: list[str], *, is_unary: bool) -> dict[str, Value]:
    """The variables of a test; the first one of unary tests is the input."""
    variables: dict[str, Value] = {}
    for position, text in enumerate(texts):
        name, _, rest = text.partition("=")
        if name.strip() == "inputValue" or (is_unary and position == 0 and "=" not in name + rest):
            variables["cellInput"] = scala(rest or text)
            continue
        if name.strip() in ("variables", "functions"):
            text = rest
        if is_unary and position == 0:
            variables["cellInput"] = scala(text)
            continue
        found = scala(text)
        if not isinstance(found, dict):
            raise Unsupported(text)
        variables.update(found)
    return variables


_TOKENS = re.compile(r'\s*("""[\s\S]*?"""|"(?:[^"\\]|\\.)*"|->|[\w.]+|-|[(),])')
_PARSERS: dict[str, Callable[[str], Value]] = {
    "LocalDate.parse": iso8601.parse_date,
    "LocalTime.parse": iso8601.parse_time,
    "OffsetTime.parse": iso8601.parse_time,
    "LocalDateTime.parse": iso8601.parse_date_and_time,
    "Duration.parse": iso8601.parse_duration,
    "Period.parse": iso8601.parse_period,
    "ValDate": iso8601.parse_date,
    "ValTime": iso8601.parse_time,
    "ValDateTime": iso8601.parse_date_and_time,
    "ValLocalDateTime": iso8601.parse_date_and_time,
    "ValDayTimeDuration": iso8601.parse_duration,
    "ValYearMonthDuration": iso8601.parse_period,
    "date": iso8601.parse_date,
    "localTime": iso8601.parse_time,
    "time": iso8601.parse_time,
    "localDateTime": iso8601.parse_date_and_time,
    "dateTime": iso8601.parse_date_and_time,
    "yearMonthDuration": iso8601.parse_period,
    "dayTimeDuration": iso8601.parse_duration,
    "BigDecimal": Decimal,
}
_CONSTANTS: dict[str, Value] = {
    "true": True,
    "false": False,
    "null": None,
    "ValNull": None,
    "List.empty": [],
    "Map.empty": {},
    "Nil": [],
    "hugeList": list(range(1, 10_001)),
}


class _Scala:
    """Reads the Scala literals that the tests use."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = _TOKENS.findall(text)
        if "".join(self.tokens) != re.sub(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "", text):
            raise Unsupported(text)
        self.index = 0

    def next(self) -> str:
        if self.index == len(self.tokens):
            raise Unsupported(self.text)
        self.index += 1
        return self.tokens[self.index - 1]

    def value(self) -> Value:
        token = self.next()
        if token.startswith('"""'):
            return token[3:-3]
        if token.startswith('"'):
            return str(json.loads(token))
        if token == "-":
            return Decimal("-" + self.next())
        if re.fullmatch(r"[\d_]+(\.\d+)?", token):
            return Decimal(token.replace("_", ""))
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if self.index < len(self.tokens) and self.tokens[self.index] == "(":
            return self.call(token)
        raise Unsupported(self.text)

    def call(self, name: str) -> Value:
        values: list[Value] = []
        keys: list[str] = []
        self.next()
        while self.tokens[self.index] != ")":
            values.append(self.value())
            if self.tokens[self.index] == "->":
                self.next()
                keys.append(str(values.pop()))
                values.append(self.value())
            if self.tokens[self.index] == ",":
                self.next()
        self.next()
        if name == "Map":
            return dict(zip(keys, values, strict=True))
        if name in ("List", "ValList"):
            return values
        return self.convert(name, values[0])

    def convert(self, name: str, value: Value) -> Value:
        if name in ("ValNumber", "ValString", "ValBoolean"):
            return value
        text = str(value)
        if name == "evaluateFunction":
            return _evaluate(text, {}).value
        if name == "ZonedDateTime.parse":
            return iso8601.parse_date_and_time(text)
        if name not in _PARSERS:
            raise Unsupported(self.text)
        return _PARSERS[name](text)


def scala(text: str) -> Value:
    """The value of a Scala literal."""
    reader = _Scala(text.strip())
    value = reader.value()
    if reader.index != len(reader.tokens):
        raise Unsupported(text)
    return value


def main() -> int:
    """Prints the counts and, with `-v`, what fails.

    The exit code is 1 when the list and the cases disagree.
    """
    outcomes, listed = run_all(), known_failures()
    wrong = 0
    for name in ("dmn-tck", "feel-scala"):
        of_file = [outcome for outcome in outcomes if outcome.case.startswith(name)]
        passed = [outcome for outcome in of_file if not outcome.problem]
        required = [outcome for outcome in of_file if outcome.is_required]
        good = sum(not outcome.problem for outcome in required)
        print(f"{name}: {len(passed)} of {len(of_file)} pass; required: {good} of {len(required)}")
    for outcome in outcomes:
        is_listed = outcome.case in listed
        if bool(outcome.problem) != is_listed:
            wrong += 1
        if "-v" in sys.argv and outcome.problem and not is_listed:
            mark = "!" if outcome.is_required else " "
            print(f"{mark} {outcome.case} {outcome.expression!r}: {outcome.problem}")
    print(f"{wrong} disagree with known_failures.txt")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
