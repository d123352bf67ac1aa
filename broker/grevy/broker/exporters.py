"""The exporters of a broker: each a process of its own, started with it, and again when it dies."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from grevy.exporting import ExporterSettings

_log = logging.getLogger(__name__)

PAUSE_MIN_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
"""Between two starts of an exporter that keeps dying: doubles up to here."""

STEADY_S: Final = 60.0
"""One that lived so long was well: its next pause is the shortest again."""


class ExporterProcess:
    """One exporter's process, watched."""

    def __init__(self, settings: ExporterSettings, address: str) -> None:
        self.id: Final = settings.id
        self.starts = 0
        self._order = msgspec.json.encode({"address": address, "settings": settings}) + b"\n"
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to run it."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Tells it to close, and waits until it has."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    @property
    def is_running(self) -> bool:
        """Whether it runs at the moment."""
        return self._process is not None and self._process.returncode is None

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pause = PAUSE_MIN_S
        while True:
            began = loop.time()
            command = (sys.executable, "-m", "grevy.broker.exporter_host")
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE
            )
            self.starts += 1
            assert self._process.stdin is not None
            self._process.stdin.write(self._order)
            code = await self._process.wait()
            if loop.time() - began > STEADY_S:
                pause = PAUSE_MIN_S
            _log.error("exporter %s ended with %d, starts again in %.1f s", self.id, code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_MAX_S)


class Exporters:
    """Starts and stops the configured exporters, and knows how they are."""

    def __init__(self, settings: Sequence[ExporterSettings], address: str) -> None:
        self._processes = [ExporterProcess(one, address) for one in settings]

    def start(self) -> None:
        """Starts them all."""
        for process in self._processes:
            process.start()

    async def stop(self) -> None:
        """Stops them all."""
        await asyncio.gather(*(process.stop() for process in self._processes))

    def statistics(self) -> dict[str, object]:
        """Whether each runs, and how often it was started."""
        return {
            f"exporter {process.id} process": f"running, start {process.starts}"
            if process.is_running
            else f"down after start {process.starts}"
            for process in self._processes
        }
