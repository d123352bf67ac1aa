"""A broker of several processes: the supervisor of its partition hosts.

    client ─▶ host 0 ─┐                     supervisor ──starts, watches, stops──▶ hosts
    client ─▶ host 1 ─┼─ links, gossip ─▶ other hosts, other brokers
    client ─▶ host 2 ─┘

Each host has its own share of the replicas, its own sockets, and is a member of the cluster. The
supervisor holds the folder's lock and the ports, and starts again what dies; requests never pass
through it. Its end is the hosts' end.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Final

from grevy.broker.config import EVERYWHERE, BrokerConfig
from grevy.broker.gathering import Gathering
from grevy.broker.hosts import (
    AskFigures,
    Failed,
    Figures,
    FromHost,
    HostOrder,
    Ready,
    Removed,
    Share,
)
from grevy.broker.system import (
    DataInUse,
    DataLock,
    KeptPorts,
    SystemClock,
    log_to_standard_error,
    process_usage,
)
from grevy.broker.watched_host import Host
from grevy.protocol.errors import GrevyError

_log = logging.getLogger(__name__)

LOCK_PATIENCE_S: Final = 3.0
"""A supervisor that was killed takes its hosts with it, but a moment later than itself."""

LOCK_PAUSE_S: Final = 0.02
LOOPBACK: Final = "127.0.0.1"
EXIT_FAILED: Final = 1


class HostLost(GrevyError):
    """A host has ended, and would again; the text says why."""


class Supervisor:
    """All hosts of a broker. Make it in the loop that runs it."""

    def __init__(self, config: BrokerConfig, lock: DataLock, ports: KeptPorts) -> None:
        """Raises `OSError` where there are no free ports."""
        self._config = config
        self._clock = clock = SystemClock()
        self._started_ns = clock.monotonic_ns()
        self._lost: Host | None = None
        self._over = asyncio.Event()
        self._hosts = [
            Host(order, lock, clock, on_message=self._on_message, on_lost=self._on_lost)
            for order in orders_of(config, ports, lock.fd)
        ]
        self._gathering = Gathering(self._hosts, self._own_figures)

    @property
    def endpoint(self) -> str:
        """Where clients connect, as host:port: the first host tells of the others."""
        return self._hosts[0].report.endpoint

    async def start(self) -> bool:
        """All at once; True when they are ready, False when it was told to stop meanwhile. Raises
        `HostLost` when one of them ends instead; then none is left.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop)
        for host in self._hosts:
            host.start()
        waiting = [asyncio.ensure_future(each) for each in (self._wait_ready(), self._over.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
        if self._lost is not None:
            await self._end_all()
            raise HostLost(self._lost.report.last_error)
        return not self._over.is_set()

    async def run_until_stopped(self) -> int:
        """Watches over them until a signal, or the end of one that cannot go on; the exit code."""
        await self._over.wait()
        await self._end_all()
        lost = self._lost
        if lost is None:
            return 0
        _log.critical("host %d cannot go on: %s", lost.number, lost.report.last_error)
        return EXIT_FAILED

    async def _wait_ready(self) -> bool:
        for host in self._hosts:
            await host.ready.wait()
        return True

    def _stop(self) -> None:
        """Told once, hosts let what is in flight commit; told again, they end at once."""
        if self._over.is_set():
            for host in self._hosts:
                host.end(signal.SIGKILL)
        self._over.set()

    async def _end_all(self) -> None:
        for host in self._hosts:
            host.end(signal.SIGTERM)
        await asyncio.gather(*(host.wait() for host in self._hosts))

    def _on_lost(self, host: Host) -> None:
        self._lost = self._lost or host
        self._over.set()

    def _on_message(self, host: Host, message: FromHost) -> None:
        match message:
            case AskFigures(number=number):
                self._gathering.ask(host, number)
            case Figures():
                self._gathering.take(host, message)
            case Removed():
                self._over.set()
            case Ready() | Failed():
                raise AssertionError("a host's own")

    def _own_figures(self) -> dict[str, object]:
        return {
            "endpoint": self.endpoint,
            "version": version("grevy"),
            "pid": os.getpid(),
            "data": str(self._config.data.resolve()),
            "uptime_s": (self._clock.monotonic_ns() - self._started_ns) // 1_000_000_000,
            **process_usage(),
        }


def orders_of(config: BrokerConfig, ports: KeptPorts, lock_fd: int) -> list[HostOrder]:
    """What each host of a broker is to be. Their ports follow the first one's; where that is any,
    and where no other broker has to know it, they are free ones that are kept.
    """
    hosts, is_alone = config.hosts, not config.is_of_cluster
    if is_alone:
        config = replace(
            config,
            cluster_host=LOOPBACK,
            advertised_cluster_host=LOOPBACK,
            cluster_port=0,
            advertised_cluster_port=0,
        )
    cluster_ports = [_port_of(config.cluster_port, host, LOOPBACK, ports) for host in range(hosts)]
    here = LOOPBACK if config.cluster_host in EVERYWHERE else config.cluster_host
    siblings = [f"{here}:{port}" for port in cluster_ports]
    orders = []
    for host in range(hosts):
        settings = replace(
            config,
            port=_port_of(config.port, host, config.host, ports),
            cluster_port=cluster_ports[host],
            advertised_port=_next_port(config.advertised_port, host),
            advertised_cluster_port=_next_port(config.advertised_cluster_port, host),
            contact_points=",".join([*config.contacts, *siblings]),
        )
        share = Share(host, hosts, config.cluster_size, is_alone)
        orders.append(HostOrder(share, os.getpid(), lock_fd, settings))
    return orders


def _port_of(first: int, host: int, address: str, ports: KeptPorts) -> int:
    return _next_port(first, host) or ports.take(address)


def _next_port(first: int, host: int) -> int:
    """A host's port; 0 where the first one's is not given."""
    return first + host if first else 0


async def lock_folder(config: BrokerConfig) -> DataLock:
    """The lock of the broker's folder, which hosts of one before may hold a moment longer. Raises
    `DataInUse` and `OSError`.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + LOCK_PATIENCE_S
    while True:
        try:
            return DataLock(config.data)
        except DataInUse:
            if loop.time() > end:
                raise
        await asyncio.sleep(LOCK_PAUSE_S)


async def supervise(config: BrokerConfig, announce: Callable[[str], None]) -> int:
    """Runs a broker's hosts until it is told to stop; the exit code."""
    ports = KeptPorts()
    try:
        with await lock_folder(config) as lock:
            supervisor = Supervisor(config, lock, ports)
            if await supervisor.start():
                announce(supervisor.endpoint)
            return await supervisor.run_until_stopped()
    finally:
        ports.close()


def run_supervisor(config: BrokerConfig, announce: Callable[[str], None]) -> int:
    """`grevy broker --hosts N`: serves in the foreground, `announce`d with the endpoint when it is
    ready; the exit code.

    Raises `GrevyError`s and `OSError` when it cannot start.
    """
    log_to_standard_error("supervisor: ")
    return asyncio.run(supervise(config, announce))
