"""A network that hurts (port `Network`): messages are lost, doubled, overtaken and late, as the
seed of the world decides; links can be cut, in one direction or both.
"""

from __future__ import annotations

from collections.abc import Callable
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


class SimNetwork:
    """All nodes, and what is between them."""

    def __init__(self, world: World, weather: Weather | None = None) -> None:
        self.world = world
        self.weather = weather or Weather()
        self._nodes: dict[int, Receive] = {}
        self._cut: set[tuple[int, int]] = set()
        self._under_way: dict[tuple[int, int], int] = {}

    def join(self, node_id: int, receive: Receive) -> SimPort:
        """A node's way to the others; a node that joins again, as after a restart, takes its old
        place.
        """
        self._nodes[node_id] = receive
        return SimPort(self, node_id)

    def leave(self, node_id: int) -> None:
        """A node is dead: what is on its way to it is lost."""
        del self._nodes[node_id]

    def cut(self, sender: int, receiver: int) -> None:
        """Nothing that is sent this way arrives from now on; what is on its way does."""
        self._cut.add((sender, receiver))

    def heal(self) -> None:
        """All links are whole again."""
        self._cut.clear()

    def send(self, sender: int, receiver: int, message: bytes) -> bool:
        """For `SimPort`."""
        way = (sender, receiver)
        if receiver not in self._nodes or self._under_way.get(way, 0) >= QUEUE_MAX:
            return False
        rng, weather = self.world.rng, self.weather
        copies = 1 + (rng.random() < weather.doubled)
        for _ in range(copies):
            is_lost = rng.random() < weather.lost or way in self._cut
            delay_us = rng.randrange(1, weather.delay_us + 1)
            if rng.random() < weather.late:
                delay_us += rng.randrange(weather.late_us)
            if not is_lost:
                self._under_way[way] = self._under_way.get(way, 0) + 1
                self.world.after(delay_us, partial(self._arrive, way, bytes(message)))
        return True

    def _arrive(self, way: tuple[int, int], message: bytes) -> None:
        self._under_way[way] -= 1
        receive = self._nodes.get(way[1])
        if receive is not None:
            self.world.note(f"{way[0]} to {way[1]}: {message.hex()}")
            receive(way[0], message)


class SimPort:
    """One node's end of the network (port `Network`)."""

    def __init__(self, network: SimNetwork, node_id: int) -> None:
        self._network = network
        self._node_id = node_id

    def send(self, peer: int, message: bytes) -> bool:
        """Send and forget; False when `peer` is unknown or its queue is full."""
        return self._network.send(self._node_id, peer, message)
