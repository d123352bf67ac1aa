"""Brokers and commands as processes, for the tests of this room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from grevy.client import SyncClient

DEADLINE_S = 30.0

GREVY = [sys.executable, "-m", "grevy.broker"]

Exporters = Sequence[tuple[str, str, dict[str, str]]]
"""Id, exporter and arguments of each."""


def wait_until(is_true: Callable[[], bool]) -> None:
    """Other processes tell nobody what they have done: look again and again."""
    end = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class BrokerProcess:
    """A broker in a folder, on a free port. `settings` are lines of its configuration."""

    def __init__(self, folder: Path, exporters: Exporters = (), *settings: str) -> None:
        self.settings = settings
        self.data = folder / "data"
        self.config = folder / "grevy.toml"
        self.log = folder / "broker.log"
        self.configure(exporters)
        self.process: subprocess.Popen[str] | None = None
        self.address = ""

    def configure(self, exporters: Exporters) -> None:
        """What the next start reads."""
        tables = "".join(
            f'[[exporters]]\nid = "{name}"\nexporter = "{exporter}"\n'
            f"[exporters.args]\n" + "".join(f'{key} = "{value}"\n' for key, value in args.items())
            for name, exporter, args in exporters
        )
        lines = "".join(f"{line}\n" for line in self.settings)
        self.config.write_text(f'data = "{self.data}"\nport = 0\n{lines}{tables}', encoding="utf-8")

    def start(self) -> None:
        """Starts it; ready when this returns."""
        command = [*GREVY, "broker", "--config", str(self.config), "--json"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        self.address = str(json.loads(self.process.stdout.readline())["endpoint"])

    def stop(self) -> None:
        """Stops it politely, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=DEADLINE_S)
            assert self.process.returncode == 0
            self.process = None
            assert "Traceback" not in self.log.read_text()

    def kill(self) -> None:
        """Ends it without a word, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def deploy(self, model: str) -> None:
        """Deploys a process, faster than the command line does."""
        with SyncClient.connect(self.address) as client:
            client.deploy(("p.bpmn", model.encode()))

    def create(self, process: str, variables: dict[str, object] | None = None) -> int:
        """Creates an instance; its key."""
        with SyncClient.connect(self.address) as client:
            return client.create_instance(process, variables=variables).key

    @property
    def environment(self) -> dict[str, str]:
        """Of commands that are to find it."""
        return {**os.environ, "GREVY_ADDRESS": self.address, "COLUMNS": "200"}

    def grevy(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command of the command line."""
        return subprocess.run(
            [*GREVY, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE_S,
            env=self.environment,
        )

    def rows(self, *arguments: str, stdin: str = "") -> list[dict[str, object]]:
        """What a command that must succeed prints with --json: an object a line, nothing else."""
        done = self.grevy(*_with_json(arguments), stdin=stdin)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def error(self, *arguments: str, stdin: str = "") -> dict[str, object]:
        """What a command that must fail says with --json, on its error output alone."""
        done = self.grevy(*_with_json(arguments), stdin=stdin)
        assert done.returncode == 1, done.stdout
        assert not done.stdout
        error: dict[str, object] = json.loads(done.stderr)
        return error

    def status(self) -> dict[str, object]:
        """The broker's figures."""
        with SyncClient.connect(self.address) as client:
            return dict(client.status())


def _with_json(arguments: Sequence[str]) -> list[str]:
    """The option goes behind the command's name, which may have two words."""
    words = 2 if arguments[0] == "log" else 1
    return [*arguments[:words], "--json", *arguments[words:]]


@contextmanager
def running(folder: Path, exporters: Exporters = ()) -> Iterator[BrokerProcess]:
    """A broker that runs, and is stopped at the end."""
    broker = BrokerProcess(folder, exporters)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
