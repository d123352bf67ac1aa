"""A broker's figures as tables: what `grevy status` and `grevy top` draw."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Figures = Mapping[str, object]
"""What `Client.status` gives."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that people look at; a counter only grows, and how fast is what matters."""

    name: str
    label: str
    is_counter: bool = True
    unit: str = ""

    def rate_text(self, rate: float) -> str:
        """How fast it grows."""
        return f"{rate:.0%}" if self.unit == "s" else f"{rate:,.1f}"


FIGURES: Final = (
    Figure("records", "records"),
    Figure("commands_processed", "commands"),
    Figure("in_flight", "commands in flight", is_counter=False),
    Figure("jobs_leased", "jobs in workers' hands", is_counter=False),
    Figure("log_bytes", "log, bytes"),
    Figure("log_segments", "log, files", is_counter=False),
    Figure("log_flushes", "log, flushes"),
    Figure("cpu_s", "processor, seconds", unit="s"),
    Figure("memory_bytes", "memory, bytes", is_counter=False),
)
"""In the order in which they are shown; programs get all that there are."""

PORT_FIGURES: Final = {
    "denied": "handshakes refused here: keys that are not listed",
    "turned_away": "handshakes that other brokers ended: see this broker's log",
    "foreign": "messages of another cluster",
    "malformed": "messages that cannot be read",
    "cut_off": "connections ended here",
    "late": "messages that were late",
}
"""What is wrong where it is not 0; programs get all that there are."""

_CREDIT: Final = "credit of "
_ERROR_CHARS_MAX: Final = 120


def headline(figures: Figures) -> Text:
    """Which broker it is, and how it is."""
    return Text.assemble(
        (f"grevy {figures.get('version')}", "bold"),
        f" at {figures.get('endpoint')}, process {figures.get('pid')}, ",
        f"up {duration(_number(figures.get('uptime_s')))}\n",
        (f"data in {figures.get('data')}", "dim"),
    )


def draw_status(figures: Figures) -> RenderableType:
    """All of it, for one look."""
    table = table_of("figure", "value")
    for figure in FIGURES:
        table.add_row(figure.label, amount(figures.get(figure.name)))
    return Group(headline(figures), "", table, *details(figures))


def details(figures: Figures) -> list[RenderableType]:
    """Tables of the partitions, and of hosts, what ports refused, job topics and exporters, where
    there are any.
    """
    parts: list[RenderableType] = []
    hosts = figures.get("hosts")
    if isinstance(hosts, list):
        parts += ["", _hosts(hosts)]
    partitions = figures.get("partitions")
    if isinstance(partitions, list):
        parts += ["", _partitions(partitions)]
    ports = figures.get("ports")
    troubles = _port_troubles(ports) if isinstance(ports, list) else []
    if troubles:
        table = table_of("port of", "times")
        table.add_column("what")
        for row in troubles:
            table.add_row(*row)
        parts += ["", table]
    topics = {n.removeprefix(_CREDIT): v for n, v in figures.items() if n.startswith(_CREDIT)}
    if topics:
        table = table_of("job topic", "jobs that workers would take")
        for topic, credit in sorted(topics.items()):
            table.add_row(Text(topic), amount(credit))
        parts += ["", table]
    exporters = figures.get("exporters")
    if isinstance(exporters, list) and exporters:
        parts += ["", _exporters(exporters)]
    return parts


def _port_troubles(ports: list[object]) -> list[tuple[str, str, str]]:
    """What is worth a look: whose port, how often, what."""
    counts: Counter[tuple[str, str]] = Counter()
    for port in ports:
        if isinstance(port, dict):  # each host has ports of its own
            for name in PORT_FIGURES:
                counts[str(port["port"]), name] += int(_number(port.get(name)))
    return [
        (port, amount(count), PORT_FIGURES[name]) for (port, name), count in counts.items() if count
    ]


def table_of(first: str, *others: str) -> Table:
    """A table whose first column names, and whose others are numbers."""
    table = Table(first, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in others:
        table.add_column(column, justify="right")
    return table


def amount(value: object) -> str:
    """A number with its thousands apart; texts as they are."""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def duration(seconds: float) -> str:
    """A span of time in its two largest units."""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    said = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(said[:2]) or "0 s"


def _hosts(hosts: list[object]) -> Table:
    table = table_of("host", "process", "at", "partitions", "cpu, s", "memory", "last error")
    for column in (1, 2, 3, 6):
        table.columns[column].justify = "left"
    for host in hosts:
        if isinstance(host, dict):
            is_running = host["process"] == "running"
            state = f"running ({host['pid']})" if is_running else str(host["process"])
            ids = ", ".join(map(str, host["partitions"]))
            table.add_row(
                *(str(host["host"]), Text(state, "green" if is_running else "red")),
                *(str(host["endpoint"]), ids, amount(host["cpu_s"]), amount(host["memory_bytes"])),
                _past_error(host),
            )
    return table


def _partitions(partitions: list[object]) -> Table:
    table = table_of("partition", "role", "led by", "term", "records", "in flight", "log, bytes")
    table.columns[1].justify = table.columns[2].justify = "left"
    for partition in partitions:
        if isinstance(partition, dict):
            names = ("term", "records", "in_flight", "log_bytes")
            table.add_row(
                *(amount(partition.get("id")), str(partition.get("role"))),
                f"broker {partition['leader']}" if partition.get("leader") else "nobody",
                *(amount(partition.get(name)) for name in names),
            )
    return table


def _exporters(exporters: list[object]) -> Table:
    table = table_of("exporter", "of", "process", "position", "lag", "lost", "last error")
    table.columns[2].justify = table.columns[6].justify = "left"
    for exporter in exporters:
        if isinstance(exporter, dict):
            table.add_row(
                Text(str(exporter["id"])),
                amount(exporter["partition"]),
                _process(exporter),
                *(amount(exporter[name]) for name in ("position", "lag", "lost_records")),
                _error(exporter),
            )
    return table


def _process(exporter: dict[str, object]) -> Text:
    state = str(exporter["process"])
    if state == "running":
        return Text(f"{exporter['phase'] or 'starting'} ({exporter['pid']})", "green")
    starts = _number(exporter["starts"])
    return Text(state + (f" after start {starts:.0f}" if starts else ""), "red" if starts else "")


def _error(exporter: dict[str, object]) -> Text:
    """What fails now, in red; else what failed last, and how long ago."""
    if exporter["error"]:
        attempts = _number(exporter["attempts"])
        often = f" ({attempts:.0f} times)" if attempts > 1 else ""
        return Text(_short(str(exporter["error"])) + often, "red")
    return _past_error(exporter)


def _past_error(one: dict[str, object]) -> Text:
    if not one["last_error"]:
        return Text("")
    ago = duration(time.time() - _number(one["last_error_at"]) / 1000)
    return Text(f"{ago} ago: {_short(str(one['last_error']))}", "dim")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _ERROR_CHARS_MAX else line[:_ERROR_CHARS_MAX] + "…"


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0
