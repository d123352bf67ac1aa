"""Three brokers under load, of which one after the other is killed, stopped for a time, or robbed
of its data: what clients were told is what the logs of all partitions say.

GREVY_FAULTS is how many faults there are (default: 6), GREVY_SEED which.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from random import Random
from typing import Final

import pytest
from tests.chaos.checker import check
from tests.chaos.history import Recorder, read_history
from tests.chaos.processes import ClusterProcesses, Layout
from tests.chaos.workload import Workload

from grevy.client import Client, ClientOptions, run

FAULTS: Final = int(os.environ.get("GREVY_FAULTS", "6"))
SEED: Final = int(os.environ.get("GREVY_SEED", "1"))
BETWEEN: Final = 40
"""Orders that are acknowledged from one fault to the next, in spite of it."""

SETTINGS: Final = {"GREVY_CHECKPOINT_PERIOD_S": "0.5"}


async def is_whole(cluster: ClusterProcesses, node_id: int) -> bool:
    """Whether a broker says that all its replicas have all that they ever had. It is asked itself:
    what others have heard of it may be from before it lost its data.
    """
    async with await Client.connect(cluster.endpoints[node_id]) as client:
        topology = await client.topology()
    (own,) = [each for each in topology.brokers if each.node_id == node_id]
    are_whole = [each.is_healthy for each in own.replicas]
    return len(are_whole) == cluster.layout.partitions and all(are_whole)


async def wait_whole(cluster: ClusterProcesses) -> None:
    """Until all are: nobody tells, so look again and again."""
    for node_id in cluster.nodes:
        while True:
            if await is_whole(cluster, node_id):
                break
            await asyncio.sleep(0.1)


async def hurt(cluster: ClusterProcesses, rng: Random) -> None:
    """One fault, from its beginning to its end but for what the load has to do about it."""
    victim = rng.choice(sorted(cluster.nodes))
    kind = rng.choice(("kill", "kill", "pause", "wipe"))
    if kind == "wipe":  # two that lack what they had are more than three replicas can bear
        await wait_whole(cluster)
    if kind == "pause":
        await cluster.pause(victim, rng.uniform(0.5, 4))
        return
    await cluster.kill(victim)
    if kind == "wipe":
        cluster.wipe(victim)
    await asyncio.sleep(rng.uniform(0, 3))
    await cluster.start(victim)


async def hurt_all_the_time(folder: Path) -> None:
    rng = Random(SEED)
    history = folder / "history"
    layout = Layout(folder / "cluster", settings=SETTINGS)
    async with ClusterProcesses(layout) as cluster:
        await cluster.start_all()
        options = ClientOptions(request_timeout_s=60)
        client = await Client.connect(*cluster.endpoints.values(), options=options)
        recorder = Recorder(history)
        workload = Workload(client, recorder, seed=SEED)
        await workload.begin()
        for _ in range(FAULTS):
            await workload.wait_acknowledged(workload.acknowledged + BETWEEN)
            await hurt(cluster, rng)
        await workload.wait_acknowledged(workload.acknowledged + BETWEEN)
        entries = await workload.finish()
        client.close()
        await recorder.close()
        assert sorted(cluster.running) == sorted(cluster.nodes), "nobody ended by itself"
    assert check(read_history(history), entries) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
def test_faults_under_load(tmp_path: Path) -> None:
    run(hurt_all_the_time(tmp_path))
