"""What the tests of FEEL share: evaluating with Python values as variables."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from grevy.feel import Evaluation, parse_expression, parse_unary_tests

NOW_MS = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""

Evaluate = Callable[..., Evaluation]


@pytest.fixture
def evaluate() -> Evaluate:
    """Evaluates a text with JSON-able variables: `evaluate("a + 1", a=1)`."""

    def run(text: str, /, **variables: object) -> Evaluation:
        documents = {name: json.dumps(value).encode() for name, value in variables.items()}
        return parse_expression(text).evaluate(documents.get, NOW_MS)

    return run


@pytest.fixture
def test_input() -> Evaluate:
    """Evaluates unary tests on an input: `test_input("> 5", 7)`."""

    def run(text: str, value: object, /, **variables: object) -> Evaluation:
        documents = {name: json.dumps(value).encode() for name, value in variables.items()}
        documents["cellInput"] = json.dumps(value).encode()
        return parse_unary_tests(text).evaluate(documents.get, NOW_MS)

    return run
