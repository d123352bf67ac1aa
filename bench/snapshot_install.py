"""What it costs the others that a replica gets its whole state anew: three brokers as processes,
one partition, a state of some 100 MB, instances created all the time.

    python bench/snapshot_install.py [--megabytes 100] [--clients 4] [--seconds 10]

A follower is killed, loses its disk and comes back; its leader, which has compacted its log, sends
it a snapshot. The longest time in which no create was answered, and the latencies of creates, are
measured before and meanwhile. Prints what it does on the way; its last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started by its path, it stands alone

from bench.one_task import WAIT, model
from tests.chaos.processes import ClusterProcesses, Layout

from grevy.client import Client

VARIABLE_BYTES: Final = 32 * 1024
FILLING: Final = 32
"""Creates under way while the state is made."""
LOOK_S: Final = 0.2
PATIENCE_S: Final = 300.0
CHECKPOINT_PERIOD_S: Final = 10.0
"""So that the log is soon compacted; what checkpoints cost is in both measurements."""


@dataclass(frozen=True, slots=True)
class Stalls:
    """Creates in a span: the longest time without an answer, and latencies, in milliseconds."""

    seconds: float
    creates: int
    longest_gap_ms: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class Load:
    """Clients that create an instance, wait for the answer and create the next."""

    def __init__(self, client: Client, clients: int) -> None:
        self._client = client
        self._clients = clients
        self._answers: list[tuple[float, float]] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the context lasts."""
        tasks = [asyncio.create_task(self._create()) for _ in range(self._clients)]
        yield
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def stalls(self, begin: float, end: float) -> Stalls:
        """What was answered between two moments."""
        found = [(at, took) for at, took in self._answers if begin <= at <= end]
        moments = [begin, *(at for at, _ in found), end]
        took_ms = sorted(took * 1e3 for _, took in found)
        return Stalls(
            seconds=round(end - begin, 2),
            creates=len(found),
            longest_gap_ms=round(max(b - a for a, b in pairwise(moments)) * 1e3, 1),
            p50_ms=round(took_ms[len(took_ms) // 2], 1),
            p99_ms=round(took_ms[len(took_ms) * 99 // 100], 1),
            max_ms=round(took_ms[-1], 1),
        )

    async def _create(self) -> None:
        while True:
            begin = time.perf_counter()
            await self._client.create_instance("short")
            end = time.perf_counter()
            self._answers.append((end, end - begin))


async def fill(client: Client, megabytes: int) -> None:
    """Instances that wait for messages, with a large variable each."""
    document = "x" * VARIABLE_BYTES
    numbers = iter(range(megabytes * 1_000_000 // VARIABLE_BYTES))

    async def create() -> None:
        for number in numbers:
            variables = {"key": f"k-{number}", "document": document}
            await client.create_instance("waiting", variables=variables)

    await asyncio.gather(*(create() for _ in range(FILLING)))


async def figure(cluster: ClusterProcesses, node_id: int, name: str) -> int:
    """One of a broker's figures of the partition; 0 while it does not have it."""
    async with await Client.connect(cluster.endpoints[node_id]) as client:
        partitions = (await client.status())["partitions"]
    assert isinstance(partitions, list)
    return sum(int(str(one[name])) for one in partitions if isinstance(one, dict))


async def wait_reached(cluster: ClusterProcesses, node_id: int, name: str, least: int) -> None:
    """Returns when a figure is that great."""
    async with asyncio.timeout(PATIENCE_S):
        while await figure(cluster, node_id, name) < least:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(LOOK_S)


async def find_leader(client: Client) -> int:
    """The broker that leads the partition."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for broker in (await client.topology()).brokers:
                if any(replica.role == "leader" for replica in broker.replicas):
                    return broker.node_id
            await asyncio.sleep(LOOK_S)


def snapshot_bytes(folder: Path) -> int:
    """The size of the newest checkpoint of a broker."""
    images = [path.parent for path in folder.rglob("image")]
    newest = max(images, key=lambda path: int(path.name))
    return sum(path.stat().st_size for path in newest.iterdir())


async def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """The whole story."""
    settings = {"GREVY_CHECKPOINT_PERIOD_S": str(CHECKPOINT_PERIOD_S)}
    async with ClusterProcesses(Layout(folder, partitions=1, settings=settings)) as cluster:
        await cluster.start_all()
        async with await Client.connect(*cluster.endpoints.values()) as client:
            await client.deploy(("w.bpmn", model("waiting", WAIT)), ("s.bpmn", model("short")))
            await fill(client, options.megabytes)
            leader = await find_leader(client)
            victim = min(cluster.nodes.keys() - {leader})
            say(f"the state is there, {leader} leads, {victim} will lose its disk")
            load = Load(client, options.clients)
            async with load.running():
                await wait_reached(cluster, leader, "log_first_index", 2)
                say("the log is compacted")
                begin = time.perf_counter()
                await asyncio.sleep(options.seconds)
                before = load.stalls(begin, time.perf_counter())
                say(f"before: {before}")
                await cluster.kill(victim)
                cluster.wipe(victim)
                size = snapshot_bytes(cluster.nodes[leader].data)
                target = await figure(cluster, leader, "state_applied_index")
                begin = time.perf_counter()
                await cluster.start(victim)
                await wait_reached(cluster, victim, "state_applied_index", target)
                end = time.perf_counter()
                meanwhile = load.stalls(begin, end)
                say(f"meanwhile: {meanwhile}")
                assert await figure(cluster, victim, "log_first_index") > 1, "no snapshot was sent"
    return {
        "snapshot_mb": round(size / 1e6, 1),
        "install_s": round(end - begin, 2),
        "longest_stall_ms": meanwhile.longest_gap_ms,
        "longest_stall_before_ms": before.longest_gap_ms,
        "before": asdict(before),
        "meanwhile": asdict(meanwhile),
    }


def say(line: str) -> None:
    """To the output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=100, help="of variables in the state")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of the measurement before")
    parser.add_argument("--data", default=None, help="folder for the logs: the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="grevy-bench-", dir=options.data) as folder:
        say(json.dumps(asyncio.run(measure(Path(folder), options))))


if __name__ == "__main__":
    main()
