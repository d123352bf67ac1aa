"""The composition root: the only place that makes a real clock, disk and socket, and puts the rooms
together.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Final

import uvloop

from grevy.broker.addresses import AddressBook
from grevy.broker.cluster import Cluster, security_of
from grevy.broker.config import BrokerConfig, address_of
from grevy.broker.exporters import Exporters
from grevy.broker.folders import Folders
from grevy.broker.hosts import WHOLE, Share
from grevy.broker.membership import Plans
from grevy.broker.plans import open_plans
from grevy.broker.replicas import Replicas
from grevy.broker.router import Answer, Router
from grevy.broker.system import (
    DataLock,
    OsDisk,
    OsEntropy,
    SystemClock,
    check_room,
    log_to_standard_error,
    process_usage,
)
from grevy.engine import SentCommand
from grevy.exporting import check_exporter
from grevy.partition import StorageOptions
from grevy.protocol.errors import GrevyError
from grevy.protocol.messages import (
    BrokerInfo,
    ClusterRequest,
    PartitionInfo,
    ReplicaInfo,
    TopologyReply,
)
from grevy.transport import Server, ServerOptions

_log = logging.getLogger(__name__)

EXIT_FAILED: Final = 1

GC_THRESHOLD: Final = 100_000
"""Tracked objects before the collector looks at the young ones: some thousand requests."""


_NOT_COUNTED: Final = frozenset(
    {"id", "host", "term", "commit_index", "disk_free_bytes", "log_first_index"}
    | {"log_last_index", "state_applied_index"}
)
"""Numbers of a partition that name something."""


class CannotListen(GrevyError):
    """The broker's port or address cannot be had; the text says why."""


TakeFigures = Callable[[Mapping[str, object]], None]
"""Who is told figures, once they are there."""


class Broker:
    """One broker: its partitions, its socket, its exporters. Or one of its hosts, with its `share`;
    then `gather` asks the others for their figures too.
    """

    def __init__(
        self,
        config: BrokerConfig,
        loop: asyncio.AbstractEventLoop,
        share: Share = WHOLE,
        gather: Callable[[TakeFigures], None] | None = None,
    ) -> None:
        """Takes the port, then opens the logs. Raises `GrevyError`s and `OSError`."""
        self._config = config
        self._share = share
        self._loop = loop
        self._stopped = asyncio.Event()
        self._is_stopping = False
        self._is_removed = False
        self._failure: BaseException | None = None
        loop.set_exception_handler(self._on_unhandled)
        self._clock = clock = SystemClock()
        self._started_ns = clock.monotonic_ns()
        for exporter in config.exporters:
            check_exporter(exporter, clock)
        self._router = Router(
            lambda: self._replicas.partition_count,
            self._topology,
            gather or self._tell_status,
            self._ask_cluster,
        )
        self._server = self._listen()
        self._cluster: Cluster | None = None
        try:
            plans = open_plans(config, share)
            if config.is_of_cluster:
                self._cluster = self._join(plans)
            plan = plans.plan
            self._replicas = Replicas(
                *(config, None if plan is None else plan.current, loop, clock),
                folders=_folders(config, clock, share),
                entropy=OsEntropy(),
                post=self._post,
                send=None if self._cluster is None else self._cluster.send,
                on_lead=self._on_lead,
                on_failed=self._on_failed,
                share=share,
            )
        except (GrevyError, OSError):
            self._close_sockets()
            raise
        self._partitions = self._replicas.partitions
        self._exporters = Exporters(
            *(config.exporters, config.own_address(self._port), clock),
            environment=config.key_environment,
        )
        self._changes: set[asyncio.Task[None]] = set()
        self._moving = asyncio.Lock()

    @property
    def endpoint(self) -> str:
        """Where clients are told to connect, as host:port."""
        return self._config.client_address(self._port)

    @property
    def _port(self) -> int:
        """Where this broker listens, also where a free port was asked for."""
        return int(self._server.endpoint.rpartition(":")[2])

    async def start(self) -> None:
        """Ready for clients when it returns; raises what made a partition fail."""
        self._router.open(self._partitions, self._server)
        try:
            await self._replicas.start(self._server)
        except Exception:
            self._close_sockets()
            raise
        if self._cluster is not None:
            self._cluster.start(self._replicas)
        self._server.start()

    async def wait_led(self) -> None:
        """Until clients that ask here are told a leader of each partition."""
        if self._cluster is not None:
            await self._cluster.wait_led()

    @property
    def failure(self) -> BaseException | None:
        """What ended it, if that was no signal."""
        return self._failure

    @property
    def is_removed(self) -> bool:
        """Whether it has ended because it is no member of its cluster any more."""
        return self._is_removed

    def end(self) -> None:
        """Makes `run_until_stopped` stop, as a signal does."""
        self._stopped.set()

    async def run_until_stopped(
        self, signals: Iterable[int] = (signal.SIGINT, signal.SIGTERM)
    ) -> int:
        """Serves until a signal or a failure; the process's exit code."""
        for number in signals:
            self._loop.add_signal_handler(number, self._stopped.set)
        await self._stopped.wait()
        await self.stop()
        return EXIT_FAILED if self._failure is not None else 0

    async def stop(self) -> None:
        """Stops taking requests, lets what is in flight commit and be answered, closes the logs."""
        self._is_stopping = True
        await self._exporters.stop_all()
        self._router.close()
        if self._failure is None:
            await self._replicas.stop()
        self._close_sockets()

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
            "ports": self._ports(),
            "exporters": [report for reports in exporters for report in reports],
        }

    def _ports(self) -> list[dict[str, object]]:
        """What came in and what did not: at the clients' port, and between brokers."""
        ports: list[dict[str, object]] = [{"port": "clients", **asdict(self._server.statistics())}]
        if self._cluster is not None:
            ports.append({"port": "brokers", **asdict(self._cluster.statistics())})
        return ports

    def _tell_status(self, take: TakeFigures) -> None:
        take(self.status())

    def _join(self, plans: Plans) -> Cluster:
        """This broker's part in the cluster, all of whose brokers begin with the same plan."""
        return Cluster(
            *(self._loop, self._clock, OsEntropy(), self._config, plans),
            client_endpoint=f"tcp://{self.endpoint}",
            software=version("grevy"),
            addresses=self._address_book(),
            on_removed=self._on_removed,
            on_failed=self._on_failed,
            share=self._share,
        )

    def _address_book(self) -> AddressBook | None:
        """The first host's; the others meet it at its port."""
        if self._share.host or self._share.is_alone:
            return None
        return AddressBook(OsDisk(self._config.data))

    def _ask_cluster(self, request: ClusterRequest, answer: Answer) -> None:
        if self._cluster is None:
            answer(b"", "this broker is alone: it was started without contact points")
        else:
            self._cluster.requests.ask(request, answer)

    def _post(self, source_partition_id: int, sent: SentCommand) -> None:
        """A command of one partition to another; one that is led here takes it in a turn of its
        own.
        """
        partition = self._partitions.get(sent.partition_id)
        if partition is not None and partition.is_serving:
            partition.on_remote_command(sent.command, source_partition_id)
            self._loop.call_soon(partition.on_drained)
        elif self._cluster is not None:
            self._cluster.post(source_partition_id, sent)

    def _on_lead(self, partition_id: int, is_leading: bool) -> None:
        """A replica takes requests from now on, or no longer: so do its exporters."""
        if self._cluster is not None:
            self._cluster.tell_replicas()
        change = self._loop.create_task(self._move_exporters(partition_id))
        self._changes.add(change)
        change.add_done_callback(self._changes.discard)

    async def _move_exporters(self, partition_id: int) -> None:
        """They run where the leader is, as of now."""
        async with self._moving:
            await self._exporters.stop(partition_id)
            partition = self._partitions.get(partition_id)
            if partition is not None and partition.is_serving and not self._is_stopping:
                self._exporters.start(partition_id)

    def _close_sockets(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
        self._server.close()

    def _listen(self) -> Server:
        config = self._config
        endpoint = address_of(config.host, config.port)
        options = ServerOptions(is_insecure=config.insecure)
        security = security_of(config, config.client_keys) if config.has_client_keys else None
        try:
            return Server(
                *(self._loop, f"tcp://{endpoint}", self._router, options), security=security
            )
        except OSError as error:
            raise CannotListen(
                f"cannot listen at {endpoint}: {error.strerror}; "
                "another port can be given, 0 takes a free one"
            ) from error

    def _topology(self, number: int) -> TopologyReply:
        if self._cluster is not None:
            return self._cluster.topology(number)
        endpoint, release = f"tcp://{self.endpoint}", version("grevy")
        mine = self._partitions.values()
        leaders = tuple(PartitionInfo(one.partition_id, endpoint, one.term) for one in mine)
        replicas = tuple(
            ReplicaInfo(one.partition_id, one.role.value, one.term, one.last_position)
            for one in mine
        )
        brokers = (BrokerInfo(1, endpoint, release, True, replicas),)
        return TopologyReply(number, self._config.cluster_id, release, leaders, brokers)

    def _on_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A broken invariant ends the broker: what it would do next cannot be relied on."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        if isinstance(error, AssertionError):
            self._on_failed(error)

    def _on_removed(self) -> None:
        self._is_removed = True
        self._stopped.set()

    def _on_failed(self, error: BaseException) -> None:
        self._failure = error
        self._stopped.set()


def _folders(config: BrokerConfig, clock: SystemClock, share: Share) -> Folders:
    options = StorageOptions(
        checkpoint_period_s=config.checkpoint_period_s,
        exporter_log_bytes_max=config.exporter_log_max_mb * 1024 * 1024,
        disk_free_min_bytes=config.disk_free_min_mb * 1024 * 1024,
    )
    return Folders(config.data / "partitions", options, clock, share)


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
    check_room(config.data)
    with DataLock(config.data):
        broker = Broker(config, asyncio.get_running_loop())
        await broker.start()
        spare_the_collector()
        announce(broker)
        return await broker.run_until_stopped()


def spare_the_collector() -> None:
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
    log_to_standard_error()
    return uvloop.run(serve(config, announce))
