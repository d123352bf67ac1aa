"""The driver of an exporter: order, repetition, positions, filter, time; all at its boundary."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grevy.exporting import (
    Acknowledgement,
    AcknowledgementRefused,
    Context,
    Controller,
    ExportedRecord,
    Exporter,
    ExporterDriver,
    Phase,
    RecordFilter,
    RecordsMissing,
    Turn,
)
from grevy.protocol.intents import (
    Intent,
    JobIntent,
    ProcessInstanceIntent,
    RecordType,
    ValueType,
)
from grevy.protocol.limits import (
    EXPORTER_METADATA_BYTES_MAX,
    EXPORTER_PAUSE_MS_MAX,
    EXPORTER_PAUSE_MS_MIN,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import JobValue, ProcessInstanceValue

CREATED = JobIntent.CREATED
COMPLETE = JobIntent.COMPLETE
COMPLETED = JobIntent.COMPLETED
ACTIVATED = ProcessInstanceIntent.ELEMENT_ACTIVATED


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ns(self) -> int:
        return self.ms * 1_000_000


class RecordingExporter(Exporter):
    """Keeps what it gets; fails as often as `failures` says, acknowledges while `acknowledges`."""

    def __init__(self) -> None:
        self.filter: RecordFilter | None = None
        self.controller: Controller | None = None
        self.batches: list[list[int]] = []
        self.attempts = 0
        self.failures = 0
        self.open_failures = 0
        self.acknowledges = True
        self.is_closed = False

    @property
    def positions(self) -> list[int]:
        """The positions of all records that were taken."""
        return [position for batch in self.batches for position in batch]

    @property
    def open_controller(self) -> Controller:
        """What the exporter was opened with."""
        assert self.controller is not None
        return self.controller

    def configure(self, context: Context) -> None:
        if self.filter is not None:
            context.set_filter(self.filter)

    def open(self, controller: Controller) -> None:
        if self.open_failures > 0:
            self.open_failures -= 1
            raise ConnectionError("nobody there")
        self.controller = controller

    def export(self, batch: Sequence[ExportedRecord]) -> None:
        self.attempts += 1
        if self.failures > 0:
            self.failures -= 1
            raise OSError("the disk is full")
        self.batches.append([record.position for record in batch])
        if self.acknowledges:
            self.open_controller.acknowledge(batch[-1].position)

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """An exporter and its clock, with the means to drive it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.exporter = RecordingExporter()

    def make_driver(self, position: int = 0, metadata: bytes = b"") -> ExporterDriver:
        """An open driver; its exporter is open too unless it fails."""
        driver = ExporterDriver(self.exporter, Context("recorder", 1, {}, self.clock))
        driver.open(position, metadata)
        driver.turn()
        return driver

    def make_entry(self, first_position: int, *intents: Intent) -> Entry:
        """An entry with one record for each intent."""
        records = tuple(make_record(intent) for intent in intents)
        return Entry(1, 1_700_000_000_000, first_position, first_position, records)


def make_record(intent: Intent) -> Record:
    """A record with a value of the intent's type."""
    value = JobValue() if isinstance(intent, JobIntent) else ProcessInstanceValue()
    return Record(RecordType.COMMAND if intent is COMPLETE else RecordType.EVENT, intent, 1, value)


@pytest.fixture
def stage() -> Stage:
    """A stage whose exporter is content."""
    return Stage()


def test_exports_every_record_in_order_and_acknowledges(stage: Stage) -> None:
    driver = stage.make_driver()

    driver.receive(
        [stage.make_entry(1, COMPLETE, COMPLETED), stage.make_entry(3, ACTIVATED)], up_to=3
    )
    turn = driver.turn()

    assert stage.exporter.batches == [[1, 2, 3]]
    assert turn == Turn(Acknowledgement(3, b""), failure=None, wake_in_ms=None, is_ready=True)
    assert driver.turn().acknowledgement is None, "an acknowledgement is told once"


def test_begins_behind_what_was_acknowledged_in_an_earlier_run(stage: Stage) -> None:
    driver = stage.make_driver(position=3, metadata=b"counters")

    driver.receive([stage.make_entry(2, COMPLETE, COMPLETED, ACTIVATED, CREATED)], up_to=5)
    driver.turn()

    assert stage.exporter.batches == [[4, 5]], "an entry may straddle the position"
    assert stage.exporter.open_controller.metadata == b"counters"


def test_a_failed_batch_is_repeated_with_growing_pauses_until_it_succeeds(stage: Stage) -> None:
    driver = stage.make_driver()
    stage.exporter.failures = 12
    driver.receive([stage.make_entry(1, COMPLETE, COMPLETED)], up_to=2)

    pauses = []
    while stage.exporter.failures:
        failure = driver.turn().failure
        assert failure is not None
        pauses.append(failure.pause_ms)
        assert failure.attempts == len(pauses)
        stage.clock.ms += failure.pause_ms
    turn = driver.turn()

    assert pauses[:4] == [EXPORTER_PAUSE_MS_MIN * 2**n for n in range(4)]
    assert pauses[-1] == EXPORTER_PAUSE_MS_MAX
    assert stage.exporter.batches == [[1, 2]]
    assert turn.acknowledgement == Acknowledgement(2, b"")
    assert driver.status().error == ""


def test_a_failing_exporter_is_left_alone_during_the_pause(stage: Stage) -> None:
    driver = stage.make_driver()
    stage.exporter.failures = 1
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    driver.turn()

    stage.clock.ms += EXPORTER_PAUSE_MS_MIN - 20
    turn = driver.turn()

    assert stage.exporter.attempts == 1
    assert turn == Turn(None, failure=None, wake_in_ms=20, is_ready=False)


def test_a_failure_is_visible_in_the_status(stage: Stage) -> None:
    driver = stage.make_driver()
    stage.exporter.failures = 1
    driver.receive([stage.make_entry(1, COMPLETED, ACTIVATED)], up_to=2)
    driver.turn()

    status = driver.status()

    assert (status.phase, status.attempts) == (Phase.EXPORTING, 1)
    assert status.error == "OSError: the disk is full"
    assert (status.acknowledged_position, status.seen_position) == (0, 2)


def test_opening_is_repeated_and_nothing_is_taken_before(stage: Stage) -> None:
    stage.exporter.open_failures = 2
    driver = stage.make_driver()

    assert driver.status().phase is Phase.OPENING
    assert not driver.is_ready
    stage.clock.ms += EXPORTER_PAUSE_MS_MAX
    driver.turn()
    stage.clock.ms += EXPORTER_PAUSE_MS_MAX
    driver.turn()

    assert driver.status().phase is Phase.EXPORTING
    assert driver.is_ready


def test_an_exporter_that_never_acknowledges_holds_its_position(stage: Stage) -> None:
    stage.exporter.acknowledges = False
    driver = stage.make_driver()

    for position in (1, 2, 3):
        driver.receive([stage.make_entry(position, COMPLETED)], up_to=position)
        assert driver.turn().acknowledgement is None

    assert stage.exporter.positions == [1, 2, 3]
    assert driver.status().acknowledged_position == 0


def test_acknowledges_late_with_metadata(stage: Stage) -> None:
    stage.exporter.acknowledges = False
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED, ACTIVATED, CREATED)], up_to=3)
    driver.turn()

    stage.exporter.open_controller.acknowledge(2, b"two")

    assert driver.turn().acknowledgement == Acknowledgement(2, b"two")
    assert driver.last_acknowledgement == Acknowledgement(2, b"two")


def test_records_that_the_filter_leaves_out_count_as_done(stage: Stage) -> None:
    stage.exporter.filter = RecordFilter(frozenset({RecordType.EVENT}), frozenset({ValueType.JOB}))
    driver = stage.make_driver()

    driver.receive([stage.make_entry(1, COMPLETE, COMPLETED, ACTIVATED)], up_to=9)
    first = driver.turn()
    driver.receive([stage.make_entry(10, ACTIVATED)], up_to=12)
    second = driver.turn()

    assert stage.exporter.batches == [[2]]
    assert first.acknowledgement == Acknowledgement(9, b"")
    assert second.acknowledgement == Acknowledgement(12, b"")


def test_records_that_are_left_out_do_not_count_while_something_is_outstanding(
    stage: Stage,
) -> None:
    stage.exporter.filter = RecordFilter(value_types=frozenset({ValueType.JOB}))
    stage.exporter.acknowledges = False
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    driver.turn()

    driver.receive([stage.make_entry(2, ACTIVATED)], up_to=8)

    assert driver.turn().acknowledgement is None
    stage.exporter.open_controller.acknowledge(1)
    assert driver.turn().acknowledgement == Acknowledgement(8, b"")


def test_a_delivery_with_nothing_for_the_exporter_calls_it_not(stage: Stage) -> None:
    driver = stage.make_driver()

    driver.receive([], up_to=40)

    assert driver.turn().acknowledgement == Acknowledgement(40, b"")
    assert stage.exporter.attempts == 0


def test_the_position_stays_while_a_delivery_waits_behind_a_task(stage: Stage) -> None:
    stage.exporter.filter = RecordFilter(value_types=frozenset({ValueType.JOB}))
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=5)
    driver.turn()
    stage.exporter.open_controller.schedule(0, lambda: None)

    driver.receive([stage.make_entry(6, COMPLETED)], up_to=6)

    assert driver.turn().acknowledgement is None, "only the task ran"
    assert driver.turn().acknowledgement == Acknowledgement(6, b"")


def test_a_gap_is_refused_and_the_delivery_can_come_again(stage: Stage) -> None:
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    driver.turn()

    with pytest.raises(RecordsMissing, match="expected position 2, got 3"):
        driver.receive([stage.make_entry(3, COMPLETED)], up_to=3)
    assert driver.next_position == 2
    driver.receive([stage.make_entry(2, CREATED), stage.make_entry(3, COMPLETED)], up_to=3)
    driver.turn()

    assert stage.exporter.positions == [1, 2, 3]


def test_what_is_delivered_twice_is_exported_once(stage: Stage) -> None:
    driver = stage.make_driver()
    first, second = stage.make_entry(1, COMPLETE, COMPLETED), stage.make_entry(3, ACTIVATED)
    driver.receive([first], up_to=2)
    driver.turn()

    driver.resume(0)
    driver.receive([first, second], up_to=3)
    driver.turn()

    assert stage.exporter.batches == [[1, 2], [3]]


def test_what_the_log_lost_is_counted_and_the_rest_goes_on(stage: Stage) -> None:
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    driver.turn()

    driver.resume(7)
    driver.receive([stage.make_entry(8, COMPLETED)], up_to=8)
    driver.turn()

    assert stage.exporter.positions == [1, 8]
    assert driver.status().lost_records == 6


def test_an_exporter_cannot_acknowledge_what_it_was_not_given(stage: Stage) -> None:
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED, ACTIVATED)], up_to=2)
    driver.turn()

    with pytest.raises(AcknowledgementRefused, match="position 3"):
        stage.exporter.open_controller.acknowledge(3)


def test_a_position_never_goes_back(stage: Stage) -> None:
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED, ACTIVATED)], up_to=2)
    driver.turn()

    stage.exporter.open_controller.acknowledge(1, b"old")

    assert driver.turn().acknowledgement is None
    assert driver.last_acknowledgement == Acknowledgement(2, b"")


def test_too_much_metadata_is_refused(stage: Stage) -> None:
    stage.make_driver()

    with pytest.raises(AcknowledgementRefused, match="metadata"):
        stage.exporter.open_controller.acknowledge(0, bytes(EXPORTER_METADATA_BYTES_MAX + 1))


def test_tasks_run_when_their_time_has_come_in_its_order(stage: Stage) -> None:
    ran: list[str] = []
    driver = stage.make_driver()
    stage.exporter.open_controller.schedule(200, lambda: ran.append("late"))
    stage.exporter.open_controller.schedule(100, lambda: ran.append("early"))
    cancelled = stage.exporter.open_controller.schedule(50, lambda: ran.append("never"))
    cancelled.cancel()

    assert driver.turn().wake_in_ms == 100
    stage.clock.ms += 250
    assert driver.turn().wake_in_ms == 0
    driver.turn()

    assert ran == ["early", "late"]


def test_a_failing_task_is_repeated_before_anything_else(stage: Stage) -> None:
    driver = stage.make_driver()
    calls: list[str] = []

    def flush() -> None:
        calls.append("flush")
        if len(calls) < 3:
            raise TimeoutError("slow")

    stage.exporter.open_controller.schedule(0, flush)
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    for _ in range(3):
        assert stage.exporter.batches == []
        driver.turn()
        stage.clock.ms += EXPORTER_PAUSE_MS_MAX
    driver.turn()

    assert calls == ["flush"] * 3
    assert stage.exporter.batches == [[1]]


def test_closing_lets_the_exporter_acknowledge_once_more(stage: Stage) -> None:
    stage.exporter.acknowledges = False
    driver = stage.make_driver()
    driver.receive([stage.make_entry(1, COMPLETED)], up_to=1)
    driver.turn()
    stage.exporter.open_controller.acknowledge(1)

    turn = driver.close()

    assert stage.exporter.is_closed
    assert turn.acknowledgement == Acknowledgement(1, b"")
    assert driver.status().phase is Phase.CLOSED


def test_an_exporter_that_never_opened_is_not_closed(stage: Stage) -> None:
    stage.exporter.open_failures = 1
    driver = stage.make_driver()

    driver.close()

    assert not stage.exporter.is_closed


class FlakyExporter(Exporter):
    """Buffers, fails and saves as a list of numbers tells it."""

    def __init__(self, whims: list[int], safe: list[int]) -> None:
        self.safe = safe
        self._whims = whims
        self._buffer: list[int] = []

    def configure(self, context: Context) -> None:
        pass

    def open(self, controller: Controller) -> None:
        self._controller = controller
        self._maybe_fail()

    def export(self, batch: Sequence[ExportedRecord]) -> None:
        last = (self.safe + self._buffer or [0])[-1]
        self._buffer += [record.position for record in batch if record.position > last]
        self._maybe_fail()
        if self._whim() % 2:
            self._save()
        else:
            self._controller.schedule(0, self._save)

    def _save(self) -> None:
        self._maybe_fail()
        self.safe += self._buffer
        self._buffer = []
        self._controller.acknowledge(self.safe[-1])

    def close(self) -> None:
        pass

    def _whim(self) -> int:
        return self._whims.pop() if self._whims else 1

    def _maybe_fail(self) -> None:
        if self._whim() % 3 == 0:
            raise OSError("no")


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=20),
    cuts=st.lists(st.integers(0, 10), max_size=10),
    whims=st.lists(st.integers(0, 5), max_size=60),
)
def test_no_gap_whatever_fails_and_wherever_it_is_cut(
    sizes: list[int], cuts: list[int], whims: list[int]
) -> None:
    """X1, X2: over runs that end anywhere, all that is acknowledged was safe, in order, no gap."""
    log = _log_of(sizes)
    end = log[-1].last_position
    acknowledged = 0
    for turns in [*cuts, 10_000]:
        exporter = FlakyExporter(whims, safe=list(range(1, acknowledged + 1)))
        for told in _run(exporter, log, acknowledged, turns):
            assert acknowledged < told <= end
            acknowledged = told
        assert exporter.safe == list(range(1, acknowledged + 1))
    assert acknowledged == end


def _log_of(sizes: list[int]) -> list[Entry]:
    log: list[Entry] = []
    position = 1
    for size in sizes:
        record = Record(RecordType.EVENT, JobIntent.CREATED, 1, JobValue())
        log.append(Entry(1, 0, position, position, (record,) * size))
        position += size
    return log


class SteppingClock:
    """Goes on by the longest pause each time that it is asked, so that nothing has to wait."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms

    def monotonic_ns(self) -> int:
        self.ms += EXPORTER_PAUSE_MS_MAX
        return self.ms * 1_000_000


def _run(exporter: FlakyExporter, log: list[Entry], position: int, turns: int) -> list[int]:
    driver = ExporterDriver(exporter, Context("flaky", 1, {}, SteppingClock()))
    driver.open(position, b"")
    told: list[int] = []
    for _ in range(turns):
        if driver.is_ready:
            following = [entry for entry in log if entry.last_position >= driver.next_position]
            driver.receive(following[:3], driver.next_position - 1)
        turn = driver.turn()
        if turn.acknowledgement is not None:
            told.append(turn.acknowledgement.position)
        if told[-1:] == [log[-1].last_position]:
            break
    return told
