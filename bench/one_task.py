"""One-task instances end to end: brokers, a worker and a client as processes, fsync on.

The client keeps `--in-flight` instances going: it creates one, waits until the worker's completion
of its last task is acknowledged (which the broker does once it is committed), and creates the next.
Prints what it does on the way; its last line is one JSON object.

    python bench/one_task.py --instances 20000 --in-flight 200 --payload-bytes 100
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import os
import struct
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from grevy.client import Client, Job, JobSubscription, run
from grevy.protocol.messages import ActivatedJob, OpenJobSubscription

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started by its path, it stands alone

from bench.brokers import Brokers, Shape

KEY = struct.Struct("<q")
NAMESPACES = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"'
)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    instances: int
    in_flight: int
    payload_bytes: int
    tasks: int
    waiting: int
    data: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Load:
    """What one phase of load gave: seconds, and latencies in milliseconds."""

    instances_per_s: float
    create_p50_ms: float
    create_p99_ms: float
    completed_p50_ms: float
    completed_p99_ms: float


def model(process_id: str, *elements: str) -> bytes:
    """A process of elements in a row."""
    ids = ["start", *(f"e{n}" for n in range(len(elements))), "end"]
    flows = "".join(
        f'<bpmn:sequenceFlow id="f{n}" sourceRef="{a}" targetRef="{b}"/>'
        for n, (a, b) in enumerate(pairwise(ids))
    )
    body = "".join(
        element.replace("ID", f"e{n}").replace(
            "FLOWS", f"<bpmn:incoming>f{n}</bpmn:incoming><bpmn:outgoing>f{n + 1}</bpmn:outgoing>"
        )
        for n, element in enumerate(elements)
    )
    last = len(elements)
    return (
        f'<bpmn:definitions {NAMESPACES} id="d" targetNamespace="bench">'
        f'<bpmn:process id="{process_id}" isExecutable="true">'
        '<bpmn:startEvent id="start"><bpmn:outgoing>f0</bpmn:outgoing></bpmn:startEvent>'
        f"{body}"
        f'<bpmn:endEvent id="end"><bpmn:incoming>f{last}</bpmn:incoming></bpmn:endEvent>'
        f"{flows}</bpmn:process>"
        '<bpmn:message id="m" name="never"><bpmn:extensionElements>'
        '<zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>'
        "</bpmn:definitions>"
    ).encode()


def task(job_type: str) -> str:
    """A service task."""
    return (
        '<bpmn:serviceTask id="ID"><bpmn:extensionElements>'
        f'<zeebe:taskDefinition type="{job_type}"/>'
        "</bpmn:extensionElements>FLOWS</bpmn:serviceTask>"
    )


WAIT = (
    '<bpmn:intermediateCatchEvent id="ID">FLOWS'
    '<bpmn:messageEventDefinition id="md" messageRef="m"/>'
    "</bpmn:intermediateCatchEvent>"
)


class BenchWorker:
    """The worker process: completes every job, and writes the instance keys of the last task's to
    its standard output once the broker has acknowledged them.
    """

    def __init__(self, client: Client, last_type: str) -> None:
        self._client = client
        self._last_type = last_type
        self._done = bytearray()
        self._running: dict[int, asyncio.Task[None]] = {}

    def take(self, subscription: JobSubscription, jobs: tuple[ActivatedJob, ...]) -> None:
        """Jobs have been pushed."""
        create_task = asyncio.get_running_loop().create_task
        for job in jobs:
            self._running[job.key] = create_task(self._finish(subscription, Job(job)))

    async def _finish(self, subscription: JobSubscription, job: Job) -> None:
        say = self._client.complete_job(job)
        subscription.done()
        await say
        del self._running[job.key]
        if job.type == self._last_type:
            if not self._done:
                asyncio.get_running_loop().call_soon(self._flush)
            self._done.extend(KEY.pack(job.process_instance_key))

    def _flush(self) -> None:
        os.write(1, self._done)
        self._done.clear()


async def worker_main(addresses: list[str], tasks: int) -> None:
    """Runs a `BenchWorker` for the types of all tasks until the process is ended."""
    client = await Client.connect(*addresses)
    worker = BenchWorker(client, f"task-{tasks}")
    for number in range(1, tasks + 1):
        terms = OpenJobSubscription(
            subscription=0,
            partition_id=0,
            type=f"task-{number}",
            worker="bench",
            timeout=60_000,
            fetch_variables=(),
            credit=4_096,
        )
        client.subscribe_jobs(terms, worker.take)
    await asyncio.Event().wait()


class Completions:
    """The keys that the worker writes, and who waits for them."""

    def __init__(self) -> None:
        self._waiters: dict[int, asyncio.Future[float]] = {}
        self._early: dict[int, float] = {}
        self._rest = b""

    def read(self, fd: int) -> None:
        """Takes what the worker has written."""
        data = self._rest + os.read(fd, 1 << 20)
        whole = len(data) // KEY.size * KEY.size
        self._rest = data[whole:]
        now = time.perf_counter()
        for (key,) in KEY.iter_unpack(data[:whole]):
            waiter = self._waiters.pop(key, None)
            if waiter is None:
                self._early[key] = now
            else:
                waiter.set_result(now)

    async def of(self, key: int) -> float:
        """When an instance was completed."""
        early = self._early.pop(key, None)
        if early is not None:
            return early
        waiter: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiters[key] = waiter
        return await waiter


def percentile(values: list[float], share: float) -> float:
    """A percentile, in milliseconds."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000, 2)


async def load(client: Client, completions: Completions, options: Options, count: int) -> Load:
    """Runs `count` instances, `in_flight` at a time."""
    variables = json.dumps({"payload": "x" * max(0, options.payload_bytes - 15)}).encode()
    created: list[float] = []
    finished: list[float] = []
    left = count

    async def lane() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            begin = time.perf_counter()
            instance = await client.create_instance("one-task", variables=variables)
            created.append(time.perf_counter() - begin)
            finished.append(await completions.of(instance.key) - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(min(options.in_flight, count))))
    seconds = time.perf_counter() - begin
    return Load(
        instances_per_s=round(count / seconds, 1),
        create_p50_ms=percentile(created, 0.5),
        create_p99_ms=percentile(created, 0.99),
        completed_p50_ms=percentile(finished, 0.5),
        completed_p99_ms=percentile(finished, 0.99),
    )


async def fill(client: Client, count: int) -> None:
    """Creates instances that wait for a message that never comes."""
    left = count

    async def lane() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await client.create_instance("waits", variables={"key": str(left)})

    await asyncio.gather(*(lane() for _ in range(500)))


def compile_sources() -> None:
    """Compiles what lies in this checkout, as pip does with what it installs.

    Otherwise, where Python may not write (PYTHONDONTWRITEBYTECODE), each start measures how fast
    it compiles.
    """
    root = Path(__file__).resolve().parents[1]
    for folder in ("broker", "client", "exporters"):
        compileall.compile_dir(root / folder, quiet=1)


async def main(options: Options) -> dict[str, object]:
    """Everything; the figures."""
    begin = time.perf_counter()
    brokers = Brokers(Path(options.data), options.shape)
    await brokers.start()
    read_end, write_end = os.pipe()
    worker_command = [sys.executable, __file__, "--tasks", str(options.tasks)]
    worker_command += ["--worker", ",".join(brokers.addresses)]
    worker = await asyncio.create_subprocess_exec(*worker_command, stdout=write_end)
    try:
        client = await Client.connect(*brokers.addresses)
        idle = (await brokers.usage()).rss_mb
        await client.deploy(
            (
                "one-task.bpmn",
                model("one-task", *(task(f"task-{n + 1}") for n in range(options.tasks))),
            ),
            ("waits.bpmn", model("waits", WAIT)),
        )
        completions = Completions()
        asyncio.get_running_loop().add_reader(read_end, completions.read, read_end)
        first = await client.create_instance("one-task", variables={})
        await completions.of(first.key)
        to_first = time.perf_counter() - begin
        await load(client, completions, options, min(options.instances, 2_000))
        figures = await measure(client, completions, options, brokers)
        figures |= {"start_to_first_completed_s": round(to_first, 2), "idle_rss_mb": idle}
        return figures
    finally:
        worker.terminate()
        await worker.wait()
        await brokers.stop()


async def measure(
    client: Client, completions: Completions, options: Options, brokers: Brokers
) -> dict[str, object]:
    """The load after the warm-up; with `--waiting`, before and after the waiting instances."""
    figures: dict[str, object] = {}
    if options.waiting:
        before_load = await brokers.usage()
        before = await load(client, completions, options, options.instances)
        cpu_s = (await brokers.usage()).cpu_s - before_load.cpu_s
        sys.stdout.write(f"without waiting instances: {before}\n")
        begin = time.perf_counter()
        await fill(client, options.waiting)
        sys.stdout.write(f"{options.waiting} wait, after {time.perf_counter() - begin:.0f} s\n")
        await load(client, completions, options, min(options.instances, 2_000))
        figures["instances_per_s_before_waiting"] = before.instances_per_s
        figures["cpu_us_per_instance_before_waiting"] = round(cpu_s / options.instances * 1e6, 1)
    before_load = await brokers.usage()
    result = await load(client, completions, options, options.instances)
    usage = await brokers.usage()
    count = options.instances
    figures |= asdict(result)
    figures["records_per_instance"] = round((usage.records - before_load.records) / count, 1)
    figures["bytes_per_instance"] = round((usage.log_bytes - before_load.log_bytes) / count, 1)
    figures["cpu_us_per_instance"] = round((usage.cpu_s - before_load.cpu_s) / count * 1e6, 1)
    figures["broker_rss_mb"] = usage.rss_mb
    return figures


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--payload-bytes", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=1)
    parser.add_argument("--waiting", type=int, default=0)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument(
        "--replication-factor", type=int, default=0, help="default: 3, or as many as brokers"
    )
    parser.add_argument("--data", default="", help="folder for the log (default: a temporary one)")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    given = parse(sys.argv[1:])
    if given.worker:
        run(worker_main(given.worker.split(","), given.tasks))
    else:
        compile_sources()
        with tempfile.TemporaryDirectory(prefix="grevy-bench-") as folder:
            chosen = Options(
                instances=given.instances,
                in_flight=given.in_flight,
                payload_bytes=given.payload_bytes,
                tasks=given.tasks,
                waiting=given.waiting,
                data=given.data or folder,
                shape=Shape(
                    given.brokers,
                    given.partitions,
                    given.replication_factor or min(3, given.brokers),
                ),
            )
            figures = run(main(chosen))
        given_options = {**asdict(chosen), "data": ""}
        sys.stdout.write(json.dumps({**figures, "options": given_options}) + "\n")
