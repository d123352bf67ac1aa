"""Three brokers under load, of which one after the other, or all at once, are killed, stopped for a
time, or robbed of their data: what clients were told is what the logs of all partitions say.

GREVY_FAULTS is how many faults there are (default: 6), GREVY_SEED which.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.chaos.processes import ClusterProcesses, Layout
from tests.chaos.scenario import SETTINGS, UnderLoad, faults, play, wait_whole

from grevy.client import run

KINDS: Final = {"kill": 30, "kill a leader": 20, "kill all": 5, "pause": 25, "wipe": 20}
"""And how likely they are."""


class Faults:
    """One of each kind, then by chance."""

    def __init__(self) -> None:
        self._left = [*KINDS]

    async def __call__(self, load: UnderLoad) -> None:
        """One fault, from its beginning to its end but for what the load has to do about it."""
        cluster, chance = load.cluster, load.chance
        weights = [*KINDS.values()]
        kind = self._left.pop(0) if self._left else chance.choices([*KINDS], weights)[0]
        victims = [chance.choice(sorted(cluster.nodes))]
        if kind == "wipe":  # two that lack what they had are more than three replicas can bear
            await wait_whole(cluster)
        elif kind == "kill a leader":
            victims = [chance.choice(sorted((await load.leaders()).values()))]
        elif kind == "kill all":
            victims = sorted(cluster.nodes)
        load.note(f"{kind}: {victims}")
        if kind == "pause":
            await cluster.pause(victims[0], chance.uniform(0.5, 4))
            return
        for victim in victims:
            await cluster.kill(victim)
        if kind == "wipe":
            cluster.wipe(victims[0])
        await asyncio.sleep(chance.uniform(0, 3))
        for victim in victims:
            await cluster.start(victim)


async def hurt_all_the_time(folder: Path) -> None:
    layout = Layout(folder / "cluster", settings=SETTINGS)
    async with ClusterProcesses(layout) as cluster:
        assert await play(cluster, folder, Faults(), count=faults(6)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
def test_faults_under_load(tmp_path: Path) -> None:
    run(hurt_all_the_time(tmp_path))
