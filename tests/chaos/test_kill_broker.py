"""kill -9 of the broker under load: nothing that was acknowledged is lost, and nothing happens
twice. It takes checkpoints all the time, so that kills come in the middle of them too.

The load goes on through every kill: the client repeats what was not answered under the same request
number. In the end the log must bear out what the client was told (`checker`).
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
from tests.chaos.checker import check
from tests.chaos.history import Kind, Outcome, Recorder, read_history
from tests.chaos.workload import Workload

from grevy.client import Client, ClientOptions, run

KILLS = int(os.environ.get("GREVY_KILLS", "20"))
SEED = int(os.environ.get("GREVY_SEED", "1"))
BETWEEN_KILLS = 100
CHECKPOINT_PERIOD_S = 0.1


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


async def kill_under_load(folder: Path) -> None:
    broker = BrokerProcess(folder / "data")
    address = await broker.start()
    client = await Client.connect(address, options=ClientOptions(request_timeout_s=60))
    recorder = Recorder(folder / "history")
    workload = Workload(client, recorder, seed=SEED)
    try:
        await workload.begin()
        for number in range(1, KILLS + 1):
            await workload.wait_acknowledged(number * BETWEEN_KILLS)
            await broker.kill()
            await broker.start()
        entries = await workload.finish()
    finally:
        client.close()
        await broker.stop()
        await recorder.close()
    history = read_history(folder / "history")
    assert check(history, entries) == []
    outcomes = Counter((operation.kind, operation.outcome) for operation in history)
    assert outcomes[Kind.CREATE, Outcome.OK] >= KILLS * BETWEEN_KILLS
    assert outcomes[Kind.COMPLETE, Outcome.OK] > KILLS * BETWEEN_KILLS / 2


@pytest.mark.skipif(
    sys.platform != "linux", reason="counts on SIGKILL and loopback as Linux has them"
)
def test_kill_under_load(tmp_path: Path) -> None:
    run(kill_under_load(tmp_path))
