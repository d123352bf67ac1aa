"""The exporters of a broker: each a process of its own, started with it, and again when it ends."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from grevy.broker.config import ExporterConfig
from grevy.broker.exporter_host import HostConfig
from grevy.broker.system import SystemClock
from grevy.exporting import ExporterSettings, ExporterStatus, check_exporter, pause_ms

_log: Final = logging.getLogger(__name__)

STOP_S: Final = 10.0
"""How long an exporter may take to flush and close before its process is ended."""

STEADY_S: Final = 30.0
"""A process that lived so long starts again at once; one that keeps dying waits longer each time."""


class ExporterProcess:
    """The process of one exporter; while it should run it is started again whenever it ends."""

    def __init__(self, config: HostConfig) -> None:
        self._config = config
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._starts = 0
        self._statuses: dict[int, ExporterStatus] = {}

    @property
    def id(self) -> str:
        """The exporter's id."""
        return self._config.settings.id

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, in the loop that is running."""
        assert self._task is None
        self._task = asyncio.get_running_loop().create_task(self._supervise())

    async def stop(self) -> None:
        """Let it flush and close; end it when that takes too long."""
        self._stopping.set()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        if self._task is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._task), STOP_S)
        except TimeoutError:
            _log.warning("exporter %s does not stop: its process is ended", self.id)
            if self._process is not None:
                self._process.kill()
            await self._task

    def statistics(self) -> dict[str, object]:
        """Its process, and the last status that it told for each partition."""
        partitions = {str(key): msgspec.to_builtins(one) for key, one in self._statuses.items()}
        return {"pid": self.pid, "starts": self._starts, "partitions": partitions}

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        deaths = 0
        while not self._stopping.is_set():
            started_at = loop.time()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            deaths = 1 if loop.time() - started_at > STEADY_S else deaths + 1
            pause = pause_ms(deaths)
            _log.error("exporter %s ended with %d, again in %d ms", self.id, code, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause / 1000)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "grevy.broker.exporter_host",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._starts += 1
        process.stdin.write(msgspec.json.encode(self._config) + b"\n")
        if self._stopping.is_set():
            process.stdin.close()
        async for line in process.stdout:
            status = msgspec.json.decode(line, type=ExporterStatus)
            self._statuses[status.partition_id] = status
        code = await process.wait()
        self._process = None
        process.stdin.close()
        return code


class Exporters:
    """Starts and stops the configured exporters, and knows how they are."""

    def __init__(self, configs: Sequence[ExporterConfig], endpoint: str) -> None:
        """Raises `ExportingError` for an exporter that could not work as it is configured."""
        self._processes: list[ExporterProcess] = []
        for config in configs:
            settings = ExporterSettings(config.id, config.exporter, config.args)
            check_exporter(settings, SystemClock())
            self._processes.append(ExporterProcess(HostConfig(settings, (endpoint,))))

    async def start(self) -> None:
        """Starts them all."""
        for process in self._processes:
            process.start()

    async def stop(self) -> None:
        """Stops them all, at the same time."""
        await asyncio.gather(*(process.stop() for process in self._processes))

    def statistics(self) -> dict[str, object]:
        """How each is, by its id."""
        if not self._processes:
            return {}
        return {"exporters": {process.id: process.statistics() for process in self._processes}}
