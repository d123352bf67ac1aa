"""`grevy cluster local`: brokers that are killed, and the rest that goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import pytest
from tests.broker.processes import DEADLINE_S, GREVY, wait_until

from grevy.client import SyncClient

BROKERS: Final = 3
SPARE_PORTS: Final = range(20_000, 30_000, BROKERS)
"""Below those that the system gives to others meanwhile."""


def _free_port() -> int:
    """The first of as many as there are brokers."""
    for first in SPARE_PORTS:
        try:
            for port in range(first, first + BROKERS):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no ports in a row are free")


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*GREVY, "cluster", "local", "--json", "--data", str(tmp_path)]
    command += ["--brokers", str(BROKERS), "--port", str(_free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()
        process.wait(DEADLINE_S)


def _next_line(stdout: IO[str] | None) -> dict[str, object]:
    assert stdout is not None
    told = json.loads(stdout.readline())
    assert isinstance(told, dict)
    return told


def _pid_of(endpoint: str) -> int:
    with SyncClient.connect(endpoint) as client:
        pid = client.status()["pid"]
    assert isinstance(pid, int)
    return pid


def _leaders(client: SyncClient) -> list[str]:
    """Where the partitions are led, empty for nowhere."""
    return [each.leader.removeprefix("tcp://") for each in client.topology().partitions]


def test_whoever_is_killed_the_others_go_on(launcher: subprocess.Popen[str]) -> None:
    # given
    endpoints = _next_line(launcher.stdout)["endpoints"]
    assert isinstance(endpoints, list)
    with SyncClient.connect(endpoints[0]) as client:
        wait_until(lambda: all(_leaders(client)))  # a new cluster begins when all are there
    # when
    os.kill(_pid_of(endpoints[1]), signal.SIGKILL)
    # then
    told = _next_line(launcher.stdout)
    assert (told["node_id"], told["exit_code"]) == (2, -signal.SIGKILL)
    with SyncClient.connect(endpoints[0]) as client:
        wait_until(lambda: {*_leaders(client)} <= {endpoints[0], endpoints[2]})
    # and the one that was killed is started again by what was told
    command = told["command"]
    assert isinstance(command, list)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as again:
        assert _next_line(again.stdout)["endpoint"] == endpoints[1]
        again.terminate()
    # and Ctrl-C ends what is left, as if nothing had been
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(DEADLINE_S) == 0
