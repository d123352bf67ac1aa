"""The exporters of a broker: each has a process of its own for each partition that the broker
leads, which is started again when it dies.

    broker ──order, one JSON line──▶ its standard input; its end is the exporter's end
           ◀──ExporterStatus, a JSON line whenever it changes── its standard output

Records and acknowledgements go over the socket, as those of any other client.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from grevy.exporting import ExporterSettings, ExporterStatus
from grevy.ports import Clock

_log = logging.getLogger(__name__)

PAUSE_MIN_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
"""Between two starts of an exporter that keeps dying: doubles up to here."""

STEADY_S: Final = 60.0
"""One that lived so long was well: its next pause is the shortest again."""

NOT_CONFIGURED: Final = "not configured"
"""The process of an exporter that the broker does not run: a consumer of somebody's own, or one
that left the configuration. Its position holds the log all the same.
"""


class ExporterReport(msgspec.Struct, frozen=True):
    """How an exporter is with a partition, as `grevy status` tells it.

    `position` is what it acknowledged, `lag` how many records follow that. `error` is empty unless
    it is failing now, for the `attempts`-th time; `last_error` stays, with its time in epoch
    milliseconds (0: there was none).
    """

    id: str
    partition: int
    process: str = NOT_CONFIGURED
    pid: int = 0
    starts: int = 0
    phase: str = ""
    position: int = 0
    lag: int = 0
    exported_records: int = 0
    lost_records: int = 0
    attempts: int = 0
    error: str = ""
    last_error: str = ""
    last_error_at: int = 0


class ExporterProcess:
    """The process of one exporter for one partition, watched."""

    def __init__(
        self,
        settings: ExporterSettings,
        partition_id: int,
        address: str,
        clock: Clock,
        *,
        environment: Mapping[str, str],
    ) -> None:
        self._environment = dict(environment)
        self.id: Final = settings.id
        self.starts = 0
        self._partition_id = partition_id
        self._clock = clock
        order = {"address": address, "partition_id": partition_id, "settings": settings}
        self._order = msgspec.json.encode(order) + b"\n"
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._status: ExporterStatus | None = None
        self._last_error = ""
        self._last_error_at = 0

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

    def report(self) -> ExporterReport:
        """How it is; the broker knows its position."""
        status, is_running = self._status, self.is_running
        report = ExporterReport(
            self.id,
            self._partition_id,
            process="running" if is_running else "down",
            pid=self._process.pid if self._process is not None and is_running else 0,
            starts=self.starts,
            error="" if is_running else self._last_error,
            last_error=self._last_error,
            last_error_at=self._last_error_at,
        )
        if status is None or not is_running:
            return report
        return msgspec.structs.replace(
            report,
            phase=status.phase.value,
            exported_records=status.exported_records,
            lost_records=status.lost_records,
            attempts=status.attempts,
            error=status.error,
        )

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pause = PAUSE_MIN_S
        while True:
            began = loop.time()
            code = await self._run_once()
            if loop.time() - began > STEADY_S:
                pause = PAUSE_MIN_S
            reason = f": {self._status.error}" if self._status and self._status.error else ""
            self._note_error(f"its process ended with exit code {code}{reason}")
            _log.error("exporter %s ended with %d, starts again in %.1f s", self.id, code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_MAX_S)

    async def _run_once(self) -> int:
        """The process from its start to its exit code."""
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "grevy.broker.exporter_host")
        self._process = process = await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe,
            stdout=pipe,
            env=os.environ | self._environment,
            start_new_session=True,  # a terminal's Ctrl-C is for the broker, which stops it in time
        )
        self.starts += 1
        self._status = None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(self._order)
        async for line in process.stdout:
            self._take(line)
        return await process.wait()

    def _take(self, line: bytes) -> None:
        try:
            self._status = msgspec.json.decode(line, type=ExporterStatus)
        except msgspec.DecodeError as error:
            _log.error("exporter %s reported what cannot be read: %s", self.id, error)
            return
        if self._status.error:
            self._note_error(self._status.error)

    def _note_error(self, text: str) -> None:
        self._last_error, self._last_error_at = text, self._clock.now_ms()


class Exporters:
    """Starts and stops the configured exporters, partition by partition, and knows how they are.

    `environment` is what their processes have beside the broker's own.
    """

    def __init__(
        self,
        settings: Sequence[ExporterSettings],
        address: str,
        clock: Clock,
        environment: Mapping[str, str],
    ) -> None:
        self._environment = environment
        self._settings = settings
        self._address = address
        self._clock = clock
        self._processes: dict[int, list[ExporterProcess]] = {}

    def start(self, partition_id: int) -> None:
        """Starts all of them for a partition that this broker leads from now on."""
        assert partition_id not in self._processes, f"they run already for {partition_id}"
        self._processes[partition_id] = processes = [
            ExporterProcess(
                one, partition_id, self._address, self._clock, environment=self._environment
            )
            for one in self._settings
        ]
        for process in processes:
            process.start()

    async def stop(self, partition_id: int) -> None:
        """Stops them for a partition."""
        processes = self._processes.pop(partition_id, [])
        await asyncio.gather(*(process.stop() for process in processes))

    async def stop_all(self) -> None:
        """Stops them all."""
        await asyncio.gather(*map(self.stop, list(self._processes)))

    def reports(
        self, partition_id: int, positions: Mapping[str, int], last_position: int
    ) -> list[ExporterReport]:
        """How each is with a partition: those of the configuration, then others that have a
        position in the log.
        """
        known = {one.id: one.report() for one in self._processes.get(partition_id, [])}
        strangers = {
            name: ExporterReport(name, partition_id) for name in positions if name not in known
        }
        return [
            msgspec.structs.replace(
                report,
                position=positions.get(name, 0),
                lag=last_position - positions.get(name, 0),
            )
            for name, report in (known | strangers).items()
        ]
