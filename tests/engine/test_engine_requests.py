"""Clients: what they repeat, what they wait for, and what they may still say of a job."""

from __future__ import annotations

import pytest
from tests.engine.models import one_task

from grevy.engine import Command, Engine, Outcome
from grevy.engine.appliers.requests import recalled
from grevy.engine.stores import requests
from grevy.engine.tables import LARGE_ANSWERS
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import ProcessInstanceCreationIntent, RejectionType
from grevy.protocol.limits import LARGE_ANSWER_BYTES_MIN, REQUESTS_REMEMBERED
from grevy.protocol.record import RequestId
from grevy.protocol.values import ProcessInstanceCreationValue
from grevy.state import MemoryBackend, State
from grevy.testing import InProcessEngine, NoResult, Rejected

CLIENT = b"0123456789abcdef"
CREATE = Command(
    ProcessInstanceCreationIntent.CREATE, -1, ProcessInstanceCreationValue(bpmn_process_id="p")
)


@pytest.fixture
def engine() -> InProcessEngine:
    """An engine with a process of one task."""
    engine = InProcessEngine()
    engine.deploy("p.bpmn", one_task())
    return engine


def test_a_request_that_comes_again_has_no_second_effect(engine: InProcessEngine) -> None:
    request = RequestId(CLIENT, 1)
    engine.submit(CREATE, request)
    first = engine.answer_to(request)

    engine.submit(CREATE, request)

    assert len(engine.records.instances()) == 1
    assert engine.answer_to(request) == first
    engine.submit(CREATE, RequestId(CLIENT, 2))
    assert len(engine.records.instances()) == 2


def test_a_replica_remembers_the_requests_that_it_has_replayed(engine: InProcessEngine) -> None:
    request = RequestId(CLIENT, 7)
    engine.submit(CREATE, request)

    state = State(MemoryBackend())
    replica = Engine(state, 1)
    for number, payload in enumerate(engine.entries, 1):
        entry = decode_entry(payload)
        state.commit([replica.apply(entry)], number, entry.last_position)

    assert replica.remembered(request) is not None
    assert replica.remembered(RequestId(CLIENT, 8)) is None
    restarted = Engine(state, 1)
    assert restarted.remembered(request) is not None
    assert restarted.remembered(RequestId(CLIENT, 8)) is None


def process(engine: Engine, number: int) -> Outcome:
    """A request of the client, refused, which is remembered like any other."""
    return engine.process(CREATE, now=1, position=1, request=RequestId(CLIENT, number))


@pytest.mark.parametrize("is_restarted", [False, True])
def test_each_request_of_a_client_is_remembered_whatever_their_order(is_restarted: bool) -> None:
    state = State(MemoryBackend())
    engine = Engine(state, 1)
    process(engine, 5)
    if is_restarted:
        engine = Engine(state, 1)
    for number in (9, 7):
        process(engine, number)

    known = [n for n in range(1, 12) if engine.remembered(RequestId(CLIENT, n)) is not None]

    assert known == [5, 7, 9]


def test_a_request_whose_step_was_dropped_is_not_remembered() -> None:
    engine = Engine(State(MemoryBackend()), 1)
    engine.undo(process(engine, 5))

    assert engine.remembered(RequestId(CLIENT, 5)) is None
    process(engine, 3)
    assert engine.remembered(RequestId(CLIENT, 3)) is not None
    assert engine.remembered(RequestId(CLIENT, 5)) is None


def test_a_result_comes_when_the_instance_completes(engine: InProcessEngine) -> None:
    awaited = engine.create_with_result("p", {"x": 1})
    assert not awaited.is_done
    with pytest.raises(NoResult):
        awaited.result()

    engine.complete("work", {"y": [2]})

    assert awaited.result() == {"x": 1, "y": [2]}


AWAIT = Command(
    ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT,
    -1,
    ProcessInstanceCreationValue(bpmn_process_id="p"),
)


def test_who_waits_is_remembered_however_much_the_client_does_meanwhile(
    engine: InProcessEngine,
) -> None:
    waiting = RequestId(CLIENT, 5)
    later = RequestId(CLIENT, 5 + REQUESTS_REMEMBERED)
    engine.submit(AWAIT, waiting)
    engine.submit(CREATE, later)
    created = engine.answer_to(later)
    assert len(engine.records.instances()) == 2

    engine.submit(AWAIT, waiting)
    assert len(engine.records.instances()) == 2, "it still waits"
    for job in engine.activate_jobs("work"):
        engine.complete(job)
    result = engine.answer_to(waiting)

    for _ in range(2):
        engine.submit(AWAIT, waiting)
        engine.submit(CREATE, later)
    assert len(engine.records.instances()) == 2
    assert (engine.answer_to(waiting), engine.answer_to(later)) == (result, created)


def test_late_answers_are_remembered_up_to_a_number(
    engine: InProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "LATE_ANSWERS_REMEMBERED", 2)
    numbers = (1, 2, 3)
    for number in numbers:
        engine.submit(AWAIT, RequestId(CLIENT, number))
    for number in numbers:
        engine.submit(CREATE, RequestId(CLIENT, number + REQUESTS_REMEMBERED))
    for job in engine.activate_jobs("work", max_jobs=10):
        engine.complete(job)

    remembered = Engine(replayed(engine), 1).remembered
    found = {number: remembered(RequestId(CLIENT, number)) for number in numbers}
    assert found[1] is None
    assert [one is not None and not one.is_due for one in found.values()] == [False, True, True]


def replayed(engine: InProcessEngine) -> State:
    """The state of a replica that has the engine's entries."""
    state = State(MemoryBackend())
    replica = Engine(state, 1)
    for index, payload in enumerate(engine.entries, 1):
        entry = decode_entry(payload)
        state.commit([replica.apply(entry)], index, entry.last_position)
    return state


LARGE = {"document": "x" * 2 * LARGE_ANSWER_BYTES_MIN}
"""A result that counts by its bytes."""
ROOM_BYTES = 7 * LARGE_ANSWER_BYTES_MIN
"""For three of them."""


@pytest.fixture
def narrow(engine: InProcessEngine, monkeypatch: pytest.MonkeyPatch) -> InProcessEngine:
    """The engine, with room for three large answers."""
    monkeypatch.setattr(requests, "LARGE_ANSWERS_BYTES_MAX", ROOM_BYTES)
    return engine


def large_bytes(state: State, asked: list[RequestId]) -> int:
    """What the large answers to these requests hold, as far as they are remembered."""
    answers = map(Engine(state, 1).remembered, asked)
    sizes = [len(one.value) + len(one.rejection_reason) for one in answers if one is not None]
    return sum(size for size in sizes if size >= LARGE_ANSWER_BYTES_MIN)


def test_large_answers_are_remembered_up_to_so_many_bytes(narrow: InProcessEngine) -> None:
    asked = [RequestId(CLIENT, number) for number in range(1, 6)]
    answers = []
    for request in asked:
        narrow.submit(AWAIT, request)
        narrow.complete("work", LARGE)
        answers.append(narrow.answer_to(request))
    instances = len(narrow.records.instances())

    state = replayed(narrow)
    engine = Engine(state, 1)
    assert large_bytes(state, asked) <= ROOM_BYTES
    found = [engine.remembered(request) for request in asked]
    again = [recalled(each) for each in found if each is not None]
    assert again[2:] == answers[2:], "the newest are there"
    for answer in again[:2]:
        assert answer.rejection_type is RejectionType.ALREADY_EXISTS
        assert "was done when it came first" in answer.rejection_reason
    narrow.submit(AWAIT, asked[0])
    assert len(narrow.records.instances()) == instances, "it has no second effect"
    assert state.hash == narrow.state.hash == narrow.state.recompute_hash()


def test_of_a_large_refusal_is_kept_that_it_was_one(narrow: InProcessEngine) -> None:
    unknown = "n" * 2 * LARGE_ANSWER_BYTES_MIN
    value = ProcessInstanceCreationValue(bpmn_process_id=unknown)
    command = Command(ProcessInstanceCreationIntent.CREATE, -1, value)
    asked = [RequestId(CLIENT, number) for number in range(1, 6)]
    for request in asked:
        narrow.submit(command, request)

    engine = Engine(replayed(narrow), 1)
    found = [engine.remembered(request) for request in asked]
    assert [one is not None and one.rejection_type for one in found] == [
        RejectionType.NOT_FOUND
    ] * 5
    lengths = [len(one.rejection_reason) < LARGE_ANSWER_BYTES_MIN for one in found if one]
    assert lengths == [True, True, False, False, False]


def test_late_answers_count_by_their_bytes_too(narrow: InProcessEngine) -> None:
    asked = [RequestId(CLIENT, number) for number in range(1, 6)]
    for request in asked:
        narrow.submit(AWAIT, request)
        narrow.submit(CREATE, RequestId(CLIENT, request.number + REQUESTS_REMEMBERED))
    for job in narrow.activate_jobs("work", max_jobs=10):
        narrow.complete(job, LARGE)

    state = replayed(narrow)
    assert large_bytes(state, asked) <= ROOM_BYTES
    engine = Engine(state, 1)
    assert all(engine.remembered(request) for request in asked)


def test_answers_of_a_client_that_is_forgotten_make_room_in_their_turn(
    narrow: InProcessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "CLIENTS_REMEMBERED", 1)
    asked = [RequestId(bytes([number]) * 16, 1) for number in range(10)]
    for request in asked:
        narrow.submit(AWAIT, request)
        narrow.complete("work", LARGE)

    state = replayed(narrow)
    assert large_bytes(state, asked) <= ROOM_BYTES
    assert len(state.table(LARGE_ANSWERS).scan()) == 3
    assert state.hash == narrow.state.hash == narrow.state.recompute_hash()


def test_a_result_has_only_the_variables_that_are_asked_for(engine: InProcessEngine) -> None:
    awaited = engine.create_with_result("p", {"x": 1, "z": 3}, fetch_variables=["x"])

    engine.complete("work", {"y": 2})

    assert awaited.result() == {"x": 1}


def test_there_is_no_result_of_what_is_cancelled(engine: InProcessEngine) -> None:
    awaited = engine.create_with_result("p")

    engine.cancel(awaited.process_instance_key)

    with pytest.raises(Rejected) as rejected:
        awaited.result()
    assert rejected.value.rejection_type is RejectionType.INVALID_STATE


def test_a_lease_that_is_over_counts_for_nothing(engine: InProcessEngine) -> None:
    instance = engine.create("p")
    (stale,) = engine.activate_jobs("work", timeout_ms=1_000)
    engine.increase_time(2)
    (current,) = engine.activate_jobs("work")

    with pytest.raises(Rejected, match="handed out again"):
        engine.complete(stale)
    with pytest.raises(Rejected, match="handed out again"):
        engine.fail(stale)
    with pytest.raises(Rejected, match="handed out again"):
        engine.throw_error(stale, "oops")

    engine.complete(current)
    assert engine.records.has_completed(instance)


def test_a_key_alone_completes_a_job_under_any_lease(engine: InProcessEngine) -> None:
    instance = engine.create("p")
    (stale,) = engine.activate_jobs("work", timeout_ms=1_000)
    engine.increase_time(2)
    engine.activate_jobs("work")

    engine.complete(stale.key)

    assert engine.records.has_completed(instance)
