"""How long a partition is away when the broker that leads it is killed: three brokers as processes,
three replicas of each partition, one-task instances all the time.

    python bench/failover.py [--rounds 5] [--in-flight 20] [--partitions 3]

In each round a broker that leads is killed with `kill -9`. The figure is the time from then until
an instance that was begun after the kill, in a partition that this broker led, is completed, as the
client that created it sees it; where it led several, the last one counts. The broker is started
again, and the next round begins when each partition is led by who should lead it. Prints what it
does on the way; its last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started by its path, it stands alone

from bench.one_task import compile_sources, model, task
from tests.chaos.processes import ClusterProcesses, Layout

from grevy.client import (
    Client,
    ClientOptions,
    InvalidState,
    Job,
    JobSubscription,
    NotFound,
    Topology,
    run,
)
from grevy.protocol.keys import partition_of
from grevy.protocol.messages import ActivatedJob, OpenJobSubscription

LOOK_S: Final = 0.02
PATIENCE_S: Final = 60.0
CALM_S: Final = 1.0
"""Load before each kill."""
JOB_TIMEOUT_MS: Final = 5_000
"""After that a job is given out again that a broker pushed just when it was killed."""
LEADER: Final = "leader"


@dataclass(frozen=True, slots=True)
class Round:
    """What one kill cost, in seconds since, and for the last of the partitions that were led by
    that broker: until somebody told of a new leader, until an instance was created and until one
    was completed.
    """

    partitions: tuple[int, ...]
    led_s: float
    created_s: float
    completed_s: float


class Instance(NamedTuple):
    """A completed instance, and when (by `time.perf_counter`) it was begun, created, completed."""

    partition_id: int
    began_s: float
    created_s: float
    completed_s: float


class Load:
    """Clients that create an instance, wait until its task is completed, and create the next; a
    worker with a connection of its own completes the tasks.
    """

    def __init__(self, client: Client, worker: Client, in_flight: int) -> None:
        self._client = client
        self._worker = worker
        self._in_flight = in_flight
        self._lanes: set[asyncio.Task[None]] = set()
        self._finishing: set[asyncio.Task[None]] = set()
        self._awaited: dict[int, asyncio.Future[None]] = {}
        self._done: set[int] = set()
        self._completed = asyncio.Event()
        self.instances: Final[list[Instance]] = []
        """All that are completed, oldest first."""

    def begin(self) -> None:
        """Runs from now on."""
        terms = OpenJobSubscription(
            subscription=0,
            partition_id=0,
            type="task",
            worker="bench",
            timeout=JOB_TIMEOUT_MS,
            fetch_variables=(),
            credit=1_024,
        )
        self._worker.subscribe_jobs(terms, self._take)
        self._lanes = {asyncio.create_task(self._lane()) for _ in range(self._in_flight)}

    async def end(self) -> None:
        """Runs no longer. Raises what went wrong."""
        tasks = self._lanes | self._finishing
        for each in tasks:
            each.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def wait_completed(self, partition_id: int, since_s: float) -> Instance:
        """The first instance of a partition that was begun since then, when it is completed."""
        seen = len(self.instances)
        while True:
            for instance in self.instances[seen:]:
                if instance.partition_id == partition_id and instance.began_s >= since_s:
                    return instance
            seen = len(self.instances)
            self._completed.clear()
            await self._completed.wait()

    async def _lane(self) -> None:
        while True:
            began_s = time.perf_counter()
            key = (await self._client.create_instance("one-task")).key
            created_s = time.perf_counter()
            if key not in self._done:
                self._awaited[key] = asyncio.get_running_loop().create_future()
                await self._awaited[key]
            self._done.discard(key)
            now_s = time.perf_counter()
            self.instances.append(Instance(partition_of(key), began_s, created_s, now_s))
            self._completed.set()

    def _take(self, subscription: JobSubscription, jobs: tuple[ActivatedJob, ...]) -> None:
        for job in jobs:
            finishing = asyncio.create_task(self._finish(subscription, Job(job)))
            self._finishing.add(finishing)
            finishing.add_done_callback(self._finishing.discard)

    async def _finish(self, subscription: JobSubscription, job: Job) -> None:
        subscription.done()
        with suppress(NotFound, InvalidState):  # it was given out again meanwhile
            await self._worker.complete_job(job)
        key = job.process_instance_key
        awaited = self._awaited.pop(key, None)
        if awaited is None:
            self._done.add(key)
        elif not awaited.done():
            awaited.set_result(None)


def broker_that_leads(topology: Topology, partition_id: int) -> int:
    """Its node id; 0 while there is none that is known and alive."""
    for broker in topology.brokers:
        for replica in broker.replicas:
            if replica.partition_id == partition_id and replica.role == LEADER and broker.is_alive:
                return broker.node_id
    return 0


async def wait_in_order(client: Client, brokers: int) -> dict[int, tuple[int, int]]:
    """Until all brokers are there, and each partition is led by the one that should lead it; the
    term and the leader (a node id) of each.
    """
    async with asyncio.timeout(PATIENCE_S):
        while True:
            topology = await client.topology()
            leading = {
                each.id: (each.term, broker_that_leads(topology, each.id))
                for each in topology.partitions
            }
            is_led = all(node_id for _, node_id in leading.values())
            is_whole = sum(broker.is_alive for broker in topology.brokers) == brokers and all(
                replica.is_healthy for broker in topology.brokers for replica in broker.replicas
            )
            if is_led and is_whole and not await client.cluster.rebalance():
                return leading
            await asyncio.sleep(LOOK_S)


async def wait_led(client: Client, terms: dict[int, int]) -> float:
    """Until some broker tells of a leader in a later term of each partition; when that was."""
    while True:
        topology = await client.topology()
        later = {
            each.id
            for each in topology.partitions
            if each.leader and each.id in terms and each.term > terms[each.id]
        }
        if later == terms.keys():
            return time.perf_counter()
        await asyncio.sleep(LOOK_S)


async def kill_one(
    cluster: ClusterProcesses, client: Client, load: Load, partition_id: int
) -> Round:
    """One round: the broker that leads a partition is killed, and comes back."""
    leading = await wait_in_order(client, len(cluster.nodes))
    await asyncio.sleep(CALM_S)
    victim = leading[partition_id][1]
    terms = {each: term for each, (term, node_id) in leading.items() if node_id == victim}
    since_s = time.perf_counter()
    await cluster.kill(victim)
    async with asyncio.timeout(PATIENCE_S):
        led_s, *back = await asyncio.gather(
            wait_led(client, terms), *(load.wait_completed(each, since_s) for each in terms)
        )
    assert isinstance(led_s, float)
    instances = [each for each in back if isinstance(each, Instance)]
    await cluster.start(victim)
    return Round(
        partitions=tuple(sorted(terms)),
        led_s=round(led_s - since_s, 3),
        created_s=round(max(each.created_s for each in instances) - since_s, 3),
        completed_s=round(max(each.completed_s for each in instances) - since_s, 3),
    )


async def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """All rounds; the figures."""
    rounds: list[Round] = []
    async with ClusterProcesses(Layout(folder, partitions=options.partitions)) as cluster:
        await cluster.start_all()
        endpoints = cluster.endpoints.values()
        patient = ClientOptions(request_timeout_s=PATIENCE_S)
        async with (
            await Client.connect(*endpoints, options=patient) as client,
            await Client.connect(*endpoints, options=patient) as worker,
            await Client.connect(*endpoints, options=patient) as observer,
        ):
            await client.deploy(("one-task.bpmn", model("one-task", task("task"))))
            load = Load(client, worker, options.in_flight)
            load.begin()
            for number in range(options.rounds):
                partition_id = number % options.partitions + 1
                rounds.append(await kill_one(cluster, observer, load, partition_id))
                say(f"{rounds[-1]}")
            await load.end()
            retries = client.statistics()["retries"] + worker.statistics()["retries"]
    completed_s = [each.completed_s for each in rounds]
    return {
        "failover_median_s": round(median(completed_s), 3),
        "failover_max_s": max(completed_s),
        "led_median_s": round(median(each.led_s for each in rounds), 3),
        "created_median_s": round(median(each.created_s for each in rounds), 3),
        "instances": len(load.instances),
        "retries": retries,
        "rounds": [asdict(each) for each in rounds],
        "options": vars(options) | {"data": ""},
    }


def say(line: str) -> None:
    """To the output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measures once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="brokers that are killed")
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--partitions", type=int, default=3)
    parser.add_argument("--data", default=None, help="folder for the logs: the disk to measure")
    options = parser.parse_args()
    compile_sources()
    with tempfile.TemporaryDirectory(prefix="grevy-bench-", dir=options.data) as folder:
        say(json.dumps(run(measure(Path(folder), options))))


if __name__ == "__main__":
    main()
