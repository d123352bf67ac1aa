"""The short way into `grevy broker`: it takes what the long way takes, in the same sense."""

from __future__ import annotations

import inspect

import pytest

from grevy.broker.cli.base import broker
from grevy.broker.cli.serving import FLAGS, NUMBERS, TEXTS, plain_options


def test_plain_options_are_options_of_the_command() -> None:
    known = {name.removeprefix("as_") for name in inspect.signature(broker).parameters}
    assert known >= TEXTS | NUMBERS | FLAGS


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", {}),
        ("--json --port 0", {"json": True, "port": "0"}),
        ("--node-id=2 --data=a=b", {"node_id": "2", "data": "a=b"}),
        ("--port 1 --port 2 --insecure", {"port": "2", "insecure": True}),
    ],
)
def test_a_plain_command_line_is_read(line: str, options: dict[str, object]) -> None:
    assert plain_options(line.split()) == options


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--port",
        "--port x",
        "--port=-1",
        "--data --json",
        "--data=",
        "--json=1",
        "--node_id 1",
        "-p 1",
        "data",
        "--unknown 1",
        "-- 1",
        "--no-insecure",
    ],
)
def test_anything_else_is_left_to_the_long_way(line: str) -> None:
    assert plain_options(line.split()) is None
