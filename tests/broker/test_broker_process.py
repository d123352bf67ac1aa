"""A broker as a process: exporter, restart, stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.processes import BrokerProcess, wait_until

from grevy.client import (
    Client,
    ClientOptions,
    RequestTimeout,
    SyncClient,
    Unavailable,
    run,
)

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:manualTask id="t"><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
</bpmn:manualTask><bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""


class Broker(BrokerProcess):
    """A broker with a JSON-lines exporter."""

    def __init__(self, folder: Path) -> None:
        self.exported = folder / "records"
        super().__init__(folder, [("lines", "json-lines", {"path": str(self.exported)})])

    def wait_exported(self, text: str) -> list[dict[str, object]]:
        """The exported records, when one of them holds the text."""
        wait_until(lambda: text in self._text())
        lines = self._text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines]

    def _text(self) -> str:
        return "".join(file.read_text("utf-8") for file in sorted(self.exported.rglob("*.jsonl")))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_restart_goes_on_where_it_was(broker: Broker) -> None:
    with SyncClient.connect(broker.address) as client:
        client.deploy(("p.bpmn", MODEL))
        first = client.create_instance_with_result("p", variables={"n": 1})
    broker.wait_exported(str(first.key))
    broker.stop()
    broker.start()
    with SyncClient.connect(broker.address) as client:
        second = client.create_instance_with_result("p", variables={"n": 2})
    assert second.key > first.key
    records = broker.wait_exported(str(second.key))
    positions = [record["position"] for record in records]
    assert len(set(positions)) == max(int(str(p)) for p in positions), "none is missing"


def test_a_broker_that_is_stopped_answers_what_it_took(broker: Broker) -> None:
    answered: list[int] = []

    async def create_until_it_is_gone(client: Client) -> None:
        with contextlib.suppress(Unavailable, RequestTimeout):
            while True:
                answered.append((await client.create_instance("p")).key)
                if len(answered) == 200:
                    assert broker.process is not None
                    broker.process.terminate()

    async def load() -> None:
        options = ClientOptions(request_timeout_s=1.0)
        async with await Client.connect(broker.address, options=options) as client:
            await client.deploy(("p.bpmn", MODEL))
            await asyncio.gather(*(create_until_it_is_gone(client) for _ in range(50)))

    run(load())
    broker.stop()
    broker.start()
    created = {
        record["key"]
        for record in broker.rows("log", "dump", "--data", str(broker.data))
        if (record["valueType"], record["intent"]) == ("PROCESS_INSTANCE", "ELEMENT_COMPLETED")
    }
    assert len(set(answered)) == len(answered) >= 200
    assert set(answered) <= created


CHANCE = MODEL.replace(
    b'<bpmn:manualTask id="t"><bpmn:incoming>f1</bpmn:incoming>',
    b'<bpmn:scriptTask id="t"><bpmn:extensionElements><zeebe:script expression="=uuid()"'
    b' resultVariable="id"/></bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming>',
).replace(b"</bpmn:manualTask>", b"</bpmn:scriptTask>")


def test_chance_is_real_and_instances_start_where_they_are_told(broker: Broker) -> None:
    with SyncClient.connect(broker.address) as client:
        client.deploy(("p.bpmn", CHANCE))
        found = [
            client.create_instance_with_result("p", start_before=["t"]).variables for _ in range(2)
        ]
    assert found[0] != found[1]
    assert all(len(str(variables["id"])) == 36 for variables in found)
