"""A broken invariant ends the broker, with an exit code that says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from grevy.broker.config import BrokerConfig
from grevy.broker.server import EXIT_FAILED, Broker, serve


def test_a_broken_invariant_ends_the_broker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def break_something() -> None:
        raise AssertionError("a count is wrong")

    def announce(_broker: Broker) -> None:
        asyncio.get_running_loop().call_soon(break_something)

    config = BrokerConfig(data=tmp_path / "data", port=0)
    assert asyncio.run(asyncio.wait_for(serve(config, announce), 30)) == EXIT_FAILED
    assert "a count is wrong" in caplog.text
