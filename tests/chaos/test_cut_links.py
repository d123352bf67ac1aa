"""Three brokers, each on a host of its own, whose cables are pulled under load: the leader is cut
off, hears nobody, is heard by nobody, two do not reach each other, a cable has a loose contact.
Clients reach who is left, and go on; when all is healed, what was sent before is harmless.

GREVY_FAULTS is how many cuts there are (default: 5, one of each kind), GREVY_SEED which. The outer
test runs this file again within namespaces, where the other is not skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.chaos.namespaces import Network, is_inside
from tests.chaos.processes import ClusterProcesses, Layout
from tests.chaos.scenario import SETTINGS, UnderLoad, faults, play, play_inside

from grevy.client import run

HOSTS: Final = ("a", "b", "c")
KINDS: Final = ("isolated", "unheard", "deaf", "between", "flapping")
HALVES: Final = ("unheard", "deaf")
"""The leader loses its majority, but clients still reach it; in "isolated", nobody does."""
CUT_S: Final = (1.0, 3.0)
FLAP_S: Final = (0.2, 1.0)
FLAPS: Final = 4


class Cuts:
    """One cut after the other; each is healed before the next one."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._count = 0

    async def __call__(self, load: UnderLoad) -> None:
        """The next one."""
        number, self._count = self._count, self._count + 1
        kind = KINDS[number] if number < len(KINDS) else load.chance.choice(KINDS)
        leaders = await load.leaders()
        leader = leaders[load.chance.choice(sorted(leaders))]
        others = sorted(load.cluster.nodes.keys() - {leader})
        load.chance.shuffle(others)
        load.note(f"{kind}: broker {leader}, which leads; others: {others}")
        if kind == "flapping":
            await self._flap(load, leader)
        else:
            self._cut(kind, leader, others)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(load.chance.uniform(*CUT_S)))
                tasks.create_task(load.progress())
                tasks.create_task(load.resumed())
                if kind in HALVES:
                    tasks.create_task(load.gave_up(leader))
        self._network.heal()
        load.note("healed")

    def _cut(self, kind: str, leader: int, others: Sequence[int]) -> None:
        host = _host(leader)
        match kind:
            case "isolated":
                self._network.isolate(host)
            case "unheard":
                for other in others:
                    self._network.cut_one_way(host, _host(other))
            case "deaf":
                for other in others:
                    self._network.cut_one_way(_host(other), host)
            case "between":
                self._network.cut_between(host, _host(others[0]))
            case _:
                raise AssertionError(kind)

    async def _flap(self, load: UnderLoad, victim: int) -> None:
        for _ in range(FLAPS):
            self._network.isolate(_host(victim))
            await asyncio.sleep(load.chance.uniform(*FLAP_S))
            self._network.heal()
            await asyncio.sleep(load.chance.uniform(*FLAP_S))


def _host(node_id: int) -> str:
    return HOSTS[node_id - 1]


async def cut_all_the_time(folder: Path, network: Network) -> None:
    addresses = tuple(map(network.address, HOSTS))
    layout = Layout(
        folder / "cluster", hosts=addresses, settings=SETTINGS | {"GREVY_INSECURE": "true"}
    )
    prefix = dict(zip(addresses, map(network.prefix, HOSTS), strict=True))
    async with ClusterProcesses(layout, prefix=lambda node: prefix[node.host]) as cluster:
        assert await play(cluster, folder, Cuts(network), count=faults(len(KINDS))) == []


@pytest.mark.skipif(not is_inside(), reason="runs within namespaces")
def test_cuts_under_load(tmp_path: Path) -> None:
    with Network(HOSTS) as network:
        run(cut_all_the_time(tmp_path, network))


@pytest.mark.skipif(is_inside(), reason="runs outside")
def test_within_namespaces(tmp_path: Path) -> None:
    play_inside(__file__, tmp_path)
