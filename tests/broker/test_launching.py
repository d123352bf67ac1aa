"""How brokers are started as processes, and `grevy cluster local`, which starts some."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.broker.processes import DEADLINE_S, GREVY

from grevy.broker.cli.cluster import commands_of
from grevy.broker.cli.launching import broker_options, free_ports
from grevy.broker.cli.serving import plain_options
from grevy.broker.config import BrokerConfig, ConfigError, load_config
from grevy.client import SyncClient

CONFIGS = (
    BrokerConfig(),
    BrokerConfig(
        data=Path("a=b"),
        port=0,
        hosts=2,
        partitions=4,
        node_id=3,
        cluster_size=3,
        replication_factor=2,
        cluster_port=1234,
        contact_points="127.0.0.1:1,127.0.0.1:2",
        disk_free_min_mb=0,
    ),
    BrokerConfig(join=True, host="10.0.0.1", advertised_host="b", cluster_host="c", insecure=True),
)


@pytest.mark.parametrize("config", CONFIGS)
def test_a_broker_has_the_settings_that_it_is_started_with(
    config: BrokerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in BrokerConfig.__slots__:
        monkeypatch.delenv(f"GREVY_{name.upper()}", raising=False)
    first, *options = broker_options(config)
    assert first == "broker"
    given = plain_options(options)
    assert given is not None
    assert given.pop("json") is True
    assert load_config(None, given) == config


def test_settings_that_are_no_options_are_refused() -> None:
    with pytest.raises(ValueError, match="lead_back_s cannot be set on the command line"):
        broker_options(BrokerConfig(lead_back_s=1))


def test_free_ports_come_in_rows() -> None:
    for first in free_ports(3, 4):
        for port in range(first, first + 4):
            socket.create_server(("127.0.0.1", port)).close()


def cluster_ports_of(commands: list[list[str]]) -> list[int]:
    options = [option for command in commands for option in command]
    prefix = "--cluster-port="
    return [int(each.removeprefix(prefix)) for each in options if each.startswith(prefix)]


def test_a_local_cluster_keeps_its_addresses_as_long_as_they_do(tmp_path: Path) -> None:
    one_each = commands_of(tmp_path, 3, 3, 26600)
    assert commands_of(tmp_path, 3, 3, 26600) == one_each
    two_each = commands_of(tmp_path, 3, 6, 26600, 2)
    ports = cluster_ports_of(two_each)
    assert len({port + host for port in ports for host in (0, 1)}) == 6
    assert "--port=26602" in two_each[1]
    assert "--port=26604" in two_each[2]
    assert cluster_ports_of(commands_of(tmp_path, 3, 6, 26600)) == ports
    assert cluster_ports_of(commands_of(tmp_path, 3, 6, 26600, 2)) == ports


def test_addresses_of_a_cluster_of_before_are_read(tmp_path: Path) -> None:
    (tmp_path / "ports").write_text("5001 5002", encoding="utf-8")
    assert cluster_ports_of(commands_of(tmp_path, 2, 2, 26600)) == [5001, 5002]


def test_a_local_cluster_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hosts: expected 1 to 3, got 4"):
        commands_of(tmp_path, 3, 3, 26600, 4)
    command = [*GREVY, "cluster", "local", "--json", "--hosts=4", f"--data={tmp_path}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "hosts: expected 1 to 3, got 4" in done.stderr


def test_a_local_cluster_has_brokers_of_several_processes(tmp_path: Path) -> None:
    (port,) = free_ports(1, 4)
    command = [*GREVY, "cluster", "local", "--json", "--brokers=2", "--partitions=2", "--hosts=2"]
    process = subprocess.Popen(
        [*command, f"--data={tmp_path}", f"--port={port}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        endpoints = json.loads(process.stdout.readline())["endpoints"]
        assert [each.rpartition(":")[2] for each in endpoints] == [str(port), str(port + 2)]
        for endpoint in endpoints:
            with SyncClient.connect(endpoint) as client:
                hosts = client.status()["hosts"]
            assert isinstance(hosts, list)
            assert len(hosts) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.communicate()
