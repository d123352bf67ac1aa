"""`grevy feel`: values, warnings, and where an expression is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grevy.broker.cli.app import app


def feel(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["feel", *arguments], input=stdin)


@pytest.fixture
def context(tmp_path: Path) -> str:
    file = tmp_path / "context.json"
    file.write_text('{"order": {"items": [{"price": 2.5}, {"price": 4}]}, "a b": 1}', "utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("sum(order.items.price)", "6.5"),
        ("=order.items[price > 3].price", "[4]"),
        ("`a b` + 1", "2"),
        ('date("2026-01-31") + duration("P1M")', '"2026-02-28"'),
        ("{total: 10 / 4}", '{"total":2.5}'),
        ("1 / 10 ** 10", "1.0E-10"),
        ("string length(uuid())", "36"),
        ('now() > date and time("2026-01-01T00:00:00Z")', "true"),
    ],
)
def test_a_value_is_printed_as_json(context: str, expression: str, printed: str) -> None:
    done = feel(expression, "--context", context)

    assert (done.stdout, done.stderr, done.exit_code) == (f"{printed}\n", "", 0)


def test_the_context_may_come_on_standard_input() -> None:
    assert feel("x + 1", "--context", "-", stdin='{"x": 1}').stdout == "2\n"


def test_warnings_are_on_the_error_output() -> None:
    done = feel("order.total")

    assert (done.stdout, done.exit_code) == ("null\n", 0)
    assert done.stderr == "warning: [NO_VARIABLE_FOUND] No variable found with name 'order'\n"


def test_programs_get_type_value_and_warnings() -> None:
    done = feel("x", "--json")

    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "type": "NULL",
        "value": None,
        "warnings": ["[NO_VARIABLE_FOUND] No variable found with name 'x'"],
    }
    assert json.loads(feel('duration("PT1H")', "--json").stdout) == {
        "type": "DURATION",
        "value": "PT1H",
        "warnings": [],
    }


def test_an_error_of_syntax_shows_the_place() -> None:
    done = feel("if x\n  thn 1 else 2")

    assert (done.stdout, done.exit_code) == ("", 1)
    assert done.stderr.splitlines() == [
        "grevy: expected 'then' at line 2, column 3, but found 'thn 1 else 2'",
        "  thn 1 else 2",
        "  ^",
    ]


def test_programs_get_the_place_of_an_error_of_syntax() -> None:
    done = feel("1 +", "--json")

    assert (done.stdout, done.exit_code) == ("", 1)
    assert json.loads(done.stderr) == {
        "error": "expected an expression at line 1, column 4, but found the end",
        "line": 1,
        "column": 4,
        "expected": "an expression",
    }


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["assert(1, false)"], "", "The condition is not fulfilled"),
        (["1", "-c", "/no/file"], "", "/no/file: No such file"),
        (["1", "-c", "-"], "[1]", "standard input: expected a JSON object"),
        (["1", "-c", "-"], "{", "standard input: expected a JSON object: not JSON"),
        (["for i in 1..10 ** 9 return i"], "", "a list has more than 100000 items"),
    ],
)
def test_what_is_wrong_is_an_error(arguments: list[str], stdin: str, said: str) -> None:
    done = feel(*arguments, stdin=stdin)

    assert (done.stdout, done.exit_code) == ("", 1)
    assert said in done.stderr
