"""`grevy top`: a live table of a broker's figures and how fast they grow."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rich.live import Live
from rich.table import Table

from grevy.broker.cli.output import Output
from grevy.client import Client


def rates(
    before: Mapping[str, object], now: Mapping[str, object], seconds: float
) -> list[tuple[str, object, str]]:
    """Each figure with how much it grew a second; texts and what stood still have no rate."""
    rows: list[tuple[str, object, str]] = []
    for name, value in sorted(now.items()):
        old = before.get(name)
        rate = ""
        if isinstance(value, int | float) and isinstance(old, int | float) and value != old:
            rate = f"{(value - old) / seconds:+,.1f}/s"
        rows.append((name, value, rate))
    return rows


async def show_top(client: Client, output: Output, *, interval: float, count: int) -> None:
    """Looks at the broker every `interval` seconds, `count` times (0: until it is interrupted)."""
    before = await client.status()
    looks = 0
    with Live(console=output.console, auto_refresh=False, transient=output.as_json) as live:
        while count == 0 or looks < count:
            await asyncio.sleep(interval)
            now = await client.status()
            if output.as_json:
                output.result(now, "")
            else:
                live.update(_table(rates(before, now, interval)), refresh=True)
            before = now
            looks += 1


def _table(rows: list[tuple[str, object, str]]) -> Table:
    table = Table("figure", "value", "rate", box=None, header_style="bold")
    table.columns[1].justify = "right"
    table.columns[2].justify = "right"
    for name, value, rate in rows:
        shown = f"{value:,}" if isinstance(value, int | float) else str(value)
        table.add_row(name, shown, rate)
    return table
