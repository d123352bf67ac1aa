"""Starts a broker on a free port with a new folder, and plays the story of `story.py` against
it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from grevy.broker.demo.story import tell
from grevy.client import Client, run


@asynccontextmanager
async def running_broker(folder: Path) -> AsyncIterator[str]:
    """A broker process in a folder; its address. Raises `SystemExit` when it does not start."""
    command = (sys.executable, "-m", "grevy.broker", "broker", "--json")
    options = ("--data", str(folder), "--port", "0")
    errors = folder / "broker.log"
    with errors.open("wb") as log:
        broker = await asyncio.create_subprocess_exec(
            *command, *options, stdout=asyncio.subprocess.PIPE, stderr=log
        )
    try:
        assert broker.stdout is not None
        line = await broker.stdout.readline()
        if not line:
            sys.stderr.write(errors.read_text(encoding="utf-8"))
            raise SystemExit(1)
        yield str(json.loads(line)["endpoint"])
    finally:
        if broker.returncode is None:
            broker.terminate()
        await broker.wait()


async def main(console: Console) -> None:
    """The whole demo."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with tempfile.TemporaryDirectory(prefix="grevy-demo-") as folder:
        async with running_broker(Path(folder)) as address:
            console.print(f"[bold]a broker[/bold] listens at {address}, its log is in {folder}")
            async with await Client.connect(address) as client:
                await tell(client, console)


if __name__ == "__main__":
    try:
        run(main(Console(highlight=False)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit("the demo was interrupted") from None
