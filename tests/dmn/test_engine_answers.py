"""What Zeebe's engine answered to some hundred small files, by hand and random: which it refused, and for each
evaluation the output, the decision that failed, and all that was reported on the way.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import msgspec
import pytest
from tests.dmn.models import NOW_MS, lookup_of

from grevy.dmn import DecisionResult, InvalidDecisions, read_dmn

DATA = Path(__file__).with_name("data") / "answers.jsonl.xz"

ACCEPTED = {
    "input compare in cells": "`= 9` and `!= 9` are unary tests of DMN",
    "invoc": "a binding may have an id",
    "invoc missing param": "a binding may have an id",
    "invoc extra param": "a binding may have an id",
    "invoc of bkm table": "a binding may have an id",
    "bkm invocation logic": "the logic of a business knowledge model is any box",
    "service": "a decision service can be called",
    "ctx empty": "an empty context is a value",
}
"""What the engine refuses and we take."""


class Answer(msgspec.Struct):
    """An answer; `evaluated` has names, type, output, inputs and rules of each decision."""

    output: str
    failed: str
    evaluated: list[list[object]]


class Call(msgspec.Struct):
    """An evaluation. Without an answer the engine refused it."""

    decision: str
    variables: dict[str, object]
    answer: Answer | None


class Case(msgspec.Struct):
    """A file and what was asked of it."""

    name: str
    refused: bool
    file: str
    calls: list[Call]


CASES = [
    msgspec.json.decode(line, type=Case) for line in lzma.decompress(DATA.read_bytes()).splitlines()
]


def answer_of(result: DecisionResult) -> Answer:
    """Our answer in the form of the recorded ones."""
    report: list[list[object]] = []
    for one in result.evaluated:
        inputs = [[i.input_id, i.input_name, i.value.decode()] for i in one.inputs]
        rules = [
            [
                rule.rule_id,
                rule.rule_index,
                [[o.output_id, o.output_name, o.value.decode()] for o in rule.outputs],
            ]
            for rule in one.matched_rules
        ]
        output = one.output.decode()
        report.append(
            [one.decision_id, one.decision_name, one.decision_type, output, inputs, rules]
        )
    return Answer(result.output.decode(), result.failed_decision_id, report)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees_with_zeebe(case: Case) -> None:
    file = case.file.encode()
    if case.refused and case.name not in ACCEPTED:
        with pytest.raises(InvalidDecisions):
            read_dmn(file)
        return
    graph = read_dmn(file)
    for call in case.calls:
        if call.answer is not None:
            result = graph.evaluate(call.decision, lookup_of(call.variables), NOW_MS)
            assert answer_of(result) == call.answer, call.variables
