"""Brokers with hosts come to a cluster and go: each host follows the plan with its share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.broker.processes import DEADLINE_S, GREVY

from grevy.broker.cli.launching import free_ports
from grevy.client import SyncClient

WAIT_S = 120


def start(folder: Path, port: int, cluster_port: int, *options: str) -> subprocess.Popen[str]:
    """A broker with two hosts; ready when this returns."""
    command = [
        *(*GREVY, "broker", "--json", "--hosts=2", f"--data={folder / 'data'}"),
        *(f"--port={port}", f"--cluster-port={cluster_port}", *options),
    ]
    folder.mkdir()
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    assert "endpoint" in json.loads(process.stdout.readline())
    return process


def change(address: str, *words: str) -> None:
    """Asks for a change, and waits until it is done."""
    command = [*GREVY, "cluster", *words, "--address", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def replicas_of(address: str, node_id: int) -> list[int]:
    with SyncClient.connect(address) as client:
        brokers = client.topology().brokers
    return [each.partition_id for one in brokers if one.node_id == node_id for each in one.replicas]


def test_a_broker_with_hosts_comes_and_goes(tmp_path: Path) -> None:
    ports = free_ports(4, 2)
    contact = f"--contact-points=127.0.0.1:{ports[1]}"
    first = start(tmp_path / "1", ports[0], ports[1], "--partitions=4", contact)
    second = start(tmp_path / "2", ports[2], ports[3], "--join", "--node-id=2", contact)
    other_host = f"127.0.0.1:{ports[0] + 1}"  # which asks the first one
    try:
        change(other_host, "add", "2", "--replication-factor", "2")
        assert replicas_of(other_host, 2) == [1, 2, 3, 4]
        change(other_host, "replicas", "1")
        change(other_host, "remove", "2")
        assert second.wait(DEADLINE_S) == 0, "it was removed, and ends"
        first.terminate()
        assert first.wait(DEADLINE_S) == 0
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert "Traceback" not in (tmp_path / "1" / "log").read_text()
    assert "Traceback" not in (tmp_path / "2" / "log").read_text()
