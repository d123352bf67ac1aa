"""Three brokers under load become four, and then three again without one of the old ones, while
brokers are killed on the way: what clients were told is what the logs of all partitions say.

GREVY_SEED is which.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.chaos.checker import check
from tests.chaos.history import Recorder, read_history
from tests.chaos.processes import ClusterProcesses, Layout, Node, config_of
from tests.chaos.workload import Workload

from grevy.broker.cli.launching import broker_command
from grevy.broker.config import BrokerConfig
from grevy.client import Client, ClientOptions, run

SEED: Final = int(os.environ.get("GREVY_SEED", "1"))
FIRST: Final = (1, 2, 3)
NEW: Final = 4
BETWEEN: Final = 40
"""Orders that are acknowledged before the next thing happens."""
CHANGE_S: Final = 120.0

SETTINGS: Final = {"GREVY_CHECKPOINT_PERIOD_S": "0.5", "GREVY_LEAD_BACK_S": "1"}


def command(node: Node, layout: Layout, contact_points: Sequence[str]) -> list[str]:
    """The first brokers are told how many they are; the new one nothing but that it joins."""
    first = Layout(layout.folder, len(FIRST), layout.partitions, layout.replication_factor)
    config = config_of(node, first, contact_points)
    if node.node_id == NEW:
        config = replace(
            BrokerConfig(join=True),
            data=config.data,
            port=config.port,
            node_id=NEW,
            cluster_port=config.cluster_port,
        )
    return broker_command(config)


async def grevy(*arguments: str) -> list[dict[str, object]]:
    """Runs a command that must succeed; the objects that it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "grevy.broker", *arguments, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), CHANGE_S)
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in output.splitlines()]


async def wait_under_way(client: Client, epoch: int) -> None:
    """Until a change has begun: nobody tells, so look again and again."""
    while True:
        status = await client.cluster.status()
        if status["epoch"] == epoch and status["steps"]:
            return
        await asyncio.sleep(0.05)


async def kill_on_the_way(cluster: ClusterProcesses, victim: int, work: Workload) -> None:
    """A broker is killed while a change is under way, and comes back."""
    await work.wait_acknowledged(work.acknowledged + BETWEEN // 4)
    await cluster.kill(victim)
    await work.wait_acknowledged(work.acknowledged + BETWEEN // 4)
    await cluster.start(victim)


async def grow_and_shrink(folder: Path) -> None:
    rng = Random(SEED)
    history = folder / "history"
    layout = Layout(folder / "cluster", brokers=len(FIRST) + 1, settings=SETTINGS)
    async with ClusterProcesses(layout, command=command) as cluster:
        await asyncio.gather(*map(cluster.start, FIRST))
        options = ClientOptions(request_timeout_s=60)
        client = await Client.connect(*cluster.endpoints.values(), options=options)
        recorder = Recorder(history)
        work = Workload(client, recorder, seed=SEED)
        await work.begin()
        await work.wait_acknowledged(BETWEEN)

        new = cluster.nodes[NEW]
        await cluster.start(NEW)
        add = ("add", f"{NEW}@{new.host}:{new.cluster_port}", "--address", cluster.endpoints[2])
        adding = asyncio.create_task(grevy("cluster", *add))
        await wait_under_way(client, epoch=2)
        await kill_on_the_way(cluster, rng.choice(FIRST), work)
        assert (await adding)[-1] == {"epoch": 2, "is_done": True}
        await work.wait_acknowledged(work.acknowledged + BETWEEN)

        remove = ("remove", "1", "--address", cluster.endpoints[NEW])
        removing = asyncio.create_task(grevy("cluster", *remove))
        await wait_under_way(client, epoch=3)
        await kill_on_the_way(cluster, rng.choice((2, 3, NEW)), work)
        assert (await removing)[-1] == {"epoch": 3, "is_done": True}
        assert await cluster.wait(1) == 0, "who was removed ends by itself"
        await grevy("cluster", "rebalance", "--address", cluster.endpoints[NEW])
        await work.wait_acknowledged(work.acknowledged + BETWEEN)

        status = await client.cluster.status()
        entries = await work.finish()
        client.close()
        await recorder.close()
        assert sorted(cluster.running) == [2, 3, NEW]
    assert check(read_history(history), entries) == []
    partitions = status["partitions"]
    assert isinstance(partitions, list)
    for each in partitions:
        assert isinstance(each, dict)
        assert each["leader"] == each["should_lead"]
        replicas = each["replicas"]
        assert isinstance(replicas, list)
        assert {replica["node_id"] for replica in replicas if isinstance(replica, dict)} == {
            *(2, 3, NEW)
        }


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
def test_a_cluster_grows_and_shrinks_under_load(tmp_path: Path) -> None:
    run(grow_and_shrink(tmp_path))
