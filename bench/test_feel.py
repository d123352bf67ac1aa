"""FEEL: ten expressions of the kinds that models are full of, compiled once and evaluated with a
document of variables, each of which is decoded when it is read.
"""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.feel import parse_expression, to_json

NOW: Final = 1_700_000_000_000
VARIABLES: Final = {
    name: msgspec.json.encode(value)
    for name, value in {
        "total": 129.9,
        "status": "paid",
        "orderId": "A-4711",
        "attempts": 2,
        "customer": {"name": "Ada Lovelace", "age": 36, "country": "GB"},
        "items": [{"sku": f"S{n}", "price": n + 0.5, "count": n % 3 + 1} for n in range(10)],
        "due": "2023-12-01T09:00:00Z",
    }.items()
}
EXPRESSIONS: Final = {
    "variable": ("orderId", '"A-4711"'),
    "comparison": ("total > 100", "true"),
    "condition": ('status = "paid" and customer.age >= 18', "true"),
    "text": ('"order-" + orderId + ":" + string(attempts)', '"order-A-4711:2"'),
    "arithmetic": ("round half up(total * 1.19 - 10 / 4, 2)", "152.08"),
    "choice": (
        'if total > 1000 then "gold" else if total > 100 then "silver" else "none"',
        '"silver"',
    ),
    "context": (
        "{id: orderId, buyer: customer.name, vip: total > 1000}",
        '{"id":"A-4711","buyer":"Ada Lovelace","vip":false}',
    ),
    "filter": ("count(items[price > 5 and count = 1])", "2"),
    "loop": ("sum(for item in items return item.price * item.count)", "96.5"),
    "time": ('date and time(due) + duration("PT2H") < now()', "false"),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_evaluate(benchmark: BenchmarkFixture, name: str) -> None:
    text, expected = EXPRESSIONS[name]
    expression = parse_expression(text)
    evaluation = benchmark(lambda: expression.evaluate(VARIABLES.get, NOW))
    assert evaluation.failure is None
    assert not evaluation.warnings
    assert to_json(evaluation.value) == expected.encode()


def test_compile(benchmark: BenchmarkFixture) -> None:
    benchmark(lambda: [parse_expression(text) for text, _ in EXPRESSIONS.values()])
