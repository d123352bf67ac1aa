"""What cannot be written: entries larger than the log takes, numbers beyond their fields, times
before the first and after the last. None of it may leave a trace in the state.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.engine.models import ProcessBuilder, one_task, timer
from tests.engine.walk import Replica

from grevy.engine import Command, Engine
from grevy.engine import engine as engine_module
from grevy.engine.moments import MOMENT_MS_MAX
from grevy.protocol.codec import decode_entry, encode_entry
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import (
    DeploymentIntent,
    IncidentIntent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    RecordType,
    RejectionType,
    TimerIntent,
)
from grevy.protocol.record import Entry
from grevy.protocol.values import (
    DeploymentValue,
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ResourceFile,
    TimerValue,
)
from grevy.state import MemoryBackend, State
from grevy.stream import JobSubscription, StreamProcessor, Topics
from grevy.testing import InProcessEngine, Rejected

ENTRY_BYTES_MAX = 24 * 1024
NOW = 1_700_000_000_000
TEXT = "x" * 4 * 1024
I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> InProcessEngine:
    """An engine whose log takes small entries only."""

    def encode_small(entry: Entry) -> bytes:
        payload = encode_entry(entry)
        if len(payload) > ENTRY_BYTES_MAX:
            raise LimitExceeded(f"an entry of {len(payload)} bytes")
        return payload

    monkeypatch.setattr(engine_module, "encode_entry", encode_small)
    return InProcessEngine()


def check_replica(engine: InProcessEngine) -> None:
    """The log leads to the state."""
    replica = Replica(engine)
    replica.catch_up()
    assert replica.state.hash == engine.state.hash == engine.state.recompute_hash()


def test_a_batch_that_is_too_large_goes_on_in_smaller_ones(engine: InProcessEngine) -> None:
    builder = ProcessBuilder("p")
    scripts = [
        builder.script(f"s{number}", f"=text + string({number})", f"v{number}")
        for number in range(12)
    ]
    builder.chain(builder.start(), *scripts, builder.end())
    engine.deploy("p.bpmn", builder.xml())

    instance = engine.create("p", {"text": TEXT})

    assert engine.records.has_completed(instance)
    assert max(map(len, engine.entries)) <= ENTRY_BYTES_MAX
    assert len(engine.entries) > 3
    check_replica(engine)


def test_a_step_that_is_too_large_becomes_an_incident(engine: InProcessEngine) -> None:
    builder = ProcessBuilder("p")
    inputs = "".join(
        f'<zeebe:input source="=text + string({number})" target="v{number}"/>'
        for number in range(12)
    )
    mappings = f"<zeebe:ioMapping>{inputs}</zeebe:ioMapping>"
    builder.chain(builder.start(), builder.task("task", "work", mappings), builder.end())
    engine.deploy("p.bpmn", builder.xml())
    engine.deploy("other.bpmn", one_task("other"))

    instance = engine.create("p", {"text": TEXT})

    (incident,) = engine.records.of(IncidentIntent.CREATED)
    assert isinstance(incident.value, IncidentValue)
    assert "an entry of" in incident.value.error_message
    other = engine.create("other")
    engine.complete("work")
    assert engine.records.has_completed(other), "the rest of the partition goes on"
    engine.set_variables(instance, {"text": "small"})
    engine.resolve_incident(incident.key)
    engine.complete("work")
    assert engine.records.has_completed(instance)
    check_replica(engine)


def test_a_command_that_is_too_large_is_rejected(engine: InProcessEngine) -> None:
    engine.deploy("p.bpmn", one_task())
    instance = engine.create("p")
    before = engine.variables(instance)

    with pytest.raises(Rejected, match="an entry of") as caught:
        engine.set_variables(instance, {f"v{number}": f"{number}{TEXT}" for number in range(5)})

    assert caught.value.rejection_type is RejectionType.EXCEEDED_BATCH_RECORD_SIZE
    assert engine.variables(instance) == before
    engine.complete("work")
    assert engine.records.has_completed(instance)
    check_replica(engine)


@pytest.mark.usefixtures("engine")
def test_a_dropped_activation_gives_its_credit_back() -> None:
    state, topics = State(MemoryBackend()), Topics()
    stream = StreamProcessor(Engine(state, 1, topics=topics), state)
    taker = JobSubscription("owner", 1, "work", worker="w", timeout=1_000, fetch_variables=())
    topics.open(taker)
    file = ResourceFile("p.bpmn", one_task().encode())
    stream.submit(Command(DeploymentIntent.CREATE, -1, DeploymentValue((file,))), NOW)
    creation = ProcessInstanceCreationValue("p")
    stream.submit(Command(ProcessInstanceCreationIntent.CREATE, -1, creation), NOW)
    stream.take_entries()
    topics.add_credit(taker, 3)
    batch = JobBatchValue(
        type="work", worker=TEXT * 4, timeout=1_000, max_jobs_to_activate=3
    )  # fits into an entry once, not twice

    stream.submit(Command(JobBatchIntent.ACTIVATE, -1, batch), NOW, taker=taker)
    payloads = stream.take_entries()

    assert decode_entry(payloads[-1]).records[-1].record_type is RecordType.COMMAND_REJECTION
    assert taker.credit == 3
    batch = replace(batch, worker="w")
    stream.submit(Command(JobBatchIntent.ACTIVATE, -1, batch), NOW, taker=taker)
    assert decode_entry(stream.take_entries()[-1]).records[-1].intent is JobBatchIntent.ACTIVATED
    assert taker.credit == 2


# ── times ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "text", "is_due"),
    [
        ("timeDate", "1960-01-01T00:00:00Z", True),
        ("timeDate", '=date and time("0001-01-01T00:00:00Z")', True),
        ("timeDate", "9999-12-31T23:59:59Z", False),
        ("timeDuration", "-P100000Y", True),
        ("timeDuration", "P999999999Y", False),
        ("timeDuration", '=duration("P99999999999999D")', False),
        ("timeDuration", "=years", False),
    ],
)
def test_timers_at_both_ends_of_time(kind: str, text: str, *, is_due: bool) -> None:
    builder = ProcessBuilder("p")
    definition = timer("PT1S").replace("timeDuration", kind).replace("PT1S", text)
    catch = builder.node("intermediateCatchEvent", "catch", definition)
    soon = builder.node("intermediateCatchEvent", "soon", timer("PT1M"))
    builder.chain(builder.start(), catch, builder.end())
    builder.flow("start", soon)
    builder.chain(soon, builder.end("end2"))
    engine = InProcessEngine()
    engine.deploy("p.bpmn", builder.xml())

    instance = engine.create("p", {"years": "P999999999999999999Y"})
    engine.increase_time(61)

    fired = [r.value.target_element_id for r in engine.records.of(TimerIntent.TRIGGERED)
             if isinstance(r.value, TimerValue)]  # fmt: skip
    assert fired == (["catch", "soon"] if is_due else ["soon"]), "others are not held up"
    assert engine.records.has_completed(instance) == is_due
    check_replica(engine)


@pytest.mark.parametrize("timeout", [I64_MIN, -1, 0, I64_MAX])
def test_time_outs_at_both_ends_of_time(timeout: int) -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", one_task())
    engine.create("p")
    (job,) = engine.activate_jobs("work")

    engine.update_timeout(job.key, timeout)
    engine.increase_time(1)

    timed_out = engine.records.of(JobIntent.TIMED_OUT)
    assert len(timed_out) == (timeout <= 0)
    check_replica(engine)


def test_what_is_to_last_for_ever_does() -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", one_task())
    engine.create("p")
    (job,) = engine.activate_jobs("work", timeout_ms=I64_MAX)
    engine.fail(job, retries=1, backoff_ms=I64_MAX)
    engine.publish("m", "k", ttl_ms=I64_MAX)
    engine.increase_time(10**9)

    (failed,), (published,) = (
        engine.records.of(intent) for intent in (JobIntent.FAILED, MessageIntent.PUBLISHED)
    )
    assert isinstance(failed.value, JobValue)
    assert isinstance(published.value, MessageValue)
    assert failed.value.recurring_time == published.value.deadline == MOMENT_MS_MAX
    assert not engine.records.of(MessageIntent.EXPIRED)
    check_replica(engine)
