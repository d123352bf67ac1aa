"""A network that hurts: messages are lost, doubled, overtaken and late, as the
seed of the world decides; links can be cut or clogged, in one direction or both. A cut link loses
what is sent; a clogged one holds it, and gives it out, seconds old, when it is whole again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.sim.world import World

QUEUE_MAX: Final = 64
"""Messages on their way between two nodes; more are refused, as by a full pipe."""

Receive = Callable[[int, bytes], None]
"""Takes a message: who sent it, and what."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it is: shares of the messages from 0 to 1, and delays in microseconds."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    delay_us: int = 500
    late_us: int = 2_000_000
    """How long a late message takes: what was queued before a cut comes seconds after it."""
    is_ordered: bool = False
    """Whether only late messages are overtaken, as on a connection that holds."""


class SimNetwork:
    """All nodes, and what is between them."""

    def __init__(self, world: World, weather: Weather | None = None) -> None:
        self.world = world
        self.weather = weather or Weather()
        self.refused = 0
        """Messages that a full link has not taken."""
        self.released = 0
        """Messages that a clogged link has held, and given out."""
        self.to_old_lives = 0
        """Messages that came after their receiver had joined again."""
        self._nodes: dict[int, Receive] = {}
        self._lives: dict[int, int] = {}
        self._cut: set[tuple[int, int]] = set()
        self._clogged: dict[tuple[int, int], list[bytes]] = {}
        self._under_way: dict[tuple[int, int], int] = {}
        self._newest_us: dict[tuple[int, int], int] = {}

    def join(self, node_id: int, receive: Receive) -> SimPort:
        """A node's way to the others; a node that joins again, as after a restart, takes its old
        place.
        """
        self._nodes[node_id] = receive
        self._lives[node_id] = self._lives.get(node_id, 0) + 1
        return SimPort(self, node_id)

    def has(self, node_id: int) -> bool:
        """Whether a node lives."""
        return node_id in self._nodes

    def leave(self, node_id: int) -> None:
        """A node is dead: what comes to it is lost, until it joins again."""
        self._nodes.pop(node_id, None)

    def cut(self, sender: int, receiver: int) -> None:
        """Nothing that is sent this way arrives from now on; what is on its way does."""
        self._cut.add((sender, receiver))

    def clog(self, sender: int, receiver: int) -> None:
        """What is sent this way from now on waits, as much as fits, until the link is whole."""
        self._clogged.setdefault((sender, receiver), [])

    def separate(self, some: Iterable[int], others: Iterable[int]) -> None:
        """Cut all links between two sets of nodes, in both directions."""
        others = tuple(others)
        for one in some:
            for other in others:
                self.cut(one, other)
                self.cut(other, one)

    def mend(self, sender: int, receiver: int) -> None:
        """This way is whole again; what it held is on its way now."""
        way = (sender, receiver)
        self._cut.discard(way)
        for message in self._clogged.pop(way, ()):
            self.released += 1
            self._carry(way, message)

    def heal(self) -> None:
        """All links are whole again."""
        for way in sorted(self._cut | self._clogged.keys()):
            self.mend(*way)

    def send(self, sender: int, receiver: int, message: bytes) -> bool:
        """For `SimPort`."""
        way = (sender, receiver)
        if receiver not in self._nodes:
            return False
        if self._under_way.get(way, 0) >= QUEUE_MAX:
            self.refused += 1
            return False
        rng, weather = self.world.rng, self.weather
        copies = 1 + (rng.random() < weather.doubled)
        for _ in range(copies):
            if rng.random() < weather.lost or way in self._cut:
                continue
            self._under_way[way] = self._under_way.get(way, 0) + 1
            held = self._clogged.get(way)
            if held is None:
                self._carry(way, message)
            else:
                held.append(message)
        return True

    def _carry(self, way: tuple[int, int], message: bytes) -> None:
        """Bring a message to its receiver, in the time it takes in this weather."""
        rng, weather = self.world.rng, self.weather
        now_us = self.world.clock.elapsed_us
        delay_us = int(rng.random() * weather.delay_us) + 1
        if weather.late and rng.random() < weather.late:
            delay_us += rng.randrange(weather.late_us)
        elif weather.is_ordered:
            delay_us = max(delay_us, self._newest_us.get(way, 0) - now_us)
            self._newest_us[way] = now_us + delay_us
        life = self._lives.get(way[1], 0)
        self.world.after(delay_us, partial(self._arrive, way, message, life))

    def _arrive(self, way: tuple[int, int], message: bytes, life: int) -> None:
        self._under_way[way] -= 1
        receive = self._nodes.get(way[1])
        if receive is not None:
            self.to_old_lives += life != self._lives[way[1]]
            self.world.note(f"{way[0]} to {way[1]}", message)
            receive(way[0], message)


class SimPort:
    """One node's end of the network."""

    def __init__(self, network: SimNetwork, node_id: int) -> None:
        self._network = network
        self._node_id = node_id

    def send(self, peer: int, message: bytes) -> bool:
        """Send and forget; False when `peer` is unknown or its queue is full."""
        return self._network.send(self._node_id, peer, message)
