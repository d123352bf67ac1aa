"""`grevy top`: a live table of a broker's figures and how fast they grow."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from grevy.broker.cli.figures import FIGURES, Figures, amount, details, headline, table_of
from grevy.broker.cli.output import Output
from grevy.client import Client, ClientError

HISTORY: Final = 30
"""Looks that the little curves go back."""

PATIENCE_S: Final = 2.0
"""After so long without an answer it is said that there is none."""

_BARS: Final = "▁▂▃▄▅▆▇█"


def rates(before: Figures, now: Figures, seconds: float) -> dict[str, float]:
    """How much each number grew a second; none of a broker that was started anew meanwhile, or a
    host of it.
    """
    if _processes(before) != _processes(now) or seconds <= 0:
        return {}
    found = {}
    for name, value in now.items():
        old = before.get(name)
        if isinstance(value, int | float) and isinstance(old, int | float):
            found[name] = (value - old) / seconds
    return found


def _processes(figures: Figures) -> list[object]:
    """The processes whose numbers these are; one that is busy may be missing."""
    hosts = figures.get("hosts")
    listed = hosts if isinstance(hosts, list) else []
    return [figures.get("pid"), *((each["pid"], bool(each["partitions"])) for each in listed)]


def curve(numbers: Sequence[float]) -> str:
    """Numbers from the oldest to the newest as a line of small bars; the highest is full."""
    highest = max(numbers, default=0)
    steps = len(_BARS) - 1 if highest > 0 else 0
    return "".join(_BARS[round(max(number, 0) / (highest or 1) * steps)] for number in numbers)


class Watch:
    """What is on the screen: the last look, and how it came to that."""

    def __init__(self) -> None:
        self._history: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=HISTORY))
        self._last: tuple[Figures, float] | None = None

    def look(self, figures: Figures, now_s: float) -> RenderableType:
        """Takes new figures; what to draw of them."""
        grown: dict[str, float] = {}
        if self._last is not None:
            before, before_s = self._last
            grown = rates(before, figures, now_s - before_s)
        self._last = figures, now_s
        table = table_of("figure", "now", "a second", "lately")
        for figure in FIGURES:
            value = figures.get(figure.name)
            rate = grown.get(figure.name) if figure.is_counter else None
            seen = rate if figure.is_counter else value
            history = self._history[figure.name]
            if isinstance(seen, int | float):
                history.append(seen)
            shown = figure.rate_text(rate) if rate else ""
            table.add_row(figure.label, amount(value), shown, curve(list(history)))
        table.columns[3].justify = "left"
        return Group(headline(figures), "", table, *details(figures))


async def show_top(client: Client, output: Output, *, interval: float, count: int) -> None:
    """Looks at the broker every `interval` seconds, `count` times (0: until it is interrupted)."""
    looks = 0
    if output.as_json:
        while True:
            output.result(await client.status(), "")
            looks += 1
            if looks == count:
                return
            await asyncio.sleep(interval)
    loop = asyncio.get_running_loop()
    watch = Watch()
    drawn: RenderableType = ""
    console = output.console
    try:
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        drawn = watch.look(await client.status(), loop.time())
                    live.update(drawn, refresh=True)
                    looks += 1
                except (ClientError, TimeoutError):  # it may be starting anew
                    missing = Text("the broker does not answer, looking for it …", "red")
                    live.update(Group(missing, "", drawn), refresh=True)
                if looks == count > 0:
                    return
                await asyncio.sleep(interval)
    finally:
        if console.is_terminal:  # the other screen took the last look with it
            console.print(drawn)
