"""The process of one exporter: it reads the log as any client does, and drives the exporter.

    python -m grevy.broker.exporter_host --config exporter.json
    {"settings": {"id": "es", "exporter": "elasticsearch", "args": {}}, "brokers": ["host:26600"]}

Under a broker the configuration comes as the first line of standard input, since it may hold
secrets; the process ends when its input does, so that it never outlives the broker. Each line of
its standard output is the status of one partition's exporter, JSON; its log goes to standard error.

Each partition has an exporter object of its own, whose calls run in a thread: they may block. What
cannot go on here (no broker, a subscription that was refused) ends the process; its supervisor
starts it again.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from grevy.broker.system import SystemClock
from grevy.client import Client, RecordBatch, RecordSubscription
from grevy.client.errors import ClientError, RecordsMissing
from grevy.exporting import (
    Acknowledgement,
    Context,
    ExporterDriver,
    ExporterSettings,
    ExporterStatus,
    ExportingError,
    Turn,
    load_exporter,
)

_log: Final = logging.getLogger(__name__)

REPEAT_S: Final = 5.0
"""How often the last acknowledgement is told again: a new leader may not know it."""

REPORT_S: Final = 1.0
"""How often the status is told, unless something failed or was mended."""

LEFT_OFF: Final = -1
"""The position to subscribe from: where the exporter left off."""


class HostConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What the process is told: the exporter, and some brokers, as "host:port"."""

    settings: ExporterSettings
    brokers: tuple[str, ...]


class PartitionExport:
    """The exporter of one partition, from its subscription to its end."""

    def __init__(
        self,
        driver: ExporterDriver,
        subscription: RecordSubscription,
        report: Callable[[ExporterStatus], None],
        stopping: asyncio.Event,
    ) -> None:
        self._driver = driver
        self._subscription = subscription
        self._report = report
        self._stopping = stopping
        self._clock = asyncio.get_running_loop().time
        self._told_at = self._reported_at = self._clock()
        self._attempts = 0

    async def run(self) -> None:
        """Exports until it is told to stop; raises `ClientError` when there is nothing to read."""
        stopped = asyncio.ensure_future(self._stopping.wait())
        arriving: asyncio.Task[RecordBatch | None] | None = None
        batch: RecordBatch | None = None
        try:
            self._driver.open(*await self._subscription.wait_opened())
            while not self._stopping.is_set():
                turn = await asyncio.to_thread(self._advance, batch)
                batch = None
                self._follow(turn)
                if turn.is_ready and arriving is None:
                    arriving = asyncio.ensure_future(self._next_batch())
                waiting = {stopped} if arriving is None else {stopped, arriving}
                await asyncio.wait(
                    waiting,
                    timeout=_pause_s(turn),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if arriving is not None and arriving.done():
                    batch, arriving = arriving.result(), None
            self._follow(await asyncio.to_thread(self._driver.close))
        finally:
            for task in (stopped, arriving):
                if task is not None:
                    task.cancel()
            self._subscription.close()

    def _advance(self, batch: RecordBatch | None) -> Turn:
        if batch is not None:
            self._driver.receive(batch.entries, batch.up_to)
        return self._driver.turn()

    async def _next_batch(self) -> RecordBatch | None:
        try:
            return await anext(self._subscription)
        except RecordsMissing as error:
            _log.error("records are lost for this exporter: %s", error)
            self._driver.resume(error.found - 1)
            return None

    def _follow(self, turn: Turn) -> None:
        """Do what a turn says, and tell how it is."""
        now = self._clock()
        status = self._driver.status()
        if turn.failure is not None:
            self._log_failure(turn, status)
        if turn.acknowledgement is not None:
            self._tell(turn.acknowledgement, now)
        elif now - self._told_at >= REPEAT_S:
            self._tell(self._driver.last_acknowledgement, now)
        is_news = bool(status.attempts) != bool(self._attempts)
        if is_news or now - self._reported_at >= REPORT_S:
            self._reported_at, self._attempts = now, status.attempts
            self._report(status)

    def _tell(self, acknowledgement: Acknowledgement, now: float) -> None:
        self._told_at = now
        self._subscription.acknowledge(acknowledgement.position, acknowledgement.metadata)

    def _log_failure(self, turn: Turn, status: ExporterStatus) -> None:
        assert turn.failure is not None
        _log.warning(
            "partition %d: try %d failed, the next is in %d ms: %s",
            status.partition_id,
            turn.failure.attempts,
            turn.failure.pause_ms,
            status.error,
            exc_info=turn.failure.error if turn.failure.attempts == 1 else None,
        )


def _pause_s(turn: Turn) -> float:
    return REPORT_S if turn.wake_in_ms is None else min(turn.wake_in_ms / 1000, REPORT_S)


async def host(
    config: HostConfig, stopping: asyncio.Event, report: Callable[[ExporterStatus], None]
) -> None:
    """Runs an exporter for every partition until `stopping` is set.

    Raises `ClientError` when brokers cannot be reached, `ExportingError` for wrong settings.
    """
    settings = config.settings
    kind = load_exporter(settings.exporter)
    async with await Client.connect(*config.brokers) as client, asyncio.TaskGroup() as tasks:
        for partition in (await client.topology()).partitions:
            context = Context(settings.id, partition.id, settings.args, SystemClock())
            driver = ExporterDriver(kind(), context)
            subscription = client.subscribe_records(
                partition.id,
                LEFT_OFF,
                value_types=context.filter.subscribed_value_types,
                exporter_id=settings.id,
            )
            tasks.create_task(PartitionExport(driver, subscription, report, stopping).run())


def main(arguments: list[str] | None = None) -> int:
    """Runs the process; its exit code: 0 when it was told to stop."""
    parser = argparse.ArgumentParser(description="Run one exporter.")
    parser.add_argument("--config", type=Path, help="JSON; standard input without it")
    path: Path | None = parser.parse_args(arguments).config
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    text = sys.stdin.buffer.readline() if path is None else path.read_bytes()
    config = msgspec.json.decode(text, type=HostConfig)
    return asyncio.run(_serve(config, is_supervised=path is None))


async def _serve(config: HostConfig, *, is_supervised: bool) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    if is_supervised:
        loop.add_reader(sys.stdin.fileno(), stopping.set)
    try:
        await host(config, stopping, _write_status)
    except* (ClientError, ExportingError) as errors:
        for error in errors.exceptions:
            _log.error("exporter %s ends: %s", config.settings.id, error)
        return 1
    return 0


def _write_status(status: ExporterStatus) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(status) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
