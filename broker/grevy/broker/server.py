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
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvloop

from grevy.broker.config import BrokerConfig
from grevy.broker.exporters import Exporters
from grevy.broker.router import Router
from grevy.broker.system import DataLock, OsDisk, OsEntropy, SystemClock, process_usage
from grevy.engine import SentCommand
from grevy.exporting import check_exporter
from grevy.partition import Partition, PartitionStorage, StorageOptions
from grevy.protocol.errors import GrevyError
from grevy.protocol.messages import PartitionInfo, TopologyReply
from grevy.transport import Server

_log = logging.getLogger(__name__)

EXIT_FAILED: Final = 1

GC_THRESHOLD: Final = 100_000
"""Tracked objects before the collector looks at the young ones: some thousand requests."""


_NOT_COUNTED: Final = frozenset(
    {"id", "term", "commit_index", "log_first_index", "log_last_index", "state_applied_index"}
)
"""Numbers of a partition that name something."""


class CannotListen(GrevyError):
    """The broker's port or address cannot be had; the text says why."""


class WrongPartitions(GrevyError):
    """The broker's folder is of another number of partitions."""


class Broker:
    """One broker: its partitions, its socket, its exporters."""

    def __init__(self, config: BrokerConfig, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the port, then opens the logs. Raises `GrevyError`s and `OSError`."""
        self._config = config
        self._loop = loop
        self._stopped = asyncio.Event()
        self._failure: BaseException | None = None
        loop.set_exception_handler(self._on_unhandled)
        self._clock = clock = SystemClock()
        self._started_ns = clock.monotonic_ns()
        for exporter in config.exporters:
            check_exporter(exporter, clock)
        self._router = Router(config.partitions, self._topology, self.status)
        self._server = self._listen()
        try:
            self._partitions = self._open_partitions()
        except (GrevyError, OSError):
            self._server.close()
            raise
        self._exporters = Exporters(config.exporters, self.endpoint, clock)

    @property
    def endpoint(self) -> str:
        """Where clients connect, as host:port."""
        return self._server.endpoint.removeprefix("tcp://")

    async def start(self) -> None:
        """Ready for clients when it returns; raises what made a partition fail."""
        self._router.open(self._partitions, self._server)
        try:
            await asyncio.gather(*(one.start(self._server) for one in self._partitions.values()))
        except Exception:
            self._server.close()
            raise
        self._server.start()
        for partition_id in self._partitions:
            self._exporters.start(partition_id)

    async def run_until_stopped(self) -> int:
        """Serves until a signal or a failure; the process's exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._stopped.set)
        await self._stopped.wait()
        await self.stop()
        return EXIT_FAILED if self._failure is not None else 0

    async def stop(self) -> None:
        """Stops taking requests, lets what is in flight commit and be answered, closes the logs."""
        await self._exporters.stop_all()
        self._router.close()
        if self._failure is None:
            await asyncio.gather(*(one.stop() for one in self._partitions.values()))
        self._server.close()

    def status(self) -> dict[str, object]:
        """The figures of `grevy status`: those of the partitions in all, then each."""
        figures = [partition.statistics() for partition in self._partitions.values()]
        exporters = [
            self._exporters.reports(
                partition.partition_id, partition.exporter_positions(), partition.last_position
            )
            for partition in self._partitions.values()
        ]
        return {
            "endpoint": self.endpoint,
            "version": version("grevy"),
            "pid": os.getpid(),
            "data": str(self._config.data.resolve()),
            "uptime_s": (self._clock.monotonic_ns() - self._started_ns) // 1_000_000_000,
            **process_usage(),
            **totals(figures),
            "partitions": figures,
            "exporters": [report for reports in exporters for report in reports],
        }

    def _open_partitions(self) -> dict[int, Partition]:
        config = self._config
        root = config.data / "partitions"
        check_partition_folders(root, config.partitions)
        options = StorageOptions(
            checkpoint_period_s=config.checkpoint_period_s,
            exporter_log_bytes_max=config.exporter_log_max_mb * 1024 * 1024,
        )
        partitions: dict[int, Partition] = {}
        for partition_id in range(1, config.partitions + 1):
            folder = root / str(partition_id)
            storage = PartitionStorage.open(OsDisk(folder), folder, partition_id, options)
            partitions[partition_id] = Partition(
                *(partition_id, self._loop, self._clock, storage),
                entropy=OsEntropy(),
                on_failed=self._on_failed,
                partition_count=config.partitions,
                post=partial(self._post, partition_id),
            )
        return partitions

    def _post(self, source_partition_id: int, sent: SentCommand) -> None:
        """A command of one partition to another; the other takes it in a turn of its own."""
        partition = self._partitions[sent.partition_id]
        partition.on_remote_command(sent.command, source_partition_id)
        self._loop.call_soon(partition.on_drained)

    def _listen(self) -> Server:
        endpoint = f"{self._config.host}:{self._config.port}"
        try:
            return Server(self._loop, f"tcp://{endpoint}", self._router)
        except OSError as error:
            raise CannotListen(
                f"cannot listen at {endpoint}: {error.strerror}; "
                "another port can be given, 0 takes a free one"
            ) from error

    def _topology(self, number: int) -> TopologyReply:
        leaders = tuple(
            PartitionInfo(one.partition_id, self._server.endpoint, one.term)
            for one in self._partitions.values()
        )
        return TopologyReply(number, self._config.cluster_id, version("grevy"), leaders)

    def _on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A broken invariant ends the broker: what it would do next cannot be relied on."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        if isinstance(error, AssertionError):
            self._on_failed(error)

    def _on_failed(self, error: BaseException) -> None:
        self._failure = error
        self._stopped.set()


def check_partition_folders(root: Path, count: int) -> None:
    """Raises `WrongPartitions` where a folder has another number of partitions: messages lie in
    the partition that their key and this number say.
    """
    found = sorted(int(path.name) for path in root.glob("*") if path.name.isdigit())
    if found and found != list(range(1, count + 1)):
        raise WrongPartitions(
            f"{root} has partitions {', '.join(map(str, found))}, but the setting is {count}: "
            "the number of partitions stays as it was at the first start"
        )


def totals(figures: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What can be counted over partitions, counted."""
    found: dict[str, object] = {}
    for one in figures:
        for name, value in one.items():
            if isinstance(value, int) and name not in _NOT_COUNTED:
                before = found.get(name, 0)
                assert isinstance(before, int)
                found[name] = before + value
    return found


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
