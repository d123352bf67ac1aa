"""A broker of several processes: clients see one broker, whatever becomes of its hosts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.broker.processes import GREVY, BrokerProcess, wait_until
from tests.engine.partition_workload import catching

from grevy.client import Client, ClientOptions, run
from grevy.protocol.keys import partition_of

PARTITIONS: Final = 4
HOSTS: Final = 2
KEYS: Final = tuple(f"key{number}" for number in range(16))
PATIENCE_S: Final = 60.0


class HostedBroker(BrokerProcess):
    """A broker with hosts and partitions, and where each record is exported to a file."""

    def __init__(self, folder: Path) -> None:
        self.exported = folder / "records"
        super().__init__(folder, [("lines", "json-lines", {"path": str(self.exported)})])
        self.divide(HOSTS)

    def divide(self, hosts: int) -> None:
        """Into how many processes, from the next start on."""
        self.settings = (f"hosts = {hosts}", f"partitions = {PARTITIONS}")
        self.configure([("lines", "json-lines", {"path": str(self.exported)})])

    def hosts(self) -> list[dict[str, object]]:
        """How each host is."""
        hosts = self.status()["hosts"]
        assert isinstance(hosts, list)
        return hosts

    def pids(self) -> list[int]:
        """The hosts' processes."""
        return [int(str(each["pid"])) for each in self.hosts()]

    def ask(self, act: Callable[[Client], Awaitable[object]]) -> None:
        """Does something as a client."""

        async def connected() -> None:
            options = ClientOptions(request_timeout_s=PATIENCE_S)
            async with await Client.connect(self.address, options=options) as client:
                await asyncio.wait_for(act(client), PATIENCE_S)

        run(connected())

    def exported_keys(self) -> set[int]:
        """The keys of all records that were exported."""
        files = self.exported.glob("*.jsonl")
        lines = [line for file in files for line in file.read_text().splitlines()]
        return {json.loads(line)["key"] for line in lines if line.endswith("}")}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[HostedBroker]:
    """A running broker with two hosts."""
    broker = HostedBroker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


async def deploy_everywhere(client: Client) -> None:
    """A deployment is answered before the other partitions have it; the client then asks the
    first.
    """
    await client.deploy(("p.bpmn", catching("p", "paid").encode()))
    found: set[int] = set()
    while len(found) < PARTITIONS:
        found.add(partition_of((await client.create_instance("p")).key))


async def create_waiting(client: Client) -> list[int]:
    """Instances of all partitions that wait for messages of all partitions."""
    created = [await client.create_instance("p", variables={"key": key}) for key in KEYS]
    assert {partition_of(one.key) for one in created} == set(range(1, PARTITIONS + 1))
    return [one.key for one in created]


async def publish_all(client: Client) -> None:
    for key in KEYS:
        await client.publish_message("paid", key, variables={"of": key})


def test_deployments_and_messages_go_from_host_to_host(broker: HostedBroker) -> None:
    async def act(client: Client) -> None:
        await deploy_everywhere(client)
        create = client.create_instance_with_result
        waiting = [
            asyncio.create_task(create("p", variables={"key": key}, timeout=PATIENCE_S))
            for key in KEYS
        ]
        await publish_all(client)
        ended = await asyncio.gather(*waiting)
        assert [one.variables for one in ended] == [{"key": key, "of": key} for key in KEYS]
        assert {partition_of(one.key) for one in ended} == set(range(1, PARTITIONS + 1))
        keys.extend(one.key for one in ended)

    keys: list[int] = []
    broker.ask(act)
    wait_until(lambda: broker.exported_keys().issuperset(keys))
    broker.stop()


def test_status_shows_all_hosts(broker: HostedBroker) -> None:
    status = broker.status()
    assert broker.process is not None
    assert (status["pid"], status["endpoint"]) == (broker.process.pid, broker.address)
    partitions = status["partitions"]
    assert isinstance(partitions, list)
    assert [(each["id"], each["host"]) for each in partitions] == [(1, 0), (2, 1), (3, 1), (4, 0)]
    assert [each["partitions"] for each in broker.hosts()] == [[1, 4], [2, 3]]
    text = broker.grevy("status").stdout
    assert all(f"running ({pid})" in text for pid in broker.pids())
    top = broker.grevy("top", "--count", "2", "--interval", "0.1").stdout
    assert all(f"running ({pid})" in top for pid in broker.pids())
    done = broker.grevy("cluster", "status")
    assert "all is well" in done.stdout, done


def test_another_number_of_hosts_goes_on_with_the_same_data(broker: HostedBroker) -> None:
    keys: list[int] = []

    async def begin(client: Client) -> None:
        await deploy_everywhere(client)
        keys.extend(await create_waiting(client))

    async def cancel(client: Client) -> None:
        await client.cancel_instance(keys.pop())

    broker.ask(begin)
    for hosts in (4, 1, 3):
        broker.stop()
        broker.divide(hosts)
        broker.start()
        broker.ask(cancel)
    broker.ask(publish_all)
    broker.stop()


def test_a_host_that_is_killed_is_started_again_and_told_of(broker: HostedBroker) -> None:
    broker.ask(deploy_everywhere)
    before = broker.pids()
    os.kill(before[1], signal.SIGKILL)
    wait_until(lambda: broker.hosts()[1]["starts"] == 2)
    broker.ask(create_waiting)
    wait_until(lambda: broker.hosts()[1]["process"] == "running")
    second = broker.hosts()[1]
    assert second["last_error"] == "ended by SIGKILL"
    assert broker.pids()[0] == before[0]
    log = broker.log.read_text()
    assert "host 1 has ended, starts again in 0.1 s: ended by SIGKILL" in log
    assert "host 1 is ready again, at " + str(second["endpoint"]) in log
    broker.stop()


def test_a_supervisor_that_is_killed_takes_its_hosts_with_it(broker: HostedBroker) -> None:
    hosts = broker.pids()
    os.kill(hosts[0], signal.SIGSTOP)  # one that could see nothing itself
    broker.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in hosts))
    broker.start()


def test_a_new_broker_waits_for_the_hosts_of_one_that_was_killed(broker: HostedBroker) -> None:
    for _ in range(3):
        broker.kill()
        broker.start()


def test_a_second_broker_cannot_have_the_folder(broker: HostedBroker) -> None:
    for hosts in (1, 2):
        command = [*GREVY, "broker", "--config", str(broker.config), "--hosts", str(hosts)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "in use by a running broker" in done.stderr
    broker.stop()


def test_ctrl_c_stops_all_cleanly(tmp_path: Path) -> None:
    broker = HostedBroker(tmp_path)
    command = [*GREVY, "broker", "--config", str(broker.config), "--json"]
    with broker.log.open("a") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "ERROR" not in broker.log.read_text()


def test_a_port_that_is_taken_ends_all_and_is_told(tmp_path: Path) -> None:
    broker = HostedBroker(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        command = [*GREVY, "broker", "--config", str(broker.config), "--port", str(port - 1)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
