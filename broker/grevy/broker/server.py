"""The composition root: the only place that makes a real clock, disk and socket, and puts the rooms
together.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import msgspec
import uvloop

from grevy.broker.config import BrokerConfig
from grevy.broker.exporters import Exporters
from grevy.broker.system import DataLock, OsDisk, OsEntropy, SystemClock, process_usage
from grevy.exporting import check_exporter
from grevy.partition import Partition, PartitionStorage, StorageOptions
from grevy.protocol.errors import GrevyError
from grevy.protocol.messages import (
    CommandRequest,
    ErrorCode,
    ErrorReply,
    Heartbeat,
    OpenJobSubscription,
    OpenRecordSubscription,
    PartitionInfo,
    Request,
    StatusReply,
    StatusRequest,
    SubscriptionClosed,
    TopologyReply,
    TopologyRequest,
)
from grevy.transport import Peer, Server, ServerOptions

_log = logging.getLogger(__name__)

EXIT_FAILED: Final = 1

RETRY_AFTER_MS: Final = 100
"""When a client should look again for who leads: others are elected, or this one is back."""

GC_THRESHOLD: Final = 100_000
"""Tracked objects before the collector looks at the young ones: some thousand requests."""


class CannotListen(GrevyError):
    """The broker's port or address cannot be had; the text says why."""


class Broker:
    """One broker: its partition, its socket, its exporters."""

    def __init__(self, config: BrokerConfig, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the port, then opens the log. Raises `GrevyError`s and `OSError`."""
        self._config = config
        self._loop = loop
        self._stopped = asyncio.Event()
        self._is_stopping = False
        self._failure: BaseException | None = None
        loop.set_exception_handler(self._on_unhandled)
        self._clock = clock = SystemClock()
        self._started_ns = clock.monotonic_ns()
        for exporter in config.exporters:
            check_exporter(exporter, clock)
        self._server = self._listen()
        options = StorageOptions(
            checkpoint_period_s=config.checkpoint_period_s,
            exporter_log_bytes_max=config.exporter_log_max_mb * 1024 * 1024,
        )
        folder = config.data / "partitions" / "1"
        try:
            storage = PartitionStorage.open(OsDisk(folder), folder, 1, options)
        except (GrevyError, OSError):
            self._server.close()
            raise
        self._partition = Partition(
            1, loop, clock, storage, entropy=OsEntropy(), on_failed=self._on_failed
        )
        self._exporters = Exporters(config.exporters, self.endpoint, clock)

    @property
    def endpoint(self) -> str:
        """Where clients connect, as host:port."""
        return self._server.endpoint.removeprefix("tcp://")

    async def start(self) -> None:
        """Ready for clients when it returns; raises what made the partition fail."""
        try:
            await self._partition.start(self._server)
        except Exception:
            self._server.close()
            raise
        self._server.start()
        self._exporters.start()

    async def run_until_stopped(self) -> int:
        """Serves until a signal or a failure; the process's exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stopped.set)
        await self._stopped.wait()
        await self.stop()
        return EXIT_FAILED if self._failure is not None else 0

    async def stop(self) -> None:
        """Stops taking requests, lets what is in flight commit and be answered, closes the log."""
        await self._exporters.stop()
        self._is_stopping = True
        if self._failure is None:
            await self._partition.stop()
        self._server.close()

    # ── what the transport asks for ───────────────────────────────────────────────────────────────

    def on_request(self, peer: Peer, request: Request) -> None:
        """One request of a client."""
        if self._is_stopping:
            self._refuse(peer, request)
            return
        match request:
            case CommandRequest() if request.partition_id == 1:
                self._partition.on_request(peer, request)
            case TopologyRequest():
                self._server.send(peer, self._topology(request.number))
            case StatusRequest():
                document = msgspec.json.encode(self.status())
                self._server.send(peer, StatusReply(request.number, document))
            case Heartbeat():
                pass
            case CommandRequest():
                text = f"there is no partition {request.partition_id}; there is partition 1"
                error = ErrorReply(request.number, ErrorCode.UNKNOWN_PARTITION, text)
                self._server.send(peer, error)
            case OpenJobSubscription() | OpenRecordSubscription() if request.partition_id != 1:
                text = f"there is no partition {request.partition_id}; there is partition 1"
                code = ErrorCode.UNKNOWN_PARTITION
                self._server.send(peer, SubscriptionClosed(request.subscription, code, text))
            case _:
                self._partition.on_request(peer, request)

    def on_drained(self) -> None:
        """The requests of this turn are there."""
        if not self._is_stopping:
            self._partition.on_drained()

    def on_vanished(self, peer: Peer) -> None:
        """A client is gone."""
        if not self._is_stopping:
            self._partition.on_vanished(peer)

    def status(self) -> dict[str, object]:
        """The figures of `grevy status`."""
        partition = self._partition
        last_position = partition.last_position
        return {
            "endpoint": self.endpoint,
            "version": version("grevy"),
            "pid": os.getpid(),
            "data": str(self._config.data.resolve()),
            "uptime_s": (self._clock.monotonic_ns() - self._started_ns) // 1_000_000_000,
            **process_usage(),
            **partition.statistics(),
            "exporters": self._exporters.reports(partition.exporter_positions(), last_position),
        }

    def _listen(self) -> Server:
        endpoint = f"{self._config.host}:{self._config.port}"
        try:
            options = ServerOptions(is_insecure=self._config.insecure)
            return Server(self._loop, f"tcp://{endpoint}", self, options)
        except OSError as error:
            raise CannotListen(
                f"cannot listen at {endpoint}: {error.strerror}; "
                "another port can be given, 0 takes a free one"
            ) from error

    def _refuse(self, peer: Peer, request: Request) -> None:
        """The broker takes nothing more: a command had no effect, and may be tried elsewhere."""
        if isinstance(request, CommandRequest):
            text = "the broker is shutting down"
            reply = ErrorReply(request.number, ErrorCode.SHUTTING_DOWN, text, RETRY_AFTER_MS)
            self._server.send(peer, reply)

    def _topology(self, number: int) -> TopologyReply:
        leader = PartitionInfo(1, self._server.endpoint, self._partition.term)
        return TopologyReply(number, self._config.cluster_id, version("grevy"), (leader,))

    def _on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A broken invariant ends the broker: what it would do next cannot be relied on."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        if isinstance(error, AssertionError):
            self._on_failed(error)

    def _on_failed(self, error: BaseException) -> None:
        self._failure = error
        self._stopped.set()


async def serve(config: BrokerConfig, announce: Callable[[Broker], None]) -> int:
    """Runs a broker until it is told to stop; the exit code."""
    with DataLock(config.data):
        broker = Broker(config, asyncio.get_running_loop())
        await broker.start()
        _spare_the_collector()
        announce(broker)
        return await broker.run_until_stopped()


def _spare_the_collector() -> None:
    """What a broker works with has no cycles: its records are not tracked, and its state lives
    long.

    The default thresholds make the collector walk over the state hundreds of times a second.
    """
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    gc.enable()


def run_broker(config: BrokerConfig, announce: Callable[[Broker], None]) -> int:
    """`grevy broker`: serves in the foreground, `announce`d when it is ready; the exit code.

    Raises `GrevyError`s and `OSError` when it cannot start.
    """
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    return uvloop.run(serve(config, announce))
