"""kill -9 of the broker under load: nothing that was acknowledged is lost, and nothing happens
twice. It takes checkpoints all the time, so that kills come in the middle of them too.

The load goes on through every kill: the client repeats what was not answered under the same request
number. In the end the log must hold each order exactly once, created and completed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from grevy.client import Client, ClientOptions, Job, Worker, run
from grevy.protocol.intents import (
    BpmnElementType,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
)
from grevy.protocol.record import Entry
from grevy.protocol.values import ProcessInstanceCreationValue, ProcessInstanceValue

KILLS = int(os.environ.get("GREVY_KILLS", "20"))
IN_FLIGHT = 50
BETWEEN_KILLS = 150
CHECKPOINT_PERIOD_S = 0.1

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
</bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:serviceTask>
<bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""


class BrokerProcess:
    """A broker that can be killed and started again in its folder, at its port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Starts; the address when it is ready."""
        command = [
            *(sys.executable, "-m", "grevy.broker", "broker", "--json"),
            *("--data", str(self._folder), "--port", str(self._port)),
        ]
        settings = {"GREVY_CHECKPOINT_PERIOD_S": str(CHECKPOINT_PERIOD_S)}
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env=os.environ | settings
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"the broker ended with {await self._process.wait()}"
        endpoint = str(json.loads(line)["endpoint"])
        self._port = int(endpoint.rpartition(":")[2])
        return endpoint

    async def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> None:
        """The polite way."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


class Load:
    """Creates orders, as many at a time as IN_FLIGHT, and remembers what was acknowledged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._count = 0
        self._is_over = False
        self.acknowledged: dict[int, int] = {}
        self.progress = asyncio.Event()

    async def lane(self) -> None:
        """One order after the other."""
        while not self._is_over:
            self._count += 1
            number = self._count
            instance = await self._client.create_instance("p", variables={"n": number})
            self.acknowledged[number] = instance.key
            self.progress.set()

    async def wait_for(self, count: int) -> None:
        """Until so many orders are acknowledged."""
        while len(self.acknowledged) < count:
            self.progress.clear()
            await self.progress.wait()

    def end(self) -> None:
        """No new orders."""
        self._is_over = True


async def read_log(client: Client, until: int) -> list[Entry]:
    """All entries, until so many instances have completed."""
    entries: list[Entry] = []
    completed = 0
    async for batch in client.subscribe_records(partition_id=1, from_position=1):
        for entry in batch.entries:
            entries.append(entry)
            completed += len(completed_instances([entry]))
        if completed >= until:
            break
    return entries


def completed_instances(entries: list[Entry]) -> list[int]:
    """Keys of the process instances that completed."""
    return [
        record.key
        for entry in entries
        for record in entry.records
        if record.intent is ProcessInstanceIntent.ELEMENT_COMPLETED
        and isinstance(record.value, ProcessInstanceValue)
        and record.value.bpmn_element_type is BpmnElementType.PROCESS
    ]


def created_orders(entries: list[Entry]) -> list[tuple[int, int]]:
    """Order number and instance key of all that was created."""
    return [
        (int(json.loads(record.value.variables)["n"]), record.value.process_instance_key)
        for entry in entries
        for record in entry.records
        if record.intent is ProcessInstanceCreationIntent.CREATED
        and record.record_type is RecordType.EVENT
        and isinstance(record.value, ProcessInstanceCreationValue)
    ]


async def kill_under_load(folder: Path) -> None:
    broker = BrokerProcess(folder)
    address = await broker.start()
    client = await Client.connect(address, options=ClientOptions(request_timeout_s=60))
    done: Counter[int] = Counter()
    worker = Worker(client, name="w", max_jobs=64, timeout=30)

    @worker.job("work")
    async def work(job: Job) -> None:
        done[job.key] += 1

    try:
        await client.deploy(("p.bpmn", MODEL))
        load = Load(client)
        working = asyncio.create_task(worker.run())
        lanes = [asyncio.create_task(load.lane()) for _ in range(IN_FLIGHT)]
        for number in range(1, KILLS + 1):
            await load.wait_for(number * BETWEEN_KILLS)
            await broker.kill()
            await broker.start()
        load.end()
        await asyncio.gather(*lanes)
        entries = await read_log(client, until=len(load.acknowledged))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    finally:
        client.close()
        await broker.stop()
    orders = created_orders(entries)
    assert dict(orders) == load.acknowledged, "what was acknowledged is what the log has"
    assert len(orders) == len(load.acknowledged), "no order was created twice"
    completed = Counter(completed_instances(entries))
    assert completed == Counter(load.acknowledged.values()), "each completed once"


@pytest.mark.skipif(
    sys.platform != "linux", reason="counts on SIGKILL and loopback as Linux has them"
)
def test_kill_under_load(tmp_path: Path) -> None:
    run(kill_under_load(tmp_path / "data"))
