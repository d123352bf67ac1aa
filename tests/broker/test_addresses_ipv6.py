"""Brokers that listen at numbers of IPv6: each port, and what others are told."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Final

import pytest

from grevy.broker.config import BrokerConfig
from grevy.broker.server import Broker
from grevy.client import Client

PATIENCE_S: Final = 60


def _free_port() -> int:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as one:
            return int(one.getsockname()[1])
    except OSError:
        pytest.skip("there is no IPv6")


def test_a_cluster_at_numbers_of_ipv6(tmp_path: Path) -> None:
    ports = _free_port(), _free_port()

    def config(node_id: int) -> BrokerConfig:
        made = BrokerConfig(
            data=tmp_path / str(node_id),
            host="::1",
            port=0,
            node_id=node_id,
            cluster_size=2,
            cluster_host="::1",
            cluster_port=ports[node_id - 1],
            contact_points=",".join(f"[::1]:{port}" for port in ports),
        )
        made.validate()
        return made

    async def act() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_S):
            brokers = [Broker(config(node_id), loop) for node_id in (1, 2)]
            for broker in brokers:
                await broker.start()
            try:
                for broker in brokers:
                    await broker.wait_led()
                    assert broker.endpoint.startswith("[::1]:")
                async with await Client.connect(brokers[1].endpoint) as client:
                    await client.publish_message("paid", "1")
            finally:
                for broker in brokers:
                    await broker.stop()

    asyncio.run(act())


def test_addresses_have_brackets_once() -> None:
    config = BrokerConfig(cluster_host="::1", cluster_port=7, host="[::1]", advertised_host="")
    assert config.cluster_address == "[::1]:7"
    assert config.client_address(8) == config.own_address(8) == "[::1]:8"
    assert BrokerConfig().client_address(9) == "127.0.0.1:9"
