"""A broker whose disk gets full under load, and has room again: what was acknowledged is there, the
others go on.

Watched, as it is unless a broker is told otherwise, nothing ends: the broker says that its disk is
out of space, others lead, and it catches up by itself. A disk that is full before anybody looks
ends its broker, which says so, and which comes back when there is room.

GREVY_FAULTS is how often a disk gets full (default: once each), GREVY_SEED whose. The
outer test runs this file again within namespaces, where the others are not skipped.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.chaos.namespaces import SmallDisk, is_inside
from tests.chaos.processes import BrokerEnded, ClusterProcesses, Layout
from tests.chaos.scenario import SETTINGS, UnderLoad, faults, play, play_inside

from grevy.client import run

MIB: Final = 1024 * 1024
DISK_BYTES: Final = 128 * MIB
MINIMUM_MIB: Final = 16
LEFT_BYTES: Final = (MINIMUM_MIB + 2) * MIB
"""Left above the minimum when a disk begins to get full: the load takes the rest."""
FULL_TIMEOUT_S: Final = 90.0

within = pytest.mark.skipif(not is_inside(), reason="runs within namespaces")


class FullDisks:
    """One disk after the other gets full and has room again."""

    def __init__(self, disks: dict[int, SmallDisk]) -> None:
        self._disks = disks

    async def watched(self, load: UnderLoad) -> None:
        """Nothing ends; the broker hands over, in the end takes no more, and catches up."""
        victim = await _some_leader(load)
        disk, said = self._disks[victim], len(load.cluster.log(victim))
        load.note(f"the disk of broker {victim} gets full")
        disk.fill(free_bytes=LEFT_BYTES)
        await _said(load, victim, "is out of space", said)
        load.note("it says so")
        await _leads_nothing(load, victim)
        await load.progress()
        disk.fill(free_bytes=MINIMUM_MIB * MIB // 4)
        await _said(load, victim, "no entries of its leader are taken", said)
        load.note("it takes nothing more")
        await load.progress()
        disk.free()
        await _said(load, victim, "free again", said)
        load.note("it has room again")
        await load.progress()

    async def unwatched(self, load: UnderLoad) -> None:
        """The broker ends, cannot begin, and begins when there is room."""
        victim, cluster = await _some_leader(load), load.cluster
        disk, said = self._disks[victim], len(load.cluster.log(victim))
        load.note(f"the disk of broker {victim} is full")
        disk.fill()
        async with asyncio.timeout(FULL_TIMEOUT_S):
            code = await cluster.wait(victim)
        load.note(f"it has ended with {code}")
        assert code == 1
        assert "No space left on device" in cluster.log(victim)[said:]
        await load.progress()
        self._really_fill(victim, cluster.nodes[victim].data)
        said = len(cluster.log(victim))
        with pytest.raises(BrokerEnded):
            await cluster.start(victim)
        words = cluster.log(victim)[said:]
        assert "is full" in words
        assert "Traceback" not in words, words
        disk.free()
        await cluster.start(victim)
        load.note("it is there again")
        await load.progress()

    def _really_fill(self, node_id: int, data: Path) -> None:
        """A start gives back what the last one has left of the state, and so has room: here too."""
        for runtime in data.glob("partitions/*/runtime*"):
            shutil.rmtree(runtime)
        self._disks[node_id].fill()


async def _some_leader(load: UnderLoad) -> int:
    leaders = await load.leaders()
    return leaders[load.chance.choice(sorted(leaders))]


async def _leads_nothing(load: UnderLoad, victim: int) -> None:
    """Until it has handed over all that it leads: nobody tells, so look again and again."""
    async with asyncio.timeout(FULL_TIMEOUT_S):
        while True:
            if victim not in (await load.leaders()).values():
                break
            await asyncio.sleep(0.1)


async def _said(load: UnderLoad, node_id: int, words: str, since: int) -> None:
    """Until a broker has said something."""
    async with asyncio.timeout(FULL_TIMEOUT_S):
        while True:
            if words in load.cluster.log(node_id)[since:]:
                break
            await asyncio.sleep(0.1)


@contextmanager
def small_disks(layout: Layout) -> Iterator[dict[int, SmallDisk]]:
    """One for each broker of a cluster."""
    with ExitStack() as stack:
        yield {
            node_id: stack.enter_context(SmallDisk(layout.data(node_id), DISK_BYTES))
            for node_id in range(1, layout.brokers + 1)
        }


async def fill_all_the_time(folder: Path, *, is_watched: bool) -> None:
    minimum = {"GREVY_DISK_FREE_MIN_MB": str(MINIMUM_MIB if is_watched else 0)}
    layout = Layout(folder / "cluster", settings=SETTINGS | minimum)
    with small_disks(layout) as disks:
        async with ClusterProcesses(layout) as cluster:
            hurt = FullDisks(disks)
            act = hurt.watched if is_watched else hurt.unwatched
            assert await play(cluster, folder, act, count=faults(1)) == []


@within
def test_a_disk_gets_full(tmp_path: Path) -> None:
    run(fill_all_the_time(tmp_path, is_watched=True))


@within
def test_a_disk_is_full(tmp_path: Path) -> None:
    run(fill_all_the_time(tmp_path, is_watched=False))


@pytest.mark.skipif(is_inside(), reason="runs outside")
@pytest.mark.skipif(sys.platform != "linux", reason="counts on namespaces of Linux")
def test_within_namespaces(tmp_path: Path) -> None:
    play_inside(__file__, tmp_path)
