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
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Final

import msgspec

from grevy.broker.config import EVERYWHERE, BrokerConfig
from grevy.broker.hosts import (
    LINE_BYTES_MAX,
    AllFigures,
    AskFigures,
    Failed,
    Figures,
    FromHost,
    HostOrder,
    HostReport,
    Ready,
    Removed,
    Share,
    ToHost,
    WantFigures,
    decode_from_host,
    encode_line,
)
from grevy.broker.system import (
    DataInUse,
    DataLock,
    KeptPorts,
    SystemClock,
    log_to_standard_error,
    process_usage,
)
from grevy.protocol.errors import GrevyError

_log = logging.getLogger(__name__)

PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 30.0
"""Between two starts of a host that keeps dying: doubles up to here."""

STEADY_S: Final = 60.0
"""One that lived so long was well: its next pause is the shortest again."""

FIGURES_TIMEOUT_S: Final = 1.0
"""So long a host has to say how it is; one that is busy with something else is left out."""

LOCK_PATIENCE_S: Final = 3.0
"""A supervisor that was killed takes its hosts with it, but a moment later than itself."""

LOCK_PAUSE_S: Final = 0.02
LOOPBACK: Final = "127.0.0.1"
EXIT_FAILED: Final = 1


class HostLost(GrevyError):
    """A host has ended, and would again; the text says why."""


class Host:
    """The process of one host, watched, and started again when it dies.

    `on_message` hears what it says but for how it begins and ends; `on_lost` when it is not worth
    another try: it has never been ready, or what it says is final.
    """

    def __init__(
        self,
        order: HostOrder,
        lock: DataLock,
        clock: SystemClock,
        *,
        on_message: Callable[[Host, FromHost], None],
        on_lost: Callable[[Host], None],
    ) -> None:
        self.number: Final = order.share.host
        self._order = order
        self._lock = lock
        self._clock = clock
        self._on_message = on_message
        self._on_lost = on_lost
        self.ready: Final = asyncio.Event()
        """Set when it has been ready once."""
        self._report = HostReport(self.number, "down")
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._failure = Failed("")
        self._ending = asyncio.Event()

    @property
    def report(self) -> HostReport:
        """How it is."""
        return self._report

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests now."""
        return self._report.process == "running"

    def start(self) -> None:
        """Begins to run it."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        self._watching.add_done_callback(self._on_watched)

    def say(self, message: ToHost) -> None:
        """Tells it something; lost when it has just ended."""
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.write(encode_line(message))

    def end(self, number: signal.Signals) -> None:
        """Sends it a signal, and does not start it again."""
        self._ending.set()
        if self._process is not None and self._process.returncode is None:
            self._note(process="stopping")
            self._process.send_signal(number)

    async def wait(self) -> None:
        """Until it has ended."""
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pause = PAUSE_MIN_S
        while True:
            began = loop.time()
            how = await self._run_once()
            if self._ending.is_set():
                self._note(process="down", pid=0)
                return
            error = self._failure.error or how
            now_ms = self._clock.now_ms()
            self._note(process="down", pid=0, last_error=error, last_error_at=now_ms)
            if self._failure.is_final or not self.ready.is_set():
                self._on_lost(self)
                return
            if loop.time() - began > STEADY_S:
                pause = PAUSE_MIN_S
            _log.error("host %d has ended, starts again in %.1f s: %s", self.number, pause, error)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._ending.wait()
                    return
            pause = min(2 * pause, PAUSE_MAX_S)

    def _on_watched(self, watching: asyncio.Task[None]) -> None:
        """What cannot be watched any more is lost."""
        if not watching.cancelled() and (error := watching.exception()) is not None:
            _log.critical("cannot watch over host %d", self.number, exc_info=error)
            self._note(process="down", last_error=repr(error))
            self._on_lost(self)

    async def _run_once(self) -> str:
        """The process from its start to its end; how it ended."""
        self._failure = Failed("")
        pipe = asyncio.subprocess.PIPE
        # The number is for those who look at the list of processes.
        module, name = "grevy.broker.partition_host", f"host-{self.number}"
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, name),
                stdin=pipe,
                stdout=pipe,
                pass_fds=(self._lock.fd,),
                limit=LINE_BYTES_MAX,
            )
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        self._note(process="starting", pid=process.pid, starts=self._report.starts + 1)
        if self._ending.is_set():
            process.terminate()
        self.say(self._order)
        assert process.stdout is not None
        async for line in process.stdout:
            self._take(decode_from_host(line))
        return _how_it_ended(await process.wait())

    def _take(self, message: FromHost) -> None:
        match message:
            case Ready(endpoint=endpoint):
                if self._report.starts > 1:
                    _log.info("host %d is ready again, at %s", self.number, endpoint)
                self._note(process="running", endpoint=endpoint)
                self.ready.set()
            case Failed():
                self._failure = message
            case Removed():
                self._ending.set()
                self._on_message(self, message)
            case _:
                self._on_message(self, message)

    def _note(self, **changes: str | int) -> None:
        self._report = msgspec.structs.replace(self._report, **changes)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"ended by {signal.Signals(-code).name}"


class Supervisor:
    """All hosts of a broker. Make it in the loop that runs it."""

    def __init__(self, config: BrokerConfig, lock: DataLock, ports: KeptPorts) -> None:
        """Raises `OSError` where there are no free ports."""
        self._config = config
        self._clock = clock = SystemClock()
        self._started_ns = clock.monotonic_ns()
        self._lost: Host | None = None
        self._over = asyncio.Event()
        self._count = 0
        self._awaited: dict[tuple[int, int], asyncio.Future[dict[str, object]]] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._hosts = [
            Host(order, lock, clock, on_message=self._on_message, on_lost=self._on_lost)
            for order in orders_of(config, ports, lock.fd)
        ]

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

    # ── figures ───────────────────────────────────────────────────────────────────────────────────

    def _on_message(self, host: Host, message: FromHost) -> None:
        match message:
            case AskFigures(number=number):
                answer = asyncio.get_running_loop().create_task(self._tell_all(host, number))
                self._answers.add(answer)
                answer.add_done_callback(self._answers.discard)
            case Figures(number=number, figures=figures):
                awaited = self._awaited.get((number, host.number))
                if awaited is not None and not awaited.done():
                    awaited.set_result(figures)
            case Removed():
                self._over.set()
            case Ready() | Failed():
                raise AssertionError("a host's own")

    async def _tell_all(self, asking: Host, number: int) -> None:
        """Asks all hosts for their figures, and tells the one that asks."""
        self._count += 1
        places = [(self._count, host.number) for host in self._hosts if host.is_ready]
        futures = [asyncio.get_running_loop().create_future() for _ in places]
        self._awaited |= dict(zip(places, futures, strict=True))
        for host in self._hosts:
            if host.is_ready:
                host.say(WantFigures(self._count))
        if futures:
            await asyncio.wait(futures, timeout=FIGURES_TIMEOUT_S)
        figures = [
            {**future.result(), "host": place[1]}
            for place, future in zip(places, futures, strict=True)
            if future.done()
        ]
        for place in places:
            del self._awaited[place]
        reports = [host.report for host in self._hosts]
        asking.say(AllFigures(number, self._own_figures(), reports, figures))

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
