"""Figures of a whole broker: a client asks one host, and then all of them are asked for theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from grevy.broker.hosts import AllFigures, Figures, HostReport, ToHost, WantFigures

FIGURES_TIMEOUT_S: Final = 1.0
"""So long a host has to say how it is; one that is busy with something else is left out."""


class Asked(Protocol):
    """A host, as `watched_host.Host` is one."""

    @property
    def number(self) -> int:
        """Which one."""

    @property
    def report(self) -> HostReport:
        """How it is."""

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked."""

    def say(self, message: ToHost) -> None:
        """Tells it something; it may be lost."""


class Gathering:
    """The questions that are under way. `own` are the supervisor's figures."""

    def __init__(
        self,
        hosts: Sequence[Asked],
        own: Callable[[], dict[str, object]],
        timeout_s: float = FIGURES_TIMEOUT_S,
    ) -> None:
        self._hosts = hosts
        self._own = own
        self._timeout_s = timeout_s
        self._count = 0
        self._awaited: dict[tuple[int, int], asyncio.Future[dict[str, object]]] = {}
        self._answers: set[asyncio.Task[None]] = set()

    def ask(self, asking: Asked, number: int) -> None:
        """Asks all hosts, and tells the one that asks under its number."""
        answer = asyncio.get_running_loop().create_task(self._tell_all(asking, number))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    def take(self, host: Asked, message: Figures) -> None:
        """A host's answer, which may be late."""
        awaited = self._awaited.get((message.number, host.number))
        if awaited is not None and not awaited.done():
            awaited.set_result(message.figures)

    async def _tell_all(self, asking: Asked, number: int) -> None:
        self._count += 1
        places = [(self._count, host.number) for host in self._hosts if host.is_ready]
        futures = [asyncio.get_running_loop().create_future() for _ in places]
        self._awaited |= dict(zip(places, futures, strict=True))
        for host in self._hosts:
            if host.is_ready:
                host.say(WantFigures(self._count))
        if futures:
            await asyncio.wait(futures, timeout=self._timeout_s)
        figures = [
            {**future.result(), "host": place[1]}
            for place, future in zip(places, futures, strict=True)
            if future.done()
        ]
        for place in places:
            del self._awaited[place]
        reports = [host.report for host in self._hosts]
        asking.say(AllFigures(number, self._own(), reports, figures))
