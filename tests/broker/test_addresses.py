"""Where a broker listens, and where it tells others to connect."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from grevy.broker.config import BrokerConfig, ConfigError
from grevy.broker.server import Broker
from grevy.client import Client, run

EVERYWHERE = "0.0.0.0"


def test_who_listens_everywhere_has_to_say_where_to_connect() -> None:
    with pytest.raises(ConfigError, match=r"^advertised_host: expected the name or address"):
        BrokerConfig(host=EVERYWHERE, insecure=True).validate()
    with pytest.raises(ConfigError, match=r"^advertised_cluster_host: .*listens at 0\.0\.0\.0$"):
        BrokerConfig(cluster_host=EVERYWHERE, insecure=True).validate()
    with pytest.raises(ConfigError, match=r"^advertised_host: expected"):
        BrokerConfig(advertised_host=EVERYWHERE).validate()
    BrokerConfig(
        host=EVERYWHERE, cluster_host=EVERYWHERE, advertised_host="grevy-1", insecure=True
    ).validate()


@pytest.mark.parametrize(
    "point", ["nonsense", "grevy-1:", ":26700", "grevy-1:no", "grevy-1:0", "grevy-1:65536"]
)
def test_a_contact_point_is_a_host_and_a_port(point: str) -> None:
    with pytest.raises(ConfigError, match=f"^contact_points: expected host:port, got '{point}'$"):
        BrokerConfig(cluster_size=2, contact_points=f"grevy-1:26700,{point}").validate()
    BrokerConfig(cluster_size=2, contact_points="grevy-1:26700, [fd00::1]:26700").validate()


def test_addresses_that_are_told() -> None:
    config = BrokerConfig(host="10.0.0.1", cluster_host="10.0.0.2")
    assert config.client_address(1234) == "10.0.0.1:1234"
    assert config.cluster_address == "10.0.0.2:26602"
    config = BrokerConfig(advertised_host="grevy-1", advertised_port=443)
    assert config.client_address(1234) == "grevy-1:443"
    assert config.cluster_address == "grevy-1:26602"
    config = BrokerConfig(
        advertised_host="grevy.example.org",
        advertised_cluster_host="10.0.0.1",
        advertised_cluster_port=7,
    )
    assert config.cluster_address == "10.0.0.1:7"


@pytest.mark.parametrize("is_of_cluster", [False, True])
def test_clients_are_told_the_advertised_address(tmp_path: Path, *, is_of_cluster: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        cluster_port = int(one.getsockname()[1])

    async def act() -> None:
        config = BrokerConfig(
            data=tmp_path,
            host=EVERYWHERE,
            port=0,
            insecure=True,
            cluster_host=EVERYWHERE,
            cluster_port=cluster_port,
            contact_points=f"localhost:{cluster_port}" if is_of_cluster else "",
            advertised_host="localhost",
        )
        config.validate()
        broker = Broker(config, asyncio.get_running_loop())
        await broker.start()
        host, _, port = broker.endpoint.partition(":")
        assert host == "localhost"
        async with await Client.connect(f"127.0.0.1:{port}") as client:
            topology = await client.topology()
            assert [each.endpoint for each in topology.brokers] == [f"tcp://localhost:{port}"]
            # Answered by the leader, at the address that the topology tells.
            await client.publish_message("paid", "o-1")
        await broker.stop()

    run(act())
