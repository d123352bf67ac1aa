"""Starts a broker on a free port with a new folder, and plays the story of `story.py` against
it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from grevy.broker.demo.story import tell
from grevy.client import Client, run


async def main(console: Console) -> None:
    """The whole demo."""
    with tempfile.TemporaryDirectory(prefix="grevy-demo-") as folder:
        command = [
            sys.executable,
            "-m",
            "grevy.broker",
            "broker",
            "--data",
            folder,
            "--port",
            "0",
            "--json",
        ]
        pipe = asyncio.subprocess.PIPE
        errors = Path(folder) / "broker.log"
        with errors.open("wb") as log:
            broker = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=log)
        assert broker.stdout is not None
        line = await broker.stdout.readline()
        if not line:
            console.print(errors.read_text(encoding="utf-8"))
            raise SystemExit(1)
        address = str(json.loads(line)["endpoint"])
        console.print(f"[bold]a broker[/bold] listens at {address}, its log is in {folder}")
        client = await Client.connect(address)
        try:
            await tell(client, console)
        finally:
            client.close()
            broker.terminate()
            await broker.wait()


if __name__ == "__main__":
    run(main(Console(highlight=False)))
