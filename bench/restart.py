"""How long a broker that was killed takes until it is ready again: from the start of its process
to the line that says so.

    python bench/restart.py [--rounds 10] [--log-mb 100] [--in-flight 200]

One-task instances fill the log to `--log-mb`; then, in each round, the broker is killed with
`kill -9` while they go on, and started again, with its last checkpoint and the log after it. The
figures are the seconds to ready, and to the first instance that is created after that. Prints what
it does on the way; its last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started by its path, it stands alone

from bench.failover import Load, say
from bench.one_task import compile_sources, model, task

from grevy.broker.cli.launching import broker_command, free_ports
from grevy.broker.config import BrokerConfig
from grevy.client import Client, ClientOptions, run

LOOK_S: Final = 0.1
PATIENCE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one kill cost, in seconds since the start of the process; `log_mb` is the log then."""

    log_mb: float
    ready_s: float
    created_s: float


class KilledBroker:
    """One broker, at one port, in one folder."""

    def __init__(self, data: Path) -> None:
        self._config = BrokerConfig(data=data, port=free_ports(1)[0])
        self._process: asyncio.subprocess.Process | None = None
        self.address: Final = f"127.0.0.1:{self._config.port}"

    async def start(self) -> float:
        """Starts it; the seconds until it was ready."""
        began_s = time.perf_counter()
        pipe = asyncio.subprocess.PIPE
        command = broker_command(self._config)
        self._process = await asyncio.create_subprocess_exec(*command, stdout=pipe)
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"the broker ended with {await self._process.wait()}"
        return time.perf_counter() - began_s

    async def end(self, number: signal.Signals) -> None:
        """Sends it a signal, and waits for its end."""
        assert self._process is not None
        self._process.send_signal(number)
        await self._process.wait()


async def log_mb(client: Client) -> float:
    """The size of the log."""
    return int(str((await client.status())["log_bytes"])) / 1e6


async def fill(client: Client, aim_mb: float) -> None:
    """Until the log is so large."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            size_mb = await log_mb(client)
            if size_mb >= aim_mb:
                return
            await asyncio.sleep(LOOK_S)


async def kill(broker: KilledBroker, client: Client) -> Round:
    """One round."""
    size_mb = await log_mb(client)
    await broker.end(signal.SIGKILL)
    began_s = time.perf_counter()
    ready_s = await broker.start()
    async with asyncio.timeout(PATIENCE_S):
        await client.create_instance("one-task")
    created_s = time.perf_counter() - began_s
    return Round(round(size_mb, 1), round(ready_s, 3), round(created_s, 3))


async def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """All rounds; the figures."""
    broker = KilledBroker(folder / "data")
    empty_s = await broker.start()
    rounds: list[Round] = []
    patient = ClientOptions(request_timeout_s=PATIENCE_S)
    try:
        async with (
            await Client.connect(broker.address, options=patient) as client,
            await Client.connect(broker.address, options=patient) as worker,
            await Client.connect(broker.address, options=patient) as observer,
        ):
            await client.deploy(("one-task.bpmn", model("one-task", task("task"))))
            load = Load(client, worker, options.in_flight)
            load.begin()
            await fill(observer, options.log_mb)
            say(f"{await log_mb(observer):.1f} MB of log")
            for _ in range(options.rounds):
                rounds.append(await kill(broker, observer))
                say(f"{rounds[-1]}")
            await load.end()
    finally:
        await broker.end(signal.SIGTERM)
    ready_s = [each.ready_s for each in rounds]
    return {
        "ready_median_s": round(median(ready_s), 3),
        "ready_max_s": max(ready_s),
        "created_median_s": round(median(each.created_s for each in rounds), 3),
        "empty_ready_s": round(empty_s, 3),
        "rounds": [asdict(each) for each in rounds],
        "options": vars(options) | {"data": ""},
    }


def main() -> None:
    """Measures once."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10, help="how often the broker is killed")
    parser.add_argument("--log-mb", type=float, default=100.0, help="log before the first kill")
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--data", default=None, help="folder for the log: the disk to measure")
    options = parser.parse_args()
    compile_sources()
    with tempfile.TemporaryDirectory(prefix="grevy-bench-", dir=options.data) as folder:
        say(json.dumps(run(measure(Path(folder), options))))


if __name__ == "__main__":
    main()
