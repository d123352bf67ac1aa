"""The exporter's process dies, the broker dies: each record is exported once all the same."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.broker.processes import BrokerProcess, running, wait_until

from grevy.client import SyncClient

MODEL = b"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 id="d" targetNamespace="t"><bpmn:process id="p" isExecutable="true">
<bpmn:startEvent id="s"><bpmn:outgoing>f</bpmn:outgoing></bpmn:startEvent>
<bpmn:endEvent id="e"><bpmn:incoming>f</bpmn:incoming></bpmn:endEvent>
<bpmn:sequenceFlow id="f" sourceRef="s" targetRef="e"/></bpmn:process></bpmn:definitions>"""


class Broker(BrokerProcess):
    """A broker with a JSON-lines exporter."""

    def __init__(self, folder: Path) -> None:
        self.exported = folder / "records"
        super().__init__(folder, [("lines", "json-lines", {"path": str(self.exported)})])

    def exporter_pid(self) -> int:
        """The exporter's process."""
        assert self.process is not None
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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    broker = Broker(tmp_path)
    broker.start()
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


UNREACHABLE = ("search", "elasticsearch", {"url": "http://127.0.0.1:1"})


def reports(broker: BrokerProcess) -> dict[str, dict[str, object]]:
    """What `grevy status` says of the exporters, by id."""
    listed = broker.status()["exporters"]
    assert isinstance(listed, list)
    return {report["id"]: report for report in listed}


def test_status_tells_how_each_exporter_is(tmp_path: Path) -> None:
    lines = ("lines", "json-lines", {"path": str(tmp_path / "records")})
    with running(tmp_path, [lines, UNREACHABLE]) as broker:
        with SyncClient.connect(broker.address) as client:
            client.deploy(("p.bpmn", MODEL))
        records = broker.status()["records"]
        wait_until(lambda: reports(broker)["lines"]["position"] == records)
        wait_until(lambda: bool(reports(broker)["search"]["error"]))

        good, bad = reports(broker)["lines"], reports(broker)["search"]
        assert (good["process"], good["phase"], good["starts"]) == ("running", "exporting", 1)
        assert (good["lag"], good["error"], good["last_error"]) == (0, "", "")
        wait_until(lambda: reports(broker)["lines"]["exported_records"] == records)
        assert (bad["process"], bad["phase"]) == ("running", "opening")
        assert (bad["position"], bad["lag"]) == (0, records)
        assert "Connection error" in str(bad["error"])
        table = broker.grevy("status").stdout
        assert "Connection error" in table
        assert "exporting" in table

        os.kill(int(str(good["pid"])), signal.SIGKILL)
        wait_until(lambda: reports(broker)["lines"]["starts"] == 2)
        again = reports(broker)["lines"]
        assert "ended with exit code -9" in str(again["last_error"])
        assert int(str(again["last_error_at"])) > 0

        broker.stop()
        broker.configure([lines])
        broker.start()
        gone = reports(broker)["search"]
        assert (gone["process"], gone["position"]) == ("not configured", 0)
        assert int(str(gone["lag"])) > 0, "it holds the log all the same"
