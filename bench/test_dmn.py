"""Decisions: how long a large deployment takes to compile, and a large table to evaluate."""

from __future__ import annotations

import random
import re

import msgspec
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.dmn import read_dmn
from grevy.feel import Lookup

NAMESPACE = "https://www.omg.org/spec/DMN/20191111/MODEL/"
NOW_MS = 1_767_268_800_000


def table(name: str, rules: int, chance: random.Random) -> str:
    """A decision with three inputs: one of some texts, a range of numbers, a bound; often empty."""
    inputs = "".join(
        f'<input id="{name}-i{at}"><inputExpression id="{name}-e{at}"><text>{variable}</text>'
        "</inputExpression></input>"
        for at, variable in enumerate(("customer", "amount", "age"))
    )
    rows = "".join(
        f'<rule id="{name}-r{row}">{cells(chance, row)}'
        f'<outputEntry id="{name}-v{row}"><text>"price {name} {row}"</text></outputEntry></rule>'
        for row in range(rules)
    )
    return (
        f'<decision id="{name}" name="{name}"><decisionTable id="{name}-t" hitPolicy="FIRST">'
        f'{inputs}<output id="{name}-o" name="price"/>{rows}</decisionTable></decision>'
    )


def cells(chance: random.Random, row: int) -> str:
    """The tests of a rule."""
    low = chance.randrange(10_000)
    tests = (
        f'"customer {chance.randrange(row + 1)}"',
        f"[{low}..{low + chance.randrange(500)}]",
        chance.choice((f"&gt;= {chance.randrange(100)}", f"&lt; {chance.randrange(100)}", "-", "")),
    )
    return "".join(f"<inputEntry><text>{test}</text></inputEntry>" for test in tests)


def document(tables: int, rules: int) -> bytes:
    """A file of that many decision tables with that many rules each."""
    chance = random.Random(1)
    body = "".join(table(f"d{number}", rules, chance) for number in range(tables))
    start = f'<definitions xmlns="{NAMESPACE}" id="b" name="b" namespace="b">'
    return f"{start}{body}</definitions>".encode()


def lookup_of(variables: dict[str, object]) -> Lookup:
    """Variables as JSON."""
    raw = {name: msgspec.json.encode(value) for name, value in variables.items()}
    return raw.get


def test_compile_200_decisions_of_5000_rules(benchmark: BenchmarkFixture) -> None:
    resource = document(tables=200, rules=25)
    benchmark(read_dmn, resource)


def test_evaluate_a_table_of_1000_rules(benchmark: BenchmarkFixture) -> None:
    graph = read_dmn(document(tables=1, rules=1000))
    lookup = lookup_of({"customer": "customer 7", "amount": 5000, "age": 40})
    result = benchmark(graph.evaluate, "d0", lookup, NOW_MS)
    assert not result.failure


def test_evaluate_a_table_of_1000_rules_that_all_match(benchmark: BenchmarkFixture) -> None:
    resource = document(tables=1, rules=1000).replace(b"FIRST", b"COLLECT")
    graph = read_dmn(re.sub(rb"(<inputEntry><text>)[^<]*", rb"\1-", resource))
    result = benchmark(graph.evaluate, "d0", lookup_of({}), NOW_MS)
    assert len(result.evaluated[0].matched_rules) == 1000
