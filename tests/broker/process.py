"""A broker as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

COMMAND: Final = (sys.executable, "-m", "grevy.broker")
DEADLINE_S: Final = 30.0


class BrokerProcess:
    """A broker in a folder, which can be stopped, killed and started again; with an exporter that
    writes JSON lines if wanted.
    """

    def __init__(self, folder: Path, *, exports: bool = False) -> None:
        self.data = folder / "data"
        self.exported = folder / "records"
        self.address = ""
        self._process: subprocess.Popen[str] | None = None
        config = folder / "grevy.toml"
        exporter = (
            '[[exporters]]\nid = "lines"\nexporter = "json-lines"\n'
            f'args = {{ path = "{self.exported}" }}\n'
        )
        text = f'data = "{self.data}"\nport = 0\n' + exporter * exports
        config.write_text(text, encoding="utf-8")
        self.start_command = (*COMMAND, "broker", "--config", str(config), "--json")

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process that was started last."""
        assert self._process is not None, "the broker was never started"
        return self._process

    def start(self) -> None:
        """Start it; `address` is then its own."""
        self._process = subprocess.Popen(self.start_command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.address = str(json.loads(self._process.stdout.readline())["endpoint"])

    def stop(self) -> None:
        """Stop it politely, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait() == 0
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        self.process.communicate()

    def grevy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line."""
        return subprocess.run(
            [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60
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
