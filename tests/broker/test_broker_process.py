"""A broker as a process, used as a new user would: command line, exporter, restart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.process import BrokerProcess

from grevy.client import SyncClient

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:manualTask id="t"><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
</bpmn:manualTask><bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    made = BrokerProcess(tmp_path, exports=True)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_command_line_and_exporter(broker: BrokerProcess, tmp_path: Path) -> None:
    (tmp_path / "p.bpmn").write_bytes(MODEL)
    address = ("--address", broker.address, "--json")
    deployed = broker.grevy("deploy", str(tmp_path / "p.bpmn"), *address)
    assert json.loads(deployed.stdout)["process"] == "p", deployed.stderr
    created = broker.grevy("create", "p", "-v", '{"n": 1}', "--result", *address)
    result = json.loads(created.stdout)
    assert result["variables"] == {"n": 1}
    missing = broker.grevy("cancel", "99", *address)
    assert missing.returncode == 1
    assert "99" in json.loads(missing.stderr)["error"]
    assert json.loads(broker.grevy("status", *address).stdout)["role"] == "leader"
    records = broker.wait_exported('"PROCESS_INSTANCE_CREATION"')
    assert records[0]["position"] == 1
    broker.stop()
    verified = broker.grevy("log", "verify", "--data", str(broker.data), "--json")
    assert json.loads(verified.stdout)["last_position"] >= len(records), verified.stderr


def test_restart_goes_on_where_it_was(broker: BrokerProcess) -> None:
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
