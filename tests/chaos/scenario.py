"""A cluster under load to which things happen, and the verdict on it: what clients were told is
what the logs of all partitions say, and everything that began has come to its end.

    verdict = await play(cluster, folder, hurt, seed=SEED, faults=FAULTS)
    assert verdict == []

`hurt` makes one fault after the other and puts right again what it has done. GREVY_SEED says which
faults, GREVY_FAULTS how many.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from random import Random
from statistics import median
from typing import Final, TypeAlias

import pytest
from tests.chaos.checker import Violation, check
from tests.chaos.history import Recorder, read_history
from tests.chaos.namespaces import NamespacesRefused, check_allowed, inside
from tests.chaos.processes import ClusterProcesses
from tests.chaos.workload import Workload

from grevy.client import Client, ClientOptions, Topology

SEED: Final = int(os.environ.get("GREVY_SEED", "1"))
BETWEEN: Final = 40
"""Orders that are acknowledged from one fault to the next, in spite of it."""
PROGRESS_TIMEOUT_S: Final = 90.0
"""A cluster that has a quorum takes orders again long before: an election takes two seconds."""
LEADER: Final = "leader"
FIGURES_FILE: Final = "GREVY_FIGURES_FILE"
"""Names the file of what tests have measured."""
ROOT: Final = Path(__file__).resolve().parents[2]
INSIDE_TIMEOUT_S: Final = 3_600.0
SETTINGS: Final = {"GREVY_CHECKPOINT_PERIOD_S": "0.5"}


def faults(default: int) -> int:
    """How many faults there are to be."""
    return int(os.environ.get("GREVY_FAULTS", default))


class Stalled(Exception):
    """Nothing goes on, although a quorum is there."""


class UnderLoad:
    """What a fault has to do with: the brokers, the load, and chance."""

    def __init__(self, cluster: ClusterProcesses, workload: Workload, chance: Random) -> None:
        self.cluster: Final = cluster
        self.chance: Final = chance
        self._workload = workload
        self._began_s = time.monotonic()
        self._spans_s: Final[dict[str, list[float]]] = defaultdict(list)

    def note(self, what: str) -> None:
        """What is done, and when: read when a test fails."""
        now_s = time.monotonic() - self._began_s
        print(f"{now_s:7.2f} s, {self._workload.acknowledged} orders: {what}")

    async def progress(self, orders: int = BETWEEN) -> None:
        """Until so many orders more are acknowledged. Raises `Stalled` if that does not come."""
        aim = self._workload.acknowledged + orders
        try:
            async with asyncio.timeout(PROGRESS_TIMEOUT_S):
                await self._workload.wait_acknowledged(aim)
        except TimeoutError:
            missing = aim - self._workload.acknowledged
            raise Stalled(f"{missing} of {orders} orders in {PROGRESS_TIMEOUT_S:g} s") from None

    async def resumed(self) -> None:
        """Until something that was new now is acknowledged in each partition, and how long that
        took the slowest: a majority is connected, and leads or finds a leader.
        """
        count, began_s = self.cluster.layout.partitions, time.monotonic()
        async with asyncio.timeout(PROGRESS_TIMEOUT_S):
            partitions = range(1, count + 1)
            await asyncio.gather(*[self._workload.touch(each, count) for each in partitions])
        self._took("writes acknowledged again after", began_s)

    async def gave_up(self, node_id: int) -> None:
        """Until this broker, which led and has no majority, says itself that it leads nothing: from
        then on it refuses to write. And how long that took.
        """
        began_s = time.monotonic()
        async with asyncio.timeout(PROGRESS_TIMEOUT_S):
            while True:
                if not led_by(await ask(self.cluster, node_id), node_id):
                    break
                await asyncio.sleep(0.02)  # nobody tells, so look again
        self._took("a leader without a majority refused after", began_s)

    def _took(self, what: str, began_s: float) -> None:
        took_s = time.monotonic() - began_s
        self.note(f"{what} {took_s:.2f} s")
        self._spans_s[what].append(took_s)

    def figures(self) -> list[str]:
        """What was measured, a line each."""
        return [
            f"{what} {median(spans):.2f} s (median of {len(spans)}), {max(spans):.2f} s at most"
            for what, spans in self._spans_s.items()
        ]

    async def leaders(self, among: Iterable[int] | None = None) -> dict[int, int]:
        """Who leads each partition, by node ids, once all these brokers (default: all that run) say
        the same of themselves.
        """
        asked = list(self.cluster.running if among is None else among)
        async with asyncio.timeout(PROGRESS_TIMEOUT_S):
            while True:
                found: list[tuple[int, int]] = []
                for node_id in asked:
                    topology = await ask(self.cluster, node_id)
                    found += [(partition, node_id) for partition in led_by(topology, node_id)]
                if sorted(p for p, _ in found) == [*range(1, self.cluster.layout.partitions + 1)]:
                    return dict(found)
                await asyncio.sleep(0.1)  # nobody tells, so look again


Hurt: TypeAlias = Callable[[UnderLoad], Awaitable[None]]


async def ask(cluster: ClusterProcesses, node_id: int) -> Topology:
    """What a broker itself says: what others have heard of it may be older."""
    options = ClientOptions(request_timeout_s=PROGRESS_TIMEOUT_S)
    async with await Client.connect(cluster.endpoints[node_id], options=options) as client:
        return await client.topology()


def led_by(topology: Topology, node_id: int) -> list[int]:
    """The partitions that a broker leads, by what it says."""
    return [
        replica.partition_id
        for broker in topology.brokers
        if broker.node_id == node_id
        for replica in broker.replicas
        if replica.role == LEADER
    ]


async def is_whole(cluster: ClusterProcesses, node_id: int) -> bool:
    """Whether a broker says that all its replicas have all that they ever had."""
    topology = await ask(cluster, node_id)
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


async def play(
    cluster: ClusterProcesses, folder: Path, hurt: Hurt, *, count: int, seed: int = SEED
) -> list[Violation]:
    """Starts the cluster and the load, hurts it so many times, and gives what is wrong afterwards.

    Raises `Stalled` or `Unfinished` where something does not go on that should.
    """
    history = folder / "history"
    await cluster.start_all()
    options = ClientOptions(request_timeout_s=60)
    client = await Client.connect(*cluster.endpoints.values(), options=options)
    recorder = Recorder(history)
    workload = Workload(client, recorder, seed=seed)
    load = UnderLoad(cluster, workload, Random(seed))
    try:
        await workload.begin()
        for _ in range(count):
            await load.progress()
            await hurt(load)
        await load.progress()
        load.note("the end")
        tell_figures(load.figures())
        entries = await workload.finish()
    finally:
        await workload.abandon()
        client.close()
        await recorder.close()
    assert sorted(cluster.running) == sorted(cluster.nodes), "nobody ended by itself"
    return check(read_history(history), entries)


def tell_figures(lines: Iterable[str]) -> None:
    """Figures of a test, for the end of the run: see `conftest`. They decide nothing."""
    path = os.environ.get(FIGURES_FILE)
    if path is not None:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].partition(" ")[0]
        with open(path, "a", encoding="utf-8") as file:
            file.writelines(f"{test}: {line}\n" for line in lines)


def play_inside(file: str, folder: Path) -> None:
    """Runs the tests of a file again within namespaces; skips where those are refused."""
    try:
        check_allowed()
    except NamespacesRefused as refused:
        pytest.skip(f"{refused}")
    options = ["-q", "-s", "-p", "no:cacheprovider", f"--basetemp={folder / 'inside'}"]
    done = subprocess.run(
        inside([sys.executable, "-m", "pytest", *options, file]),
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=INSIDE_TIMEOUT_S,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
