"""Hosts of brokers are killed under load, and started again by their supervisors: what clients were
told is what the logs of all partitions say.

GREVY_FAULTS is how many are killed (default: 6), GREVY_SEED which.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.chaos.checker import check
from tests.chaos.history import Recorder, read_history
from tests.chaos.processes import ClusterProcesses, Layout, Node, config_of
from tests.chaos.workload import Workload

from grevy.broker.cli.launching import broker_command, free_ports
from grevy.client import Client, ClientOptions, run
from grevy.client.options import JsonValue

FAULTS: Final = int(os.environ.get("GREVY_FAULTS", "6"))
SEED: Final = int(os.environ.get("GREVY_SEED", "1"))
BETWEEN: Final = 40
"""Orders that are acknowledged from one fault to the next, in spite of it."""

PARTITIONS: Final = 4
SETTINGS: Final = {"GREVY_CHECKPOINT_PERIOD_S": "0.5"}


@dataclass(frozen=True, slots=True)
class HostedLayout(Layout):
    """A cluster whose brokers have so many hosts each."""

    counts: tuple[int, ...] = ()

    def nodes(self) -> tuple[Node, ...]:
        """The brokers; the ports that follow theirs are free too."""
        blocks = iter(free_ports(2 * self.brokers, max(self.counts)))
        numbers = range(1, self.brokers + 1)
        return tuple(
            Node(each, self.folder / f"broker-{each}", "127.0.0.1", next(blocks), next(blocks))
            for each in numbers
        )


class HostedCluster(ClusterProcesses):
    """Brokers with so many hosts each."""

    def __init__(self, folder: Path, hosts: tuple[int, ...]) -> None:
        brokers = len(hosts)
        layout = HostedLayout(
            folder,
            brokers=brokers,
            partitions=PARTITIONS,
            replication_factor=min(3, brokers),
            settings=SETTINGS,
            counts=hosts,
        )

        def command(node: Node, layout: Layout, contact_points: Sequence[str]) -> list[str]:
            points = contact_points if brokers > 1 else ()
            config = config_of(node, layout, points)
            return broker_command(replace(config, hosts=hosts[node.node_id - 1]))

        super().__init__(layout, command=command)

    async def hosts(self, node_id: int) -> list[dict[str, JsonValue]]:
        """How the hosts of a broker are that has several."""
        async with await Client.connect(self.endpoints[node_id]) as client:
            hosts = (await client.status())["hosts"]
        assert isinstance(hosts, list)
        return [each for each in hosts if isinstance(each, dict)]

    async def kill_host(self, node_id: int, host: int) -> None:
        """kill -9 of one host, once it runs."""
        while True:
            found = (await self.hosts(node_id))[host]
            if found["process"] == "running":
                break
            await asyncio.sleep(0.05)
        os.kill(int(str(found["pid"])), signal.SIGKILL)


async def kill_under_load(folder: Path, hosts: tuple[int, ...]) -> None:
    rng = Random(SEED)
    async with HostedCluster(folder / "cluster", hosts) as cluster:
        await cluster.start_all()
        options = ClientOptions(request_timeout_s=60)
        client = await Client.connect(*cluster.endpoints.values(), options=options)
        recorder = Recorder(folder / "history")
        workload = Workload(client, recorder, seed=SEED)
        await workload.begin()
        victims = [(node, host) for node, count in enumerate(hosts, 1) for host in range(count)]
        victims = [(node, host) for node, host in victims if hosts[node - 1] > 1]
        for _ in range(FAULTS):
            await workload.wait_acknowledged(workload.acknowledged + BETWEEN)
            await cluster.kill_host(*rng.choice(victims))
        await workload.wait_acknowledged(workload.acknowledged + BETWEEN)
        entries = await workload.finish()
        client.close()
        await recorder.close()
        assert sorted(cluster.running) == sorted(cluster.nodes), "supervisors go on"
        codes = await asyncio.gather(*map(cluster.stop, cluster.nodes))
    assert codes == [0] * len(hosts)
    assert check(read_history(folder / "history"), entries) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
@pytest.mark.parametrize("hosts", [(2,), (2, 1, 3)], ids=["lone", "cluster"])
def test_hosts_are_killed_under_load(tmp_path: Path, hosts: tuple[int, ...]) -> None:
    run(kill_under_load(tmp_path, hosts))
