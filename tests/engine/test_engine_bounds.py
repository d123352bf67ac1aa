"""What a step may not do: take too long, loop for ever, or take others down with it."""

from __future__ import annotations

import pytest
from tests.engine.models import ProcessBuilder, fork, loop, one_task
from tests.engine.walk import Replica

from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    ErrorIntent,
    ErrorType,
    IncidentIntent,
    JobIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.limits import ACTIVATIONS_MAX, BATCH_STEPS_MAX
from grevy.protocol.values import IncidentValue
from grevy.testing import InProcessEngine, Rejected

BRANCHES = 2 * BATCH_STEPS_MAX


@pytest.fixture
def forked() -> InProcessEngine:
    """An engine with one instance that has more branches than an entry has steps."""
    engine = InProcessEngine()
    engine.deploy("fork.bpmn", fork(BRANCHES))
    return engine


def commands_left(engine: InProcessEngine) -> list[int]:
    """How many commands each entry has left for a later one."""
    counts = []
    for payload in engine.entries:
        entry = decode_entry(payload)
        commands = [r for r in entry.records if r.record_type is RecordType.COMMAND]
        is_continuation = entry.command_position != entry.first_position
        counts.append(len(commands) - (not is_continuation))
    return counts


def test_a_wide_fork_goes_on_in_entries_of_its_own(forked: InProcessEngine) -> None:
    forked.create("p")

    assert max(commands_left(forked)) > BATCH_STEPS_MAX // 2
    assert len(forked.records.of(JobIntent.CREATED)) == BRANCHES
    assert not forked.core.has_pending


def test_a_wide_fork_joins_and_completes(forked: InProcessEngine) -> None:
    instance = forked.create("p")

    for job in forked.activate_jobs("work", BRANCHES):
        assert not forked.records.has_completed(instance)
        forked.complete(job)

    assert forked.records.has_completed(instance)
    assert forked.records.completed_elements(instance).count("join") == 1


def test_a_wide_fork_is_cancelled_in_pieces(forked: InProcessEngine) -> None:
    instance = forked.create("p")
    before = len(forked.entries)

    forked.cancel(instance)

    assert len(forked.entries) - before > BRANCHES // BATCH_STEPS_MAX
    assert len(forked.records.of(JobIntent.CANCELED)) == BRANCHES
    assert forked.records.has_terminated(instance)


def test_what_entries_leave_is_replayed(forked: InProcessEngine) -> None:
    replica = Replica(forked)
    forked.cancel(forked.create("p"))

    replica.catch_up()

    assert replica.state.hash == forked.state.hash


def test_an_endless_loop_becomes_an_incident() -> None:
    engine = InProcessEngine()
    engine.deploy("loop.bpmn", loop())

    instance = engine.create("p")

    (incident,) = engine.records.of(IncidentIntent.CREATED)
    assert isinstance(incident.value, IncidentValue)
    assert incident.value.error_type is ErrorType.UNKNOWN
    assert str(ACTIVATIONS_MAX) in incident.value.error_message
    activated = engine.records.elements(ProcessInstanceIntent.ELEMENT_ACTIVATING, instance)
    assert ACTIVATIONS_MAX <= len(activated) <= ACTIVATIONS_MAX + 2

    engine.set_variables(instance, {"done": True})
    engine.resolve_incident(incident.key)

    assert engine.records.has_completed(instance)


class BrokenTopics:
    """Job topics that fail for one type, until they are mended."""

    def __init__(self) -> None:
        self.is_broken = True

    def take(self, job_type: str) -> None:
        """Raises for jobs of the type `broken`."""
        if job_type == "broken" and self.is_broken:
            raise RuntimeError("planted")

    def give_back(self, taker: object) -> None:
        """Nothing was taken."""

    def use(self, taker: object, count: int) -> None:
        """Nobody has credit."""


@pytest.fixture
def topics() -> BrokenTopics:
    return BrokenTopics()


@pytest.fixture
def faulty(topics: BrokenTopics) -> InProcessEngine:
    """An engine with a process one of whose two branches fails unexpectedly."""
    builder = ProcessBuilder("p")
    builder.start()
    builder.node("parallelGateway", "fork")
    builder.chain("start", "fork")
    for kind in ("fine", "broken"):
        builder.chain("fork", builder.task(kind), builder.end(f"{kind}-end"))
    engine = InProcessEngine(topics=topics)
    engine.deploy("p.bpmn", builder.xml())
    engine.deploy("other.bpmn", one_task("other"))
    return engine


def test_an_unexpected_failure_is_an_incident_of_its_instance(faulty: InProcessEngine) -> None:
    instance = faulty.create("p")

    (error,) = faulty.records.of(ErrorIntent.CREATED, process_instance_key=instance)
    assert "planted" in str(error.value)
    (incident,) = faulty.records.of(IncidentIntent.CREATED, process_instance_key=instance)
    assert isinstance(incident.value, IncidentValue)
    assert incident.value.element_id == "broken"


def test_the_rest_of_the_instance_and_others_go_on(faulty: InProcessEngine) -> None:
    instance, other = faulty.create("p"), faulty.create("other")

    faulty.complete("fine")
    faulty.complete("work")

    assert "fine" in faulty.records.completed_elements(instance)
    assert faulty.records.has_completed(other)


def test_the_step_is_tried_again_when_the_incident_is_resolved(
    faulty: InProcessEngine, topics: BrokenTopics
) -> None:
    instance = faulty.create("p")
    faulty.complete("fine")
    (incident,) = faulty.records.of(IncidentIntent.CREATED)

    faulty.resolve_incident(incident.key)
    first, second = faulty.records.of(IncidentIntent.CREATED)
    assert first == incident
    topics.is_broken = False
    faulty.resolve_incident(second.key)
    faulty.complete("broken")

    assert faulty.records.has_completed(instance)


def test_an_instance_that_failed_unexpectedly_can_be_cancelled(faulty: InProcessEngine) -> None:
    instance = faulty.create("p")

    faulty.cancel(instance)

    assert faulty.records.has_terminated(instance)
    assert len(faulty.records.of(IncidentIntent.RESOLVED)) == 1


def test_an_unexpected_failure_is_replayed(faulty: InProcessEngine) -> None:
    replica = Replica(faulty)
    faulty.create("p")

    replica.catch_up()

    assert replica.state.hash == faulty.state.hash


def test_a_clients_command_that_fails_unexpectedly_is_rejected(
    faulty: InProcessEngine, topics: BrokenTopics
) -> None:
    topics.is_broken = False
    faulty.create("p")
    (job,) = faulty.activate_jobs("broken")
    topics.is_broken = True

    with pytest.raises(Rejected) as rejected:
        faulty.fail(job, retries=2)

    assert rejected.value.rejection_type is RejectionType.PROCESSING_ERROR
    topics.is_broken = False
    faulty.complete(job)
