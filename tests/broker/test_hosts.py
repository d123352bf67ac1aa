"""Hosts of a broker: who has what, what they are told, and their figures put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_plan

from grevy.broker.config import BrokerConfig, ConfigError
from grevy.broker.folders import Folders
from grevy.broker.hosts import (
    AllFigures,
    Figures,
    HostOrder,
    HostReport,
    Share,
    decode_from_host,
    decode_to_host,
    encode_line,
)
from grevy.broker.partition_host import joined
from grevy.broker.plans import open_plans
from grevy.broker.supervisor import orders_of
from grevy.broker.system import KeptPorts, SystemClock
from grevy.cluster import distribute, primary_of
from grevy.exporting import ExporterSettings
from grevy.partition import StorageOptions


@pytest.mark.parametrize("hosts", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("brokers", [1, 2, 3, 4, 6, 9])
def test_each_partition_has_one_host_and_hosts_lead_as_much_as_others(
    brokers: int, hosts: int
) -> None:
    partitions = 2 * brokers * hosts
    shares = [Share(host, hosts, brokers) for host in range(hosts)]
    for partition_id in range(1, partitions + 1):
        assert [share.has(partition_id) for share in shares].count(True) == 1
    placements = distribute(range(1, brokers + 1), partitions, 1).partitions
    for node_id in range(1, brokers + 1):
        led = [each.partition_id for each in placements if primary_of(each) == node_id]
        counts = Counter(share.host for share in shares for each in led if share.has(each))
        assert [counts[host] for host in range(hosts)] == [2] * hosts


def test_folders_of_other_hosts_are_not_touched(tmp_path: Path) -> None:
    for name in ("1", "2", "removed-3", "removed-4"):
        (tmp_path / name).mkdir()
    options = StorageOptions(checkpoint_period_s=1, exporter_log_bytes_max=1)
    folders = Folders(tmp_path, options, SystemClock(), Share(0, 2))
    assert folders.partition_ids() == {1}
    assert {each.name for each in tmp_path.iterdir()} == {"1", "2", "removed-3"}
    with pytest.raises(AssertionError, match="partition 2 is another host's"):
        folders.open(2)


def test_the_first_host_keeps_the_plan_for_all(tmp_path: Path) -> None:
    config = config_of(data=tmp_path)
    others = open_plans(config, Share(1, 2))
    assert not (tmp_path / "cluster").exists(), "others only read"
    first = open_plans(config, Share(0, 2))
    assert first.plan is not None
    assert others.plan == first.plan
    newer = replace_plan(first.plan, epoch=2)
    others.write(newer)
    assert others.plan == newer
    assert open_plans(config, Share(1, 2)).plan == first.plan
    first.write(newer)
    assert open_plans(config, Share(1, 2)).plan == newer


def config_of(**settings: object) -> BrokerConfig:
    config = BrokerConfig(data=Path("/data"), hosts=2, partitions=4)
    return replace(config, **settings)  # type: ignore[arg-type]  # names and types are the test's


def test_hosts_of_a_lone_broker_meet_at_ports_of_loopback_that_are_kept() -> None:
    ports = KeptPorts()
    first, second = (each.config for each in orders_of(config_of(port=4000), ports, 3))
    assert [first.port, second.port] == [4000, 4001]
    assert (
        first.contact_points
        == second.contact_points
        == (f"127.0.0.1:{first.cluster_port},127.0.0.1:{second.cluster_port}")
    )
    other = KeptPorts()
    assert other.take("127.0.0.1") not in (first.cluster_port, second.cluster_port)
    other.close()
    ports.close()


def test_hosts_of_a_cluster_have_the_ports_after_the_first_ones() -> None:
    ports = KeptPorts()
    config = config_of(
        port=4000,
        cluster_port=5000,
        contact_points="there:5000",
        cluster_host="0.0.0.0",
        advertised_host="here",
        advertised_port=6000,
    )
    orders = orders_of(config, ports, 3)
    ports.close()
    assert [each.share for each in orders] == [Share(0, 2, 1), Share(1, 2, 1)]
    second = orders[1].config
    assert (second.port, second.cluster_port, second.advertised_port) == (4001, 5001, 6001)
    assert second.cluster_address == "here:5001"
    assert second.contacts == ("there:5000", "127.0.0.1:5000", "127.0.0.1:5001")


def test_orders_are_lines() -> None:
    exporters = (ExporterSettings("id", "json-lines", {"path": "/x", "often": 3}),)
    order = HostOrder(Share(1, 2, 1, is_alone=True), 7, 3, config_of(exporters=exporters))
    line = encode_line(order)
    assert line.endswith(b"\n")
    assert decode_to_host(line) == order
    figures = Figures(3, {"cpu_s": 1.5, "partitions": []})
    assert decode_from_host(encode_line(figures)) == figures


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"hosts": 0}, "hosts: expected 1 to 4, got 0, with partitions = 4"),
        ({"hosts": 5}, "hosts: expected 1 to 4, got 5, with partitions = 4"),
        ({"hosts": 65, "partitions": 99}, "hosts: expected 1 to 64, got 65"),
        ({"port": 65535}, "port: expected 2 ports from 65535"),
        (
            {"port": 4000, "cluster_port": 4001, "contact_points": "a:1"},
            "cluster_port: expected other ports than those of clients, which are 4000 to 4001 "
            "with 2 hosts, got 4001 to 4002",
        ),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as error:
        config_of(**settings).validate()
    assert str(error.value) == text


def test_figures_are_put_together() -> None:
    def of(host: int, *partition_ids: int) -> dict[str, object]:
        partitions = [{"id": each, "records": 10, "role": "leader"} for each in partition_ids]
        exporters = [{"id": "es", "partition": each} for each in partition_ids]
        return {
            "host": host,
            "cpu_s": 1.5,
            "memory_bytes": 100,
            "records": 10,
            "partitions": partitions,
            "ports": [{"port": "clients", "denied": host}],
            "exporters": exporters,
        }

    own: dict[str, object] = {"endpoint": "here:1", "pid": 7, "cpu_s": 0.25, "memory_bytes": 50}
    reports = [
        HostReport(0, "running", 8, 1, "here:1"),
        HostReport(1, "running", 9, 1, "here:2"),
        HostReport(2, "down", starts=3, last_error="ended by SIGKILL", last_error_at=5),
    ]
    figures = joined(AllFigures(1, own, reports, [of(0, 1, 4), of(1, 2)]))
    assert (figures["endpoint"], figures["pid"], figures["records"]) == ("here:1", 7, 30)
    assert (figures["cpu_s"], figures["memory_bytes"]) == (3.25, 250)
    partitions, hosts, exporters = (figures[each] for each in ("partitions", "hosts", "exporters"))
    assert isinstance(partitions, list)
    assert [(each["id"], each["host"]) for each in partitions] == [(1, 0), (2, 1), (4, 0)]
    assert isinstance(hosts, list)
    assert [(each["host"], each["process"], each["partitions"]) for each in hosts] == [
        (0, "running", [1, 4]),
        (1, "running", [2]),
        (2, "down", []),
    ]
    assert isinstance(exporters, list)
    assert len(exporters) == 3
    assert figures["ports"] == [
        {"port": "clients", "denied": 0, "host": 0},
        {"port": "clients", "denied": 1, "host": 1},
    ]
