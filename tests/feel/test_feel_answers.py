"""What Zeebe's engine answered to everyday and to odd expressions: the same validity, type, value
and warnings. `answers/zeebe.jsonl.xz` has an object a line: `expression`, `variables`, and either
`type`, `value` and `warnings`, or `is_invalid`, or `is_failed`.

The clock stands at 2026-01-01T12:00:00Z.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest
from tests.feel.conftest import NOW_MS

from grevy.feel import FeelSyntaxError, parse_expression, to_json, type_name

FILE = Path(__file__).parent / "answers" / "zeebe.jsonl.xz"
PARTS = 10


class Answer(TypedDict):
    """A line of the file."""

    expression: str
    variables: dict[str, object]
    type: NotRequired[str]
    value: NotRequired[object]
    warnings: NotRequired[list[str]]
    is_invalid: NotRequired[bool]
    is_failed: NotRequired[bool]


def answers() -> list[Answer]:
    text = lzma.decompress(FILE.read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def asked(row: Answer) -> Answer:
    """The same question, answered here."""
    question: Answer = {"expression": row["expression"], "variables": row["variables"]}
    try:
        expression = parse_expression(row["expression"])
    except FeelSyntaxError:
        return {**question, "is_invalid": True}
    documents = {name: json.dumps(value).encode() for name, value in row["variables"].items()}
    evaluation = expression.evaluate(documents.get, NOW_MS)
    if evaluation.failure is not None:
        return {**question, "is_failed": True}
    return {
        **question,
        "type": type_name(evaluation.value),
        "value": json.loads(to_json(evaluation.value)),
        "warnings": [f"{warning.kind}: {warning.message}" for warning in evaluation.warnings],
    }


@pytest.mark.parametrize("part", range(PARTS))
def test_the_answer_is_the_same(part: int) -> None:
    for row in answers()[part::PARTS]:
        assert json.dumps(asked(row)) == json.dumps(row)
