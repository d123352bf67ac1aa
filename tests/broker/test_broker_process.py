"""A broker as a process, used as a new user would: command line, exporter, restart, bad input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grevy.client import InvalidArgument, NotFound, SyncClient, TooLarge

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="t">
<bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
<bpmn:manualTask id="t"><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
</bpmn:manualTask><bpmn:endEvent id="e"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>
</bpmn:process></bpmn:definitions>"""

DEADLINE_S = 30.0


class Broker:
    """A broker process in a folder, with a JSON-lines exporter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exported = folder / "records"
        config = folder / "grevy.toml"
        config.write_text(
            f'data = "{folder / "data"}"\nport = 0\n'
            '[[exporters]]\nid = "lines"\nexporter = "json-lines"\n'
            f'args = {{ path = "{self.exported}" }}\n',
            encoding="utf-8",
        )
        self._command = [sys.executable, "-m", "grevy.broker"]
        self._start = [*self._command, "broker", "--config", str(config), "--json"]
        self.process: subprocess.Popen[str] | None = None
        self.address = ""

    def start(self) -> str:
        """Starts it; its address."""
        self.process = subprocess.Popen(self._start, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = str(json.loads(self.process.stdout.readline())["endpoint"])
        return self.address

    def stop(self) -> None:
        """Stops it politely."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait() == 0
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def grevy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the command line."""
        return subprocess.run(
            [*self._command, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    def wait_exported(self, text: str) -> list[dict[str, object]]:
        """The exported records, when one of them holds the text."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            files = sorted(self.exported.rglob("*.jsonl"))
            found = "".join(file.read_text("utf-8") for file in files)
            if text in found:
                lines = found[: found.rindex("\n") + 1].splitlines()
                return [json.loads(line) for line in lines]
            time.sleep(0.05)  # files tell nobody that they have grown
        raise AssertionError(f"{text} was not exported within {DEADLINE_S} s")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_command_line_and_exporter(broker: Broker, tmp_path: Path) -> None:
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
    verified = broker.grevy("log", "verify", "--data", str(broker.folder / "data"), "--json")
    assert json.loads(verified.stdout)["last_position"] >= len(records), verified.stderr


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


def test_bad_input_is_told_and_harms_nothing(broker: Broker) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    nested = b"<x>" * 200_000 + b"</x>" * 200_000
    with SyncClient.connect(broker.address) as client:
        for resource in (bomb, nested, b"", b"no xml", MODEL.replace(b"manualTask", b"wrong")):
            with pytest.raises(InvalidArgument, match=r"bad\.bpmn"):
                client.deploy(("bad.bpmn", resource))
        client.deploy(("p.bpmn", MODEL))
        with pytest.raises(TooLarge):
            client.create_instance("p", variables={"x": "y" * 4 * 1024 * 1024})
        for document in (b"[1]", b'{"x":', b"\xff", b'{"x":' + b"[" * 300 + b"]" * 300 + b"}"):
            with pytest.raises(InvalidArgument):
                client.create_instance("p", variables=document)
        with pytest.raises(NotFound):
            client.cancel_instance(99)
        with pytest.raises(NotFound):
            client.complete_job(2251799813685249)
        assert client.create_instance_with_result("p", variables={"n": 1}).variables == {"n": 1}


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
