"""Three brokers under load, of which one after the other is killed, stopped for a time, or robbed
of its data: what clients were told is what the logs of all partitions say.

GREVY_FAULTS is how many faults there are (default: 6), GREVY_SEED which.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.chaos.processes import ClusterProcesses, Layout
from tests.chaos.scenario import SETTINGS, UnderLoad, faults, play, wait_whole

from grevy.client import run


async def hurt(load: UnderLoad) -> None:
    """One fault, from its beginning to its end but for what the load has to do about it."""
    cluster, chance = load.cluster, load.chance
    victim = chance.choice(sorted(cluster.nodes))
    kind = chance.choice(("kill", "kill", "pause", "wipe"))
    load.note(f"{kind}: broker {victim}")
    if kind == "wipe":  # two that lack what they had are more than three replicas can bear
        await wait_whole(cluster)
    if kind == "pause":
        await cluster.pause(victim, chance.uniform(0.5, 4))
        return
    await cluster.kill(victim)
    if kind == "wipe":
        cluster.wipe(victim)
    await asyncio.sleep(chance.uniform(0, 3))
    await cluster.start(victim)


async def hurt_all_the_time(folder: Path) -> None:
    layout = Layout(folder / "cluster", settings=SETTINGS)
    async with ClusterProcesses(layout) as cluster:
        assert await play(cluster, folder, hurt, count=faults(6)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
def test_faults_under_load(tmp_path: Path) -> None:
    run(hurt_all_the_time(tmp_path))
