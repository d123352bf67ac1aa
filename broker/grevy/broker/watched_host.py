"""The process of one host, watched, and started again when it dies; `host_life` says when."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from grevy.broker.host_life import HostLife
from grevy.broker.hosts import (
    LINE_BYTES_MAX,
    Failed,
    FromHost,
    HostOrder,
    HostReport,
    Ready,
    Removed,
    ToHost,
    decode_from_host,
    encode_line,
)
from grevy.broker.system import DataLock, SystemClock

_log = logging.getLogger(__name__)


class Host:
    """One host's process, and the next one.

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
        self._life = HostLife(self.number)
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    @property
    def report(self) -> HostReport:
        """How it is."""
        return self._life.report

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests now."""
        return self.report.process == "running"

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
        self._life.told_to_end()
        self._ending.set()
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> None:
        """Until it has ended."""
        if self._watching is not None:
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        loop, life = asyncio.get_running_loop(), self._life
        while True:
            life.attempt(loop.time())
            how = await self._run_once()
            pause_s = life.ended(how, loop.time(), self._clock.now_ms())
            if pause_s is None:
                if life.is_lost:
                    self._on_lost(self)
                return
            _log.error(
                "host %d has ended, starts again in %.1f s: %s",
                *(self.number, pause_s, life.report.last_error),
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._ending.wait()
                    return

    def _on_watched(self, watching: asyncio.Task[None]) -> None:
        """What cannot be watched any more is lost."""
        if not watching.cancelled() and (error := watching.exception()) is not None:
            _log.critical("cannot watch over host %d", self.number, exc_info=error)
            self._life.unwatched(repr(error))
            self._on_lost(self)

    async def _run_once(self) -> str:
        """The process from its start to its end; how it ended."""
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
        self._life.began(process.pid)
        if self._ending.is_set():
            process.terminate()
        self.say(self._order)
        assert process.stdout is not None
        async for line in process.stdout:
            self._take(decode_from_host(line))
        return _how_it_ended(await process.wait())

    def _take(self, message: FromHost) -> None:
        self._life.heard(message)
        match message:
            case Ready(endpoint=endpoint):
                if self.report.starts > 1:
                    _log.info("host %d is ready again, at %s", self.number, endpoint)
                self.ready.set()
            case Failed():
                pass  # it is about to end
            case Removed():
                self._ending.set()
                self._on_message(self, message)
            case _:
                self._on_message(self, message)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"ended by {signal.Signals(-code).name}"
