"""The process of one exporter: records from the broker in, acknowledgements back.

`python -m grevy.broker.exporter_host` reads what it is to do from its standard input, as one JSON
object, and ends when that closes: an exporter does not outlive its broker.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import Final

import msgspec

from grevy.broker.system import SystemClock
from grevy.client import Client, RecordBatch, RecordSubscription, run
from grevy.exporting import Context, ExporterDriver, ExporterSettings, Turn, load_exporter

_log = logging.getLogger(__name__)

PARTITION: Final = 1
IDLE_S: Final = 60.0
"""How long a driver sleeps that asked for no alarm; a delivery wakes it."""


class HostOrder(msgspec.Struct, frozen=True):
    """Which exporter to run, and the broker's address."""

    address: str
    settings: ExporterSettings


class ExporterHost:
    """Runs one exporter over a subscription, until it is told to stop."""

    def __init__(self, client: Client, settings: ExporterSettings) -> None:
        context = Context(settings.id, PARTITION, settings.args, SystemClock())
        exporter = load_exporter(settings.exporter)()
        exporter.configure(context)
        self._id = settings.id
        self._driver = ExporterDriver(exporter, context)
        self._subscription: RecordSubscription = client.subscribe_records(
            PARTITION,
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
        position, metadata = await self._subscription.wait_opened()
        self._driver.open(position, metadata)
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
            wake_s = IDLE_S if turn.wake_in_ms is None else turn.wake_in_ms / 1_000
            await asyncio.wait(awaited, timeout=wake_s, return_when=asyncio.FIRST_COMPLETED)
            if arriving is not None and arriving.done() and self._driver.is_ready:
                batch = arriving.result()
                self._driver.receive(batch.entries, batch.up_to)
                arriving = None
        if arriving is not None:
            arriving.cancel()
        self._heed(self._driver.close())

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


async def _main(order: HostOrder) -> None:
    loop = asyncio.get_running_loop()
    client = await Client.connect(order.address)
    host = ExporterHost(client, order.settings)
    loop.add_signal_handler(signal.SIGTERM, host.stop)
    loop.add_signal_handler(signal.SIGINT, host.stop)
    loop.add_reader(sys.stdin.fileno(), host.stop)  # readable when the broker has closed it
    try:
        await host.run()
    finally:
        client.close()


def main() -> None:
    """The process."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    line = sys.stdin.buffer.readline()
    run(_main(msgspec.json.decode(line, type=HostOrder)))


if __name__ == "__main__":
    main()
