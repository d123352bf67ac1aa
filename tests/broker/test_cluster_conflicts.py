"""Brokers that cannot be in one cluster: the one that comes ends, and says why."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Final

import pytest

from grevy.broker.config import BrokerConfig
from grevy.broker.server import EXIT_FAILED, Broker, serve

PATIENCE_S: Final = 60


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_of_two_brokers_with_one_node_id_one_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Which one, where both have just begun, chance decides; later it is the newcomer
    (`tests/cluster/test_gossip.py`).
    """
    ports = _free_port(), _free_port()
    contacts = ",".join(f"127.0.0.1:{port}" for port in ports)

    def config(folder: str, port: int) -> BrokerConfig:
        return BrokerConfig(
            data=tmp_path / folder,
            port=0,
            node_id=1,
            cluster_size=2,
            cluster_port=port,
            contact_points=contacts,
        )

    async def act() -> int:
        both = [
            asyncio.create_task(serve(config(name, port), lambda _broker: None))
            for name, port in zip(("first", "second"), ports, strict=True)
        ]
        async with asyncio.timeout(PATIENCE_S):
            ended, others = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        return ended.pop().result()

    assert asyncio.run(act()) == EXIT_FAILED
    assert "node id 1 is taken: the broker at 127.0.0.1:" in caplog.text


def test_a_broker_with_other_settings_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ports = _free_port(), _free_port()
    contacts = ",".join(f"127.0.0.1:{port}" for port in ports)

    def config(folder: str, port: int, number: int, count: int) -> BrokerConfig:
        return BrokerConfig(
            data=tmp_path / folder,
            port=0,
            node_id=number,
            cluster_size=2,
            partitions=count,
            cluster_port=port,
            contact_points=contacts,
        )

    async def act() -> int:
        first = Broker(config("first", ports[0], 1, 1), asyncio.get_running_loop())
        await first.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await serve(config("second", ports[1], 2, 2), lambda _broker: None)
        finally:
            await first.stop()

    assert asyncio.run(act()) == EXIT_FAILED
    assert "was started for brokers 1, 2 with 1 partitions" in caplog.text


def test_a_broker_of_another_cluster_ends_and_says_why_and_so_does_who_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ports = _free_port(), _free_port()

    def config(folder: str, number: int, cluster_id: str) -> BrokerConfig:
        return BrokerConfig(
            data=tmp_path / folder,
            port=0,
            node_id=number,
            cluster_size=number,
            cluster_id=cluster_id,
            cluster_port=ports[number - 1],
            contact_points=f"127.0.0.1:{ports[0]}",
        )

    async def act() -> int:
        first = Broker(config("first", 1, "grevy"), asyncio.get_running_loop())
        await first.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await serve(config("second", 2, "other"), lambda _broker: None)
        finally:
            await first.stop()

    assert asyncio.run(act()) == EXIT_FAILED
    where = f"broker 1 at 127.0.0.1:{ports[0]}"
    assert f"cannot be where it is: {where} is of cluster 'grevy', this one of 'other'" in (
        caplog.text
    )
    assert f"127.0.0.1:{ports[1]} is of cluster 'other', this one of 'grevy'" in caplog.text
