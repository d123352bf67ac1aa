"""The process of one exporter: records from the broker in, acknowledgements back.

`python -m grevy.broker.exporter_host` reads what it is to do from its standard input, as one JSON
object, and ends when that closes: an exporter does not outlive its broker. It reports on its
standard output (see `exporters`); what the exporter itself prints goes to the error output.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import BinaryIO, Final

import msgspec

from grevy.broker.system import SystemClock, take_standard_output
from grevy.client import (
    Client,
    ClientKeys,
    ClientOptions,
    RecordBatch,
    RecordsMissing,
    RecordSubscription,
    run,
)
from grevy.exporting import (
    Context,
    ExporterDriver,
    ExporterSettings,
    ExporterStatus,
    Turn,
    load_exporter,
)

_log = logging.getLogger(__name__)

IDLE_S: Final = 60.0
"""How long a driver sleeps that asked for no alarm; a delivery wakes it."""

REPORT_PERIOD_S: Final = 1.0
"""Between two reports that only count on; how it is going, and what fails, is told at once."""


class HostOrder(msgspec.Struct, frozen=True):
    """Which exporter to run for which partition, and the address of a broker that knows who leads
    it.
    """

    address: str
    partition_id: int
    settings: ExporterSettings


class Reporter:
    """Tells the broker how the exporter is, when that has changed."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self._said: ExporterStatus | None = None
        self._said_at_s = 0.0

    def report(self, status: ExporterStatus, now_s: float) -> float:
        """Reports if there is something to say; in how many seconds to come back at the latest."""
        said = self._said
        if status == said:
            return IDLE_S
        wait_s = self._said_at_s + REPORT_PERIOD_S - now_s
        if said is not None and _is_alike(status, said) and wait_s > 0:
            return wait_s
        self._said, self._said_at_s = status, now_s
        with contextlib.suppress(BrokenPipeError):  # the broker is gone, and the host soon will be
            self._to.write(msgspec.json.encode(status) + b"\n")
        return IDLE_S


def _is_alike(status: ExporterStatus, other: ExporterStatus) -> bool:
    """Whether they differ in their counts only."""
    return (status.phase, status.attempts, status.error) == (
        other.phase,
        other.attempts,
        other.error,
    )


class ExporterHost:
    """Runs one exporter over a subscription to one partition, until it is told to stop."""

    def __init__(self, client: Client, order: HostOrder, reporter: Reporter) -> None:
        settings, partition_id = order.settings, order.partition_id
        context = Context(settings.id, partition_id, settings.args, SystemClock())
        exporter = load_exporter(settings.exporter)()
        exporter.configure(context)
        self._id = settings.id
        self._reporter = reporter
        self._driver = ExporterDriver(exporter, context)
        self._subscription: RecordSubscription = client.subscribe_records(
            partition_id,
            -1,
            value_types=context.filter.subscribed_value_types,
            exporter_id=settings.id,
        )
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Closes the exporter after the call that it is in."""
        self._stopping.set()

    async def run(self) -> None:
        """Exports until `stop`."""
        opened = asyncio.ensure_future(self._subscription.wait_opened())
        stopped = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({opened, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not opened.done():
            opened.cancel()
            return
        self._driver.open(*opened.result())
        try:
            await self._drive()
        except Exception as error:
            status = msgspec.structs.replace(self._driver.status(), error=str(error))
            self._reporter.report(status, asyncio.get_running_loop().time())
            raise

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.ensure_future(self._stopping.wait())
        arriving: asyncio.Future[RecordBatch] | None = None
        while not stopped.done():
            turn = self._driver.turn()
            self._heed(turn)
            if turn.is_ready and arriving is None:
                arriving = asyncio.ensure_future(self._next_batch())
            awaited: set[asyncio.Future[object]] = {stopped}  # type: ignore[arg-type]
            if turn.is_ready and arriving is not None:
                awaited.add(arriving)  # type: ignore[arg-type]  # futures of what they give
            wake_s = self._reporter.report(self._driver.status(), loop.time())
            if turn.wake_in_ms is not None:
                wake_s = min(wake_s, turn.wake_in_ms / 1_000)
            await asyncio.wait(awaited, timeout=wake_s, return_when=asyncio.FIRST_COMPLETED)
            if arriving is not None and arriving.done() and self._driver.is_ready:
                self._deliver(arriving)
                arriving = None
        if arriving is not None:
            arriving.cancel()
        self._heed(self._driver.close())

    def _deliver(self, arrived: asyncio.Future[RecordBatch]) -> None:
        try:
            batch = arrived.result()
        except RecordsMissing as missing:
            _log.error("exporter %s was too slow: %s", self._id, missing)
            self._driver.resume(missing.found - 1)
            return
        self._driver.receive(batch.entries, batch.up_to)

    async def _next_batch(self) -> RecordBatch:
        return await anext(self._subscription)

    def _heed(self, turn: Turn) -> None:
        if turn.acknowledgement is not None:
            said = turn.acknowledgement
            self._subscription.acknowledge(said.position, said.metadata)
        if turn.failure is not None:
            failure = turn.failure
            _log.error(
                "exporter %s failed %d times, tries again in %d ms: %s",
                *(self._id, failure.attempts, failure.pause_ms, failure.error),
            )


def _stop_for_good(host: ExporterHost) -> None:
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())  # it stays readable
    host.stop()


async def _main(order: HostOrder, reporter: Reporter) -> None:
    loop = asyncio.get_running_loop()
    options = ClientOptions(keys=ClientKeys.from_environment())
    client = await Client.connect(order.address, options=options)
    host = ExporterHost(client, order, reporter)
    loop.add_signal_handler(signal.SIGTERM, host.stop)
    loop.add_signal_handler(signal.SIGINT, host.stop)
    loop.add_reader(sys.stdin.fileno(), _stop_for_good, host)  # the broker has closed it
    try:
        await host.run()
    finally:
        client.close()


def main() -> None:
    """The process."""
    reporter = Reporter(take_standard_output())
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("grevy").setLevel(logging.INFO)  # libraries would tell of each request
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the broker has ended meanwhile
    run(_main(msgspec.json.decode(line, type=HostOrder), reporter))


if __name__ == "__main__":
    main()
