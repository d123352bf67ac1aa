"""Runs the FEEL conformance cases: `python tests/feel/conformance.py [-v]` prints how many of each
file pass, and with `-v` which fail. `GREVY_FEEL` names a folder of other `*.jsonl` of that form.

The cases are those of the DMN TCK and of feel-scala's own tests (both Apache-2.0), see
`data/README.md`. A case that fails has to be listed in `known_failures.txt` with a reason, and a
listed case that passes has to be taken off it.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from grevy.feel import (
    Evaluation,
    FeelDateTime,
    FeelFormatError,
    FeelSyntaxError,
    FeelTime,
    Value,
    iso8601,
    parse_expression,
    parse_unary_tests,
)

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.feel import scala_text
from tests.feel.scala_text import NOW_MS, Unsupported

HERE = Path(__file__).parent
DATA = HERE / "data"


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
    try:
        variables = {name: typed(value) for name, value in row["ctx"].items()}
        expected = typed(row["expected"])
    except (FeelFormatError, ArithmeticError, KeyError) as error:
        return Outcome(case, text, f"a value cannot be read: {error}", row["zeebe_passes"])
    evaluation = _evaluate(text, variables)
    problem = ""
    if evaluation.failure and not (row["error"] or expected is None):
        problem = evaluation.failure
    elif not same(expected, evaluation.value):
        problem = f"expected {expected}, got {evaluation.value}"
    return Outcome(case, text, problem, row["zeebe_passes"])


_XSD: dict[str, Callable[[str], Value]] = {
    "boolean": lambda text: text == "true",
    **dict.fromkeys(("decimal", "double", "float", "integer", "int", "long"), Decimal),
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
    """A test of feel-scala; its context and some results are Scala text. What of it cannot be read
    need not pass, and does not.
    """
    text, is_unary = row["expr"], row["fn"] == "evaluateUnaryTests"
    is_required = True
    try:
        variables = arguments(row, is_unary=is_unary)
        problem = _problem(row, _evaluate(text, variables, is_unary=is_unary))
    except Unsupported as error:
        problem, is_required = f"needs a JVM object: {error}", False
    return Outcome(case, text, problem, is_required)


def _problem(row: ScalaRow, evaluation: Evaluation) -> str:
    if "failure" in row:
        kind, message = _warning(row["failure"])
        found = [(warning.kind, warning.message) for warning in evaluation.warnings]
        return "" if (kind, message) in found else f"no warning {kind}: {message} in {found}"
    if evaluation.failure:
        return evaluation.failure
    expected = _expected(row)
    if same(expected, evaluation.value):
        return ""
    return f"expected {expected}, got {evaluation.value}"


def _warning(failure: str) -> tuple[str, Value]:
    found = re.search(
        r"EvaluationFailureType\.(\w+)[\s\S]*?failureMessage\s*=\s*([\s\S]+)", failure
    )
    if found is None:
        raise Unsupported(failure)
    return found[1], scala_text.read(found[2])


def arguments(row: ScalaRow, *, is_unary: bool) -> dict[str, Value]:
    """The variables of a test; the first of unary tests is the input."""
    known = _known(row)
    variables: dict[str, Value] = {}
    for position, text in enumerate(row["extra_args_scala"] or []):
        label = re.match(r"\s*(inputValue|variables|functions|context)\s*=(?!=)", text)
        what = "" if label is None else label[1]
        value = scala_text.read(text if label is None else text[label.end() :], known)
        if what == "inputValue" or (is_unary and position == 0 and not what):
            variables["cellInput"] = value
        elif isinstance(value, dict):
            variables.update(value)
        else:
            raise Unsupported(text)
    return variables


def _known(row: ScalaRow) -> scala_text.Known:
    """What the tests define outside of a case: lists whose items only its call and result tell."""
    call = row["expr"].partition("(")[0].strip()
    count = range(1, 10_001)
    huge: list[Value] = list(count)
    if call in ("all", "any") and isinstance(row.get("expected"), bool):
        huge = [row["expected"] for _ in count]
    elif call == "flatten":
        huge = [[number] for number in count]
    return {"hugeList": huge, "listOfLists": [[1]], "expectedString": "a\U0001f40e"}


def _expected(row: ScalaRow) -> Value:
    return (
        row["expected"]
        if "expected" in row
        else scala_text.read(row["expected_scala"], _known(row))
    )


# --- files ---


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file of cases, which may be compressed."""
    content = path.read_bytes()
    if path.suffix == ".xz":
        content = lzma.decompress(content)
    return (line for line in content.decode("utf-8").splitlines() if line.strip())


def files() -> list[Path]:
    """The files of `GREVY_FEEL`, or the repository's own."""
    folder = os.environ.get("GREVY_FEEL")
    if folder is None:
        return sorted(DATA.glob("*.jsonl.xz"))
    return sorted(Path(folder).glob("*.jsonl"))


def run_file(path: Path) -> list[Outcome]:
    """Runs every case of a file; a case is called by the file's name and the line's number."""
    name = path.name.partition(".")[0]
    return [
        run_row(f"{name}:{number}", json.loads(line))
        for number, line in enumerate(lines_of(path), 1)
    ]


def run_row(case: str, row: TckRow | ScalaRow) -> Outcome:
    """A case of either form."""
    if "fn" in row:
        return run_feel_scala(case, cast(ScalaRow, row))
    return run_tck(case, row)


def known_failures() -> dict[str, str]:
    """The listed cases of the repository's own files and why they fail."""
    text = (HERE / "known_failures.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(maxsplit=1) for line in lines)


def report(path: Path, outcomes: list[Outcome]) -> str:
    """How a file went, in one line."""
    must = [outcome for outcome in outcomes if outcome.is_required]
    return (
        f"{path.name.removesuffix('.xz')}: {_count(outcomes)} pass, "
        f"of the ones that must: {_count(must)}"
    )


def _count(outcomes: list[Outcome]) -> str:
    return f"{sum(not outcome.problem for outcome in outcomes)} of {len(outcomes)}"


def main(options: list[str]) -> int:
    """Prints a line a file and, with `-v`, what fails; `!` marks what must pass."""
    found = files()
    for path in found:
        outcomes = run_file(path)
        for outcome in outcomes:
            if outcome.problem and "-v" in options:
                mark = "!" if outcome.is_required else " "
                print(f"{mark} {outcome.case} {outcome.expression!r}: {outcome.problem}")
        print(report(path, outcomes))
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
