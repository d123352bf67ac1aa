"""Brokers are added to a cluster and removed: what is asked, what is refused, what is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest
from tests.broker.conftest import straight_model

from grevy.broker.cli.launching import free_ports
from grevy.broker.config import BrokerConfig
from grevy.broker.server import Broker
from grevy.client import Client, Refused, run

PARTITIONS: Final = 2
PATIENCE_S: Final = 120


class Cluster:
    """Brokers in one loop; the first one begins a cluster of its own, the others join."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = dict(enumerate(free_ports(3), 1))
        self.brokers: dict[int, Broker] = {}

    def address(self, node_id: int) -> str:
        return f"127.0.0.1:{self.ports[node_id]}"

    def config(self, node_id: int) -> BrokerConfig:
        is_first = node_id == 1
        return BrokerConfig(
            data=self._folder / str(node_id),
            port=0,
            node_id=node_id,
            partitions=PARTITIONS if is_first else 1,
            cluster_port=self.ports[node_id],
            contact_points=self.address(1) if is_first else "",
            join=not is_first,
        )

    async def start(self, node_id: int) -> Broker:
        config = self.config(node_id)
        config.validate()
        self.brokers[node_id] = broker = Broker(config, asyncio.get_running_loop())
        await broker.start()
        return broker

    async def stop_all(self) -> None:
        for node_id in list(self.brokers):
            await self.brokers.pop(node_id).stop()


async def wait_done(client: Client) -> None:
    """Until nothing is left of a change: nobody tells, so look again and again."""
    while True:
        if not (await client.cluster.status())["steps"]:
            return
        await asyncio.sleep(0.05)


async def voters(client: Client) -> list[set[int]]:
    """Who holds each partition."""
    partitions = (await client.cluster.status())["partitions"]
    assert isinstance(partitions, list)
    found = []
    for each in partitions:
        assert isinstance(each, dict)
        replicas = each["replicas"]
        assert isinstance(replicas, list)
        found.append({int(str(one["node_id"])) for one in replicas if isinstance(one, dict)})
    return found


def running(folder: Path, act: object) -> None:
    """A test's story, with a cluster that is stopped at the end."""
    assert callable(act)

    async def story() -> None:
        cluster = Cluster(folder)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await act(cluster)
        finally:
            await cluster.stop_all()

    run(story())


def test_a_broker_alone_becomes_a_cluster_and_starts_again_as_one(tmp_path: Path) -> None:
    """The settings of its first start are those of a cluster that is no more."""

    async def act(cluster: Cluster) -> None:
        first = await cluster.start(1)
        second = await cluster.start(2)
        async with await Client.connect(first.endpoint) as client:
            await client.deploy(("p.bpmn", straight_model("p").encode()))
            add = {2: cluster.address(2)}
            trial = await client.cluster.change(add=add, replication_factor=2, dry_run=True)
            assert trial.steps[:2] == ("add broker 2", "broker 2 joins partition 1 as a learner")
            assert (await client.cluster.status())["epoch"] == 1
            begun = await client.cluster.change(add=add, replication_factor=2)
            assert (begun.epoch, begun.steps) == (2, trial.steps)
            again = await client.cluster.change(add=add, replication_factor=2)
            assert again.epoch == 2, "an answer that was lost can be asked for again"
            await wait_done(client)
            assert await voters(client) == [{1, 2}, {1, 2}]
            await client.cluster.rebalance()
        async with await Client.connect(second.endpoint) as client:
            assert len((await client.topology()).partitions) == PARTITIONS
            await client.create_instance("p")
        await cluster.stop_all()

        await asyncio.gather(cluster.start(2), cluster.start(1))
        async with await Client.connect(cluster.brokers[1].endpoint) as client:
            await client.create_instance_with_result("p")
            assert await voters(client) == [{1, 2}, {1, 2}]

    running(tmp_path, act)


def test_a_removed_broker_ends_and_its_replicas_live_on(tmp_path: Path) -> None:
    async def act(cluster: Cluster) -> None:
        first = await cluster.start(1)
        second = await cluster.start(2)
        async with await Client.connect(first.endpoint) as client:
            await client.deploy(("p.bpmn", straight_model("p").encode()))
            await client.cluster.change(add={2: cluster.address(2)}, replication_factor=2)
            await wait_done(client)
            await client.cluster.change(remove=[1], replication_factor=1)
            assert await first.run_until_stopped() == 0
            del cluster.brokers[1]
        async with await Client.connect(second.endpoint) as client:
            await wait_done(client)
            assert await voters(client) == [{2}, {2}]
            await client.create_instance_with_result("p")

    running(tmp_path, act)


@pytest.mark.parametrize("asked", [1, 2])
def test_what_cannot_be_is_refused_with_a_reason(tmp_path: Path, asked: int) -> None:
    """By the broker that is asked, or by the one that decides."""

    async def refused(client: Client, text: str, **change: object) -> None:
        with pytest.raises(Refused, match=text):
            await client.cluster.change(**change)  # type: ignore[arg-type]  # the caller's

    async def act(cluster: Cluster) -> None:
        for node_id in (1, 2):
            await cluster.start(node_id)
        async with await Client.connect(cluster.brokers[1].endpoint) as client:
            await client.cluster.change(add={2: cluster.address(2)})
            await wait_done(client)
        await cluster.start(3)
        async with await Client.connect(cluster.brokers[asked].endpoint) as client:
            await refused(client, "broker 2 is a member already", add={2: ""})
            await refused(client, "broker 3 is not there: start it first", add={3: ""})
            await refused(client, "there is broker 3, not broker 4", add={4: cluster.address(3)})
            await refused(client, "broker 4 is no member", remove=[4])
            await refused(client, "nothing would change")
            await refused(
                client, "a replication factor of 3 needs as many brokers", replication_factor=3
            )
            with pytest.raises(Refused, match="no change is under way"):
                await client.cluster.cancel()
            assert (await client.cluster.status())["epoch"] == 2
        async with await Client.connect(cluster.brokers[3].endpoint) as client:
            # It has heard of the cluster, and passes on what it is asked.
            await refused(client, "broker 2 is a member already", add={2: ""})

    running(tmp_path, act)


def test_a_broker_alone_has_nothing_to_change(tmp_path: Path) -> None:
    async def act(_cluster: Cluster) -> None:
        broker = Broker(BrokerConfig(data=tmp_path / "one", port=0), asyncio.get_running_loop())
        await broker.start()
        async with await Client.connect(broker.endpoint) as client:
            with pytest.raises(Refused, match="this broker is alone"):
                await client.cluster.status()
        await broker.stop()

    running(tmp_path, act)


def test_a_broker_that_joins_is_no_member_yet(tmp_path: Path) -> None:
    async def act(cluster: Cluster) -> None:
        broker = await cluster.start(2)
        async with await Client.connect(broker.endpoint) as client:
            with pytest.raises(Refused, match="no member of a cluster yet"):
                await client.cluster.change(remove=[1])
            assert not (await client.topology()).partitions

    running(tmp_path, act)
