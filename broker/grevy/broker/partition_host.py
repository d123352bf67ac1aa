"""The process of one partition host: a broker's composition, with a share of its replicas.

`python -m grevy.broker.partition_host` reads what it is to be from its standard input (see
`hosts`), and stops when that closes, or is killed at once where the system can do that: a host does
not outlive its supervisor. What it has to say to it goes to its standard output.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import BinaryIO, Final

import msgspec
import uvloop

from grevy.broker.hosts import (
    LINE_BYTES_MAX,
    AllFigures,
    AskFigures,
    Failed,
    Figures,
    FromHost,
    HostOrder,
    Ready,
    Removed,
    WantFigures,
    decode_to_host,
    encode_line,
)
from grevy.broker.server import (
    EXIT_FAILED,
    Broker,
    TakeFigures,
    spare_the_collector,
    totals,
)
from grevy.broker.system import (
    die_with_parent,
    keep_from_children,
    log_to_standard_error,
    take_standard_output,
)
from grevy.cluster import MembershipConflict
from grevy.protocol.errors import GrevyError

_log = logging.getLogger(__name__)

GATHER_TIMEOUT_S: Final = 2.0
"""So long the supervisor has for the figures of all; then a client gets those of this host."""


class SupervisorLine:
    """What this host and its supervisor say to each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: dict[int, TakeFigures] = {}
        self._count = 0
        self._broker: Broker | None = None

    async def order(self) -> HostOrder | None:
        """What to be; None when the supervisor has ended."""
        line = await self._reader.readline()
        if not line:
            return None
        order = decode_to_host(line)
        assert isinstance(order, HostOrder), order
        return order

    def say(self, message: FromHost) -> None:
        """Tells the supervisor, which may be gone."""
        self._writer.write(encode_line(message))

    def gather(self, take: TakeFigures) -> None:
        """Has `take` told the figures of the whole broker."""
        self._count += 1
        number = self._count
        self._asked[number] = take
        self.say(AskFigures(number))
        asyncio.get_running_loop().call_later(GATHER_TIMEOUT_S, self._give_up, number)

    async def listen(self, broker: Broker) -> None:
        """Answers the supervisor; returns when it has ended."""
        self._broker = broker
        while line := await self._reader.readline():
            match decode_to_host(line):
                case WantFigures(number=number):
                    self.say(Figures(number, broker.status()))
                case AllFigures() as found:
                    take = self._asked.pop(found.number, None)
                    if take is not None:
                        take(joined(found))
                case HostOrder():
                    raise AssertionError("a host is told once what to be")

    def _give_up(self, number: int) -> None:
        take = self._asked.pop(number, None)
        if take is not None and self._broker is not None:
            _log.warning("the supervisor did not say how the other hosts are")
            take(self._broker.status())


def joined(found: AllFigures) -> dict[str, object]:
    """The figures of a broker, from those of its hosts: as if it were one process, and beside that
    how each host is.
    """
    by_host = {one["host"]: one for one in found.figures}
    partitions = _all(found, "partitions")
    partitions.sort(key=lambda each: int(str(each["id"])))
    hosts = []
    for report in found.hosts:
        figures = by_host.get(report.host, {})
        used = {name: figures.get(name, 0) for name in ("cpu_s", "memory_bytes")}
        ids = [each["id"] for each in partitions if each["host"] == report.host]
        hosts.append({**msgspec.to_builtins(report), **used, "partitions": ids})
    usage = {
        name: round(sum(float(str(one.get(name, 0))) for one in (found.own, *found.figures)), 3)
        for name in ("cpu_s", "memory_bytes")
    }
    return {
        **found.own,
        "cpu_s": usage["cpu_s"],
        "memory_bytes": int(usage["memory_bytes"]),
        **totals(partitions),
        "partitions": partitions,
        "ports": _all(found, "ports"),
        "exporters": _all(found, "exporters"),
        "hosts": hosts,
    }


def _all(found: AllFigures, name: str) -> list[dict[str, object]]:
    """A list of each host's figures, put together, with the host of each item."""
    items: list[dict[str, object]] = []
    for figures in found.figures:
        listed = figures[name]
        assert isinstance(listed, list), listed
        items += [{**one, "host": figures["host"]} for one in listed]
    return items


async def run_host(line: SupervisorLine) -> int:
    """The host, from its order to its end; the exit code."""
    order = await line.order()
    if order is None or not die_with_parent(order.supervisor_pid):
        return EXIT_FAILED
    keep_from_children(order.lock_fd)
    log_to_standard_error(f"host {order.share.host}: ")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, _leave_it_to_the_supervisor)
    try:
        broker = Broker(order.config, loop, order.share, line.gather)
        await broker.start()
    except GrevyError as error:
        line.say(Failed(str(error), is_final=isinstance(error, MembershipConflict)))
        return EXIT_FAILED
    except OSError as error:
        line.say(Failed(f"{error.filename or order.config.data}: {error.strerror}"))
        return EXIT_FAILED
    spare_the_collector()
    listening = loop.create_task(line.listen(broker))
    listening.add_done_callback(lambda _: broker.end())
    serving = loop.create_task(broker.run_until_stopped((signal.SIGTERM,)))
    if order.share.is_alone:
        led = loop.create_task(broker.wait_led())
        await asyncio.wait([led, serving], return_when=asyncio.FIRST_COMPLETED)
        led.cancel()
    if not serving.done():
        line.say(Ready(broker.endpoint))
    code = await serving
    if broker.failure is not None:
        is_final = isinstance(broker.failure, MembershipConflict)
        line.say(Failed(str(broker.failure) or repr(broker.failure), is_final))
    if broker.is_removed:
        line.say(Removed())
    return code


def _leave_it_to_the_supervisor() -> None:
    """Ctrl-C reaches all processes of a terminal at once; hosts stop when they are told to."""


async def _main(reports: BinaryIO) -> int:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, reports)
    try:
        return await run_host(SupervisorLine(reader, writer))
    finally:
        writer.close()


def main() -> None:
    """The process."""
    sys.exit(uvloop.run(_main(take_standard_output())))


if __name__ == "__main__":
    main()
