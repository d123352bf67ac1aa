"""Two stream processors, one after the other in the lead: what was not committed is as if it had
never been.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engine.models import one_task
from tests.partition.bare import publish

from grevy.engine import Command, Engine
from grevy.engine import engine as engine_module
from grevy.protocol.codec import decode_entry, encode_entry
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import (
    DeploymentIntent,
    ProcessInstanceCreationIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.record import Answer, Entry, RequestId
from grevy.protocol.values import DeploymentValue, ProcessInstanceCreationValue, ResourceFile
from grevy.state import Backend, LmdbBackend, MemoryBackend, State
from grevy.stream import JobSubscription, StreamProcessor, Topics

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


def test_all_that_is_repeated_to_a_new_leader_has_its_first_answer(
    replicas: tuple[Replica, Replica],
) -> None:
    one, other = replicas
    numbers = range(1, 5)
    for number in numbers:
        payload = one.lead(number)
        assert (one.commit(payload), other.commit(payload)) == (1, 0)

    other.stream.begin()

    answers = [other.stream.recall(RequestId(bytes(16), number)) for number in numbers]
    assert all(isinstance(answer, Answer) for answer in answers), answers
    assert other.stream.recall(RequestId(bytes(16), 5)) is None
    for replica in replicas:
        replica.state.close()


def test_an_entry_that_the_log_cannot_take_leaves_no_trace_and_its_neighbours_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def encode_small(entry: Entry) -> bytes:
        payload = encode_entry(entry)
        if len(payload) > 16_384:
            raise LimitExceeded(f"an entry of {len(payload)} bytes")
        return payload

    topics = Topics()
    worker = JobSubscription("w", 1, "work", worker="w", timeout=9, fetch_variables=())
    state = State(MemoryBackend())
    stream = StreamProcessor(Engine(state, 1, topics=topics), state)
    model = ResourceFile("p.bpmn", one_task("p", "work").encode())
    stream.submit(Command(DeploymentIntent.CREATE, -1, DeploymentValue((model,))), NOW)
    log = stream.take_entries()
    stream.commit(log, 1)
    monkeypatch.setattr(engine_module, "encode_entry", encode_small)
    topics.open(worker)
    topics.add_credit(worker, 5)

    for number, size in ((1, 10), (2, 8_000), (3, 10)):
        variables = b'{"text":"%s"}' % (b"x" * size)
        value = ProcessInstanceCreationValue("p", variables=variables)
        command = Command(ProcessInstanceCreationIntent.CREATE, -1, value)
        stream.submit(command, NOW, RequestId(bytes(16), number))
    assert stream.recall(RequestId(bytes(16), 2)) is True, "its answer is on its way"
    fresh = stream.take_entries()
    effects = stream.commit(fresh, 4)

    entries = [decode_entry(payload) for payload in log + fresh]
    assert [entry.first_position for entry in entries[1:]] == [
        entry.last_position + 1 for entry in entries[:-1]
    ]
    rejected = [r for r in entries[2].records if r.record_type is RecordType.COMMAND_REJECTION]
    assert [r.rejection_type for r in rejected] == [RejectionType.EXCEEDED_BATCH_RECORD_SIZE]
    assert len(rejected) == 1
    assert [len(push.jobs) for push in effects.pushes] == [1, 1]
    assert worker.credit == 3, "what was given out twice is used once"
    answers = {reply.request.number: reply.answer.rejection_type for reply in effects.replies}
    assert answers == {1: None, 2: RejectionType.EXCEEDED_BATCH_RECORD_SIZE, 3: None}
    assert len(effects.replies) == 4, "who asked twice is answered twice"
    follower = State(MemoryBackend())
    StreamProcessor(Engine(follower, 1), follower).commit(log + fresh, 4)
    assert follower.hash == state.hash == state.recompute_hash()
