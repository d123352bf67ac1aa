"""The network itself: what it promises, and what it does not."""

from __future__ import annotations

from tests.sim.network import QUEUE_MAX, SimNetwork, Weather
from tests.sim.world import World

SECOND_US = 1_000_000


class Pair:
    """Two nodes; what the second one hears."""

    def __init__(self, weather: Weather, seed: int = 1) -> None:
        self.world = World(seed)
        self.network = SimNetwork(self.world, weather)
        self.port = self.network.join(1, lambda sender, message: None)
        self.heard: list[int] = []
        self.network.join(2, self._hear)

    def _hear(self, sender: int, message: bytes) -> None:
        assert sender == 1
        self.heard.append(int.from_bytes(message))

    def send(self, count: int) -> None:
        """Numbers, a millisecond apart."""
        for number in range(count):
            self.world.after(number * 1_000, lambda number=number: self._send(number))  # type: ignore[misc]

    def _send(self, number: int) -> None:
        assert self.port.send(2, number.to_bytes(2))


def test_in_fair_weather_all_arrive_in_order() -> None:
    pair = Pair(Weather())
    pair.send(100)
    pair.world.run(SECOND_US)
    assert pair.heard == list(range(100))


def test_in_bad_weather_some_are_lost_doubled_and_overtaken() -> None:
    pair = Pair(Weather(lost=0.2, doubled=0.2, late=0.2))
    pair.send(300)
    pair.world.run(10 * SECOND_US)
    assert 200 < len(set(pair.heard)) < 300
    assert len(pair.heard) > len(set(pair.heard))
    assert pair.heard != sorted(pair.heard)


def test_a_cut_has_a_direction_and_spares_what_is_on_its_way() -> None:
    pair = Pair(Weather(delay_us=10_000))
    back: list[bytes] = []
    pair.network.join(1, lambda sender, message: back.append(message))
    assert pair.port.send(2, b"\1")
    pair.network.cut(1, 2)
    assert pair.port.send(2, b"\2"), "nobody is told of a cut"
    assert pair.network.send(2, 1, b"x")
    pair.world.run(SECOND_US)
    assert (pair.heard, back) == ([1], [b"x"])
    pair.network.heal()
    pair.port.send(2, b"\3")
    pair.world.run(2 * SECOND_US)
    assert pair.heard == [1, 3]


def test_a_full_queue_and_an_unknown_peer_are_told() -> None:
    pair = Pair(Weather(delay_us=10_000))
    assert not pair.port.send(3, b"x")
    taken = [pair.port.send(2, b"\1") for _ in range(QUEUE_MAX + 10)]
    assert taken.count(True) == QUEUE_MAX
    pair.world.run(SECOND_US)
    assert pair.port.send(2, b"\2")


def test_what_is_on_its_way_to_the_dead_is_lost() -> None:
    pair = Pair(Weather(delay_us=10_000))
    pair.port.send(2, b"\1")
    pair.network.leave(2)
    pair.world.run(SECOND_US)
    assert pair.heard == []


def test_the_seed_decides_the_weather() -> None:
    bad = Weather(lost=0.3, doubled=0.3, late=0.3)
    runs = []
    for seed in (1, 1, 2):
        pair = Pair(bad, seed)
        pair.send(50)
        pair.world.run(10 * SECOND_US)
        runs.append((pair.heard, pair.world.trace_hash))
    assert runs[0] == runs[1] != runs[2]
