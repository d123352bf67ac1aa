"""Compares our FEEL with Zeebe's own: `python -m tests.feel.compare URL [--count 20000] [--seed 1]
[--oddness 0.0] [--nested]`, or with the address in `GREVY_FEEL_URL`.

What answers at the address takes a POST with one JSON object a line, `{"expression": "=…",
"variables": {…}}`, and gives an object for each line: `{"type", "value"}` of the result, as
`type_name` names and `to_json` writes it, `{"failure"}` for an expression that has no value, or
`{"invalid"}` for one that does not parse. Its clock stands at 2026-01-01T12:00:00Z.

Validity, type and value are compared. Prints each expression that differs, with its variables, and
as its last line `N of M differ`. What is known to differ, and why, is in `known_differences.md`;
expressions that match a pattern there are counted apart, and so are broken ones.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.feel.expressions import Grammar, Json, broken
from tests.feel.nested import NestedGrammar

from grevy.feel import FeelSyntaxError, parse_expression, to_json, type_name

NOW_MS: Final = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""
BATCH: Final = 500
BROKEN_EVERY: Final = 20
KNOWN: Final = Path(__file__).with_name("known_differences.md")


class Case(NamedTuple):
    """What both engines are asked."""

    expression: str
    variables: dict[str, Json]
    is_broken: bool


class Answer(NamedTuple):
    """What an engine says: `kind` is a type, `failure` or `invalid`; those have no value."""

    kind: str
    value: Json


def cases(seed: int, count: int, oddness: float, kind: type[Grammar] = Grammar) -> Iterator[Case]:
    """Expressions with variables of their own; one in twenty is broken."""
    for number in range(seed, seed + count):
        grammar = kind(number, oddness)
        variables, text = grammar.variables(), grammar.expression()
        is_broken = number % BROKEN_EVERY == 0
        if is_broken:
            text = broken(text, random.Random(number))
        yield Case(text, variables, is_broken)


def ours(case: Case) -> Answer:
    """Our answer."""
    documents = {name: json.dumps(value).encode() for name, value in case.variables.items()}
    try:
        expression = parse_expression(case.expression)
    except FeelSyntaxError:
        return Answer("invalid", None)
    evaluation = expression.evaluate(documents.get, NOW_MS)
    if evaluation.failure is not None:
        return Answer("failure", None)
    return Answer(type_name(evaluation.value), json.loads(to_json(evaluation.value)))


def theirs(url: str, asked: list[Case]) -> list[Answer]:
    """Theirs, in the order of the cases."""
    lines = [
        json.dumps({"expression": f"={case.expression}", "variables": case.variables})
        for case in asked
    ]
    request = urllib.request.Request(url, data="\n".join(lines).encode())
    with urllib.request.urlopen(request) as reply:
        answers = [json.loads(line) for line in reply.read().decode().splitlines()]
    assert len(answers) == len(asked), f"{len(answers)} answers to {len(asked)} questions"
    return [
        Answer(next((kind for kind in ("invalid", "failure") if kind in answer), ""), None)
        if "type" not in answer
        else Answer(answer["type"], answer["value"])
        for answer in answers
    ]


def is_alike(left: Json, right: Json) -> bool:
    """Whether two values are the same JSON. 8.0 is 8: a number that an expression passes on as it
    was written keeps its form in Zeebe.
    """
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_alike(left[key], right[key]) for key in left)
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def known_patterns(*, is_nested: bool) -> list[re.Pattern[str]]:
    """The patterns of `known_differences.md`: each stands in backquotes at the start of a row."""
    text = KNOWN.read_text(encoding="utf-8")
    if not is_nested:
        text = text.partition("Of values that nest")[0]
    rows = re.findall(r"^\| ``(.+?)`` \|", text, re.MULTILINE)
    return [re.compile(row.replace("\\|", "|")) for row in rows]


def differing(url: str, asked: list[Case]) -> Iterator[tuple[Case, Answer, Answer]]:
    """The cases in which the answers differ: ours, theirs."""
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        for case, answer in zip(batch, theirs(url, batch), strict=True):
            mine = ours(case)
            if mine.kind != answer.kind or not is_alike(mine.value, answer.value):
                yield case, mine, answer


def main() -> None:
    """Compares, prints, ends with 1 when something differs that is not known to."""
    options = argparse.ArgumentParser()
    options.add_argument("url", nargs="?", default=os.environ.get("GREVY_FEEL_URL"))
    options.add_argument("--count", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--oddness", type=float, default=0.0)
    options.add_argument("--nested", action="store_true", help="values that nest, as in `nested`")
    chosen = options.parse_args()
    if chosen.url is None:
        options.error("give a URL, or set GREVY_FEEL_URL")
    patterns = known_patterns(is_nested=chosen.nested)
    found = known = loose = 0
    kind = NestedGrammar if chosen.nested else Grammar
    asked = list(cases(chosen.seed, chosen.count, chosen.oddness, kind))
    for case, mine, answer in differing(chosen.url, asked):
        if case.is_broken:
            loose += 1
            continue
        if any(pattern.search(case.expression) for pattern in patterns):
            known += 1
            continue
        found += 1
        read = {k: v for k, v in case.variables.items() if k in case.expression}
        print(f"{case.expression}\n    with {json.dumps(read)}")
        print(f"    here {mine.kind} {mine.value!r}\n    there {answer.kind} {answer.value!r}")
    apart = f"{known} more are known to, {loose} broken ones are read otherwise"
    print(f"{found} of {chosen.count} differ ({apart})")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
