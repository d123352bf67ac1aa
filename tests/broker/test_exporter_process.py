"""The exporter's process dies, the broker dies: each record is exported once all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grevy.client import SyncClient

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 id="d" targetNamespace="t"><bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f</bpmn:outgoing></bpmn:startEvent>
<bpmn:endEvent id="e"><bpmn:incoming>f</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f" sourceRef="s" targetRef="e"/></bpmn:process></bpmn:definitions>"""

DEADLINE_S = 30.0


class Broker:
    """A broker process in a folder, with a JSON-lines exporter."""

    def __init__(self, folder: Path) -> None:
        self.exported = folder / "records"
        self._config = folder / "grevy.toml"
        self._config.write_text(
            f'data = "{folder / "data"}"\nport = 0\n'
            '[[exporters]]\nid = "lines"\nexporter = "json-lines"\n'
            f'args = {{ path = "{self.exported}" }}\n',
            encoding="utf-8",
        )
        self.start()

    def start(self) -> None:
        """Starts it."""
        command = [sys.executable, "-m", "grevy.broker", "broker", "--config", str(self._config)]
        self.process = subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = str(json.loads(self.process.stdout.readline())["endpoint"])

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.kill()
        self.process.communicate()

    def exporter_pid(self) -> int:
        """The exporter's process."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        wait_until(lambda: bool(children.read_text().split()))
        return int(children.read_text().split()[0])

    def create_instance(self) -> int:
        """Runs a process; its key."""
        with SyncClient.connect(self.address) as client:
            client.deploy(("p.bpmn", MODEL))
            return client.create_instance_with_result("p").key

    def positions_up_to(self, key: int) -> list[int]:
        """The positions of all exported records, when one of them has the key."""
        wait_until(lambda: str(key) in self._text())
        lines = self._text().rpartition("\n")[0].splitlines()
        return [json.loads(line)["position"] for line in lines]

    def _text(self) -> str:
        return "".join(file.read_text() for file in sorted(self.exported.glob("*.jsonl")))


def wait_until(is_true: Callable[[], bool]) -> None:
    """Other processes tell nobody what they have done: look again and again."""
    end = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


def test_an_exporter_that_is_killed_starts_again_and_goes_on(broker: Broker) -> None:
    broker.positions_up_to(broker.create_instance())
    first = broker.exporter_pid()

    os.kill(first, signal.SIGKILL)
    positions = broker.positions_up_to(broker.create_instance())

    assert positions == list(range(1, len(positions) + 1))
    assert broker.exporter_pid() != first


def test_the_exporter_ends_with_its_broker_and_begins_where_it_was(broker: Broker) -> None:
    broker.positions_up_to(broker.create_instance())
    orphan = broker.exporter_pid()

    broker.kill()
    wait_until(lambda: not is_running(orphan))
    broker.start()
    positions = broker.positions_up_to(broker.create_instance())

    assert positions == list(range(1, len(positions) + 1))


def is_running(pid: int) -> bool:
    """Whether a process is there and does something; a dead one may wait for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
