"""A TCP proxy that makes a bad network of a good one: delay, broken connections, and cuts in one
direction or both; all that is left to chance comes from a seed.

    source ──▶ Proxy ──FORWARD──▶ target
           ◀─────────BACKWARD────

A cut does not close connections: bytes wait, as they do in the buffers of a kernel whose packets
are lost, and come late when it is healed. `break_connections` is what a reset does. What chance
decides (delays, when connections break) is the seed's; when bytes arrive is the machine's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Self

CHUNK_BYTES: Final = 64 * 1024


class Direction(Enum):
    """Which way bytes go."""

    FORWARD = "from the source to the target"
    BACKWARD = "from the target to the source"


@dataclass(frozen=True, slots=True)
class Faults:
    """What a proxy does all the time. Spans in seconds."""

    delay_s_min: float = 0.0
    delay_s_max: float = 0.0
    """What comes in one piece waits for a time between these; the order stays."""
    lasting_s_mean: float = 0.0
    """A connection breaks after a time with this mean (exponential); 0: never."""


class Proxy:
    """Listens at `port`, and leads to a target.

    async with Proxy("127.0.0.1", 26601, seed=7) as proxy: ...
    """

    def __init__(self, host: str, port: int, *, seed: int, faults: Faults | None = None) -> None:
        self._target = (host, port)
        self._chance = Random(seed)
        self.faults = faults or Faults()
        self._open = {direction: asyncio.Event() for direction in Direction}
        for gate in self._open.values():
            gate.set()
        self._is_refusing = False
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        """Where it listens, on loopback."""
        self.broken = 0
        """Connections that the proxy has broken."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        connections = list(self._connections)
        self.break_connections()
        await asyncio.gather(*connections, return_exceptions=True)

    def cut(self, *directions: Direction) -> None:
        """Lets nothing through in these directions (both, if none is named) until `heal`. New
        connections can be made, and hear nothing.
        """
        for direction in directions or Direction:
            self._open[direction].clear()

    def refuse(self) -> None:
        """Breaks all connections, and takes no new ones until `heal`."""
        self._is_refusing = True
        self.break_connections()

    def heal(self) -> None:
        """Lets everything through; what was held comes first."""
        self._is_refusing = False
        for gate in self._open.values():
            gate.set()

    def break_connections(self) -> None:
        """Closes all connections, with what is on its way in them."""
        for connection in self._connections:
            connection.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._is_refusing:
            writer.transport.abort()
            return
        lasting_s = self._lasting_s()
        chances = [Random(self._chance.getrandbits(64)) for _ in Direction]
        self._connections.add(task)
        try:
            async with asyncio.timeout(lasting_s):
                await self._join(reader, writer, chances)
        except (TimeoutError, asyncio.CancelledError):
            self.broken += 1
        except OSError:
            pass  # one of the two ends is gone, and so is the other then
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chances: list[Random]
    ) -> None:
        there, back = await asyncio.open_connection(*self._target)
        try:
            async with asyncio.TaskGroup() as pumps:
                ways = ((reader, back), (there, writer))
                for direction, way, chance in zip(Direction, ways, chances, strict=True):
                    pumps.create_task(self._pump(direction, *way, chance))
        except* OSError as errors:
            raise ConnectionError("an end of the connection is gone") from errors
        finally:
            back.transport.abort()

    async def _pump(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        chance: Random,
    ) -> None:
        """One direction of a connection, until its source ends it. A piece waits until its own time
        has come and all before it have gone.
        """
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def read() -> None:
            data = b"begin"
            while data:
                data = await reader.read(CHUNK_BYTES)
                faults = self.faults
                delay_s = chance.uniform(faults.delay_s_min, faults.delay_s_max)
                await pieces.put((loop.time() + delay_s, data))

        async def write() -> None:
            while True:
                due_s, data = await pieces.get()
                await asyncio.sleep(due_s - loop.time())
                await self._open[direction].wait()
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()

        await asyncio.gather(read(), write())

    def _lasting_s(self) -> float | None:
        mean = self.faults.lasting_s_mean
        return self._chance.expovariate(1 / mean) if mean else None


class Mesh:
    """A proxy for each ordered pair of brokers: `ports[a, b]` is where broker `a` reaches the port
    of broker `b`. As a link between brokers goes one way, so does a cut between two of them.
    """

    def __init__(
        self, targets: dict[int, tuple[str, int]], *, seed: int, faults: Faults | None = None
    ) -> None:
        chance = Random(seed)
        self._proxies = {
            (source, target): Proxy(*targets[target], seed=chance.getrandbits(64), faults=faults)
            for source, target in itertools.permutations(sorted(targets), 2)
        }
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for proxy in self._proxies.values():
            await self._stack.enter_async_context(proxy)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    def proxy(self, source: int, target: int) -> Proxy:
        """The way from one broker to another."""
        return self._proxies[source, target]

    def contact_points(self, source: int) -> list[str]:
        """Where a broker reaches the others."""
        return [
            f"127.0.0.1:{proxy.port}" for (one, _), proxy in self._proxies.items() if one == source
        ]

    def cut_one_way(self, source: int, target: int) -> None:
        """What `source` says does not reach `target`, on the connections that `source` makes."""
        self._proxies[source, target].cut(Direction.FORWARD)

    def isolate(self, node_id: int) -> None:
        """Nobody hears a broker, and it hears nobody."""
        self.split([node_id])

    def split(self, part: Iterable[int]) -> None:
        """The brokers of a part and the others do not hear each other."""
        inside = set(part)
        for (source, target), proxy in self._proxies.items():
            if (source in inside) != (target in inside):
                proxy.cut()

    def heal(self) -> None:
        """All ways are open."""
        for proxy in self._proxies.values():
            proxy.heal()
