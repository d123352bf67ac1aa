"""SIGSTOP under load, for longer than it takes to elect another leader: the others go on meanwhile,
and a leader that wakes up in a term that is over, with all that was sent to it in its sockets, does
no harm.

GREVY_FAULTS is how many pauses there are (default: 4), GREVY_SEED which. Beyond the first four,
which are one of each kind, some are long enough for clients and links to be taken for dead.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.chaos.processes import ClusterProcesses, Layout
from tests.chaos.scenario import SETTINGS, UnderLoad, faults, play

from grevy.client import run

KINDS: Final = ("leader", "follower", "two", "blinks")
USUAL_S: Final = (2.2, 3.2)
"""More than the longest wait before an election, which is two seconds."""
LONG_S: Final = (11.0, 20.0)
"""More than the ten seconds after which a silent client is gone."""


class Pauses:
    """One pause after the other."""

    def __init__(self) -> None:
        self._count = 0

    async def __call__(self, load: UnderLoad) -> None:
        """The next one."""
        number, self._count = self._count, self._count + 1
        kind = KINDS[number] if number < len(KINDS) else load.chance.choice(KINDS)
        is_long = number >= len(KINDS) and load.chance.random() < 0.2
        seconds = load.chance.uniform(*(LONG_S if is_long else USUAL_S))
        leaders = await load.leaders()
        leader = leaders[load.chance.choice(sorted(leaders))]
        others = sorted(load.cluster.nodes.keys() - {leader})
        load.note(f"{kind}: broker {leader}, which leads; {seconds:.1f} s")
        match kind:
            case "leader":
                await _minority(load, leader, seconds)
            case "follower":
                await _minority(load, load.chance.choice(others), seconds)
            case "two":
                await _majority(load, [leader, load.chance.choice(others)], seconds)
            case "blinks":
                await _blinks(load, leader)


async def _minority(load: UnderLoad, victim: int, seconds: float) -> None:
    """One is stopped; there is progress without it."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.cluster.pause(victim, seconds))
        tasks.create_task(load.progress())


async def _majority(load: UnderLoad, victims: Sequence[int], seconds: float) -> None:
    """Two are stopped, and wake up at different times."""
    await asyncio.gather(
        load.cluster.pause(victims[0], seconds),
        load.cluster.pause(victims[1], seconds * load.chance.uniform(0.5, 1)),
    )


async def _blinks(load: UnderLoad, victim: int) -> None:
    """A leader that is away again and again, about as long as it takes to doubt it."""
    for _ in range(3):
        await load.cluster.pause(victim, load.chance.uniform(0.3, 1.3))
        await load.progress(5)


async def pause_all_the_time(folder: Path) -> None:
    layout = Layout(folder / "cluster", settings=SETTINGS)
    async with ClusterProcesses(layout) as cluster:
        assert await play(cluster, folder, Pauses(), count=faults(len(KINDS))) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts on signals and loopback of Linux")
def test_pauses_under_load(tmp_path: Path) -> None:
    run(pause_all_the_time(tmp_path))
