"""Two stream processors, one after the other in the lead: what was not committed is as if it had
never been.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.partition.bare import publish

from grevy.engine import Engine
from grevy.protocol.record import RequestId
from grevy.state import Backend, LmdbBackend, MemoryBackend, State
from grevy.stream import StreamProcessor

NOW = 1_700_000_000_000


class Replica:
    """A stream processor over a state of its own."""

    def __init__(self, backend: Backend) -> None:
        self.state = State(backend)
        self.stream = StreamProcessor(Engine(self.state, 1), self.state)
        self._index = 0

    def lead(self, number: int) -> bytes:
        """Process a command; its entry."""
        self.stream.submit(publish(number), NOW, RequestId(bytes(16), number))
        (entry,) = self.stream.take_entries()
        return entry

    def commit(self, *payloads: bytes) -> int:
        """Entries are committed; how many requests are to be answered."""
        self._index += len(payloads)
        return len(self.stream.commit(payloads, self._index).replies)


@pytest.fixture(params=["memory", "lmdb"])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Replica, Replica]:
    if request.param == "memory":
        return Replica(MemoryBackend()), Replica(MemoryBackend())
    return Replica(LmdbBackend(tmp_path / "1")), Replica(LmdbBackend(tmp_path / "2"))


def test_a_leader_that_steps_down_forgets_what_was_not_committed(
    replicas: tuple[Replica, Replica],
) -> None:
    one, other = replicas
    first = one.lead(1)
    assert one.commit(first) == 1
    assert other.commit(first) == 0, "who did not process a request does not answer it"
    before = one.state.hash, one.stream.next_position
    for number in (2, 3, 4):
        one.lead(number)
    assert (one.stream.in_flight, one.stream.next_position > before[1]) == (3, True)

    one.stream.abandon()

    assert (one.state.hash, one.stream.next_position, one.stream.in_flight) == (*before, 0)
    assert one.stream.recall(RequestId(bytes(16), 2)) is None, "the request is new again"

    for number in (3, 5):
        payload = other.lead(number)
        assert other.commit(payload) == 1
        assert one.commit(payload) == 0
    assert one.state.hash == other.state.hash == one.state.recompute_hash()
    one.state.close()
    other.state.close()


def test_a_repeated_request_has_its_first_answer(replicas: tuple[Replica, Replica]) -> None:
    one, other = replicas
    request = RequestId(bytes(16), 1)
    payload = one.lead(1)
    assert one.stream.recall(request) is True, "the answer is kept back until the commit"
    assert one.commit(payload) == 2
    other.commit(payload)
    assert one.stream.recall(request) == other.stream.recall(request) is not None
    for replica in replicas:
        replica.state.close()
