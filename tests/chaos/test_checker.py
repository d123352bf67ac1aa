"""The checker finds each thing that may go wrong, and nothing in what goes well.

The log is that of a real engine; each test breaks it, or the history, in one way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from tests.chaos.checker import Rule, Violation, check, unfinished
from tests.chaos.history import MARK, Kind, Operation, Outcome
from tests.chaos.model import ORDER

from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    Intent,
    JobIntent,
    MessageIntent,
    MessageStartEventSubscriptionIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    VariableDocumentIntent,
)
from grevy.protocol.record import Answer, Entry, Reply, RequestId
from grevy.protocol.values import MessageStartEventSubscriptionValue
from grevy.testing.engine import InProcessEngine
from grevy.testing.errors import Rejected


@dataclass
class Run:
    """A history and a log that fit, to be broken."""

    engine: InProcessEngine = field(default_factory=InProcessEngine)
    history: list[Operation] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    now_s: float = 0.0

    def do(self, kind: Kind, subject: str, act: Callable[[], int | None]) -> int:
        """One operation after the other, a second each; its key."""
        begin, self.now_s = self.now_s, self.now_s + 1
        outcome, key, reason = Outcome.OK, 0, ""
        try:
            key = act() or 0
        except Rejected as rejected:
            name = rejected.rejection_type.name.title().replace("_", "")
            outcome, reason = Outcome.REJECTED, f"{name}: {rejected.reason}"
        number = len(self.history) + 1
        self.history.append(
            Operation(number, kind, subject, begin, self.now_s - 0.5, outcome, key, reason)
        )
        return key

    def create(self, subject: str) -> int:
        """A process instance."""
        variables = {MARK: subject, "key": subject}
        return self.do(Kind.CREATE, subject, lambda: self.engine.create("order", variables))

    def complete(self, key: int) -> None:
        """A job, by its key."""
        self.do(Kind.COMPLETE, str(key), lambda: self.engine.complete(key))

    def publish(self, subject: str) -> int:
        """A message with an id."""
        return self.do(
            Kind.PUBLISH,
            f"m-{subject}",
            lambda: self.engine.publish("paid", subject, ttl_ms=60_000, message_id=f"m-{subject}"),
        )

    def check(self) -> list[Violation]:
        """What the checker says."""
        return check(self.history, self.log)

    def rules(self) -> set[Rule]:
        """Which rules are broken, but for the sum of them, which `test_order_history` is about."""
        return {violation.rule for violation in self.check()} - {Rule.UNEXPLAINED}

    def forget(self, intent: Intent) -> None:
        """Takes the records of an intent out of the log, without leaving a gap."""
        self.log = [
            replaced(entry, [r for r in entry.records if r.intent is not intent])
            for entry in self.log
        ]
        self._close_gaps()

    def repeat(self, intent: Intent) -> None:
        """The last entry with a record of an intent is in the log once more, at its end."""
        entry = next(e for e in reversed(self.log) if any(r.intent is intent for r in e.records))
        self.log.append(entry)
        self._close_gaps()

    def change(self, number: int, **changes: object) -> None:
        """The history says something else of an operation (from 0)."""
        self.history[number] = msgspec.structs.replace(self.history[number], **changes)

    def of(self, kind: Kind) -> int:
        """The first operation of a kind, as `change` wants it."""
        return next(n for n, operation in enumerate(self.history) if operation.kind is kind)

    def _close_gaps(self) -> None:
        position = 1
        for place, entry in enumerate(self.log):
            self.log[place] = msgspec.structs.replace(entry, first_position=position)
            position += len(entry.records)


def replaced(entry: Entry, records: list[object]) -> Entry:
    """An entry with other records."""
    return msgspec.structs.replace(entry, records=tuple(records))


@pytest.fixture
def run() -> Run:
    """Two orders that go through, one that is cancelled; each operation once."""
    run = Run()
    engine = run.engine
    engine.deploy("order.bpmn", ORDER)
    keys = {name: run.create(name) for name in ("a", "b", "c")}
    run.do(Kind.SET, "s", lambda: engine.set_variables(keys["a"], {MARK: "s"}))
    jobs = engine.activate_jobs("work")
    for job in jobs[:2]:
        run.complete(job.key)
    run.publish("a")
    run.publish("b")
    run.do(Kind.CANCEL, str(keys["c"]), lambda: engine.cancel(keys["c"]))
    run.complete(jobs[0].key)  # refused: it is gone
    run.publish("z")  # for an order that there is not
    run.publish("z")  # refused: its id is known
    run.do(Kind.CANCEL, str(keys["c"]), lambda: engine.cancel(keys["c"]))  # refused: it has ended
    run.log = [decode_entry(payload) for payload in engine.entries]
    return run


def test_what_goes_well_breaks_no_rule(run: Run) -> None:
    refused = [o for o in run.history if o.outcome is Outcome.REJECTED]

    assert [o.kind for o in refused] == [Kind.COMPLETE, Kind.PUBLISH, Kind.CANCEL]
    assert run.check() == []
    assert unfinished(run.log) == []


def test_what_nobody_knows_may_have_happened_or_not(run: Run) -> None:
    for number, operation in enumerate(run.history):
        if operation.outcome is Outcome.OK:
            run.change(number, outcome=Outcome.UNKNOWN, end_s=float("inf"), key=0)
    run.history.append(Operation(99, Kind.CREATE, "never", 50.0))
    run.history.append(Operation(100, Kind.PUBLISH, "never", 50.0))

    assert run.check() == []


@pytest.mark.parametrize(
    ("intent", "kind"),
    [
        (ProcessInstanceCreationIntent.CREATED, Kind.CREATE),
        (JobIntent.COMPLETED, Kind.COMPLETE),
        (MessageIntent.PUBLISHED, Kind.PUBLISH),
        (ProcessInstanceIntent.ELEMENT_TERMINATING, Kind.CANCEL),
        (VariableDocumentIntent.UPDATED, Kind.SET),
    ],
)
def test_lost(run: Run, intent: Intent, kind: Kind) -> None:
    run.forget(intent)

    lost = [v.what for v in run.check() if v.rule is Rule.LOST]
    assert lost
    assert all(what.startswith(kind.value) for what in lost), lost


@pytest.mark.parametrize(
    "intent",
    [
        ProcessInstanceCreationIntent.CREATED,
        JobIntent.COMPLETED,
        MessageIntent.PUBLISHED,
        VariableDocumentIntent.UPDATED,
    ],
)
@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.UNKNOWN])
def test_doubled(run: Run, intent: Intent, outcome: Outcome) -> None:
    for number in range(len(run.history)):
        run.change(number, outcome=outcome)
    run.repeat(intent)

    assert Rule.DOUBLED in run.rules()


def test_a_job_that_two_are_told_to_have_completed(run: Run) -> None:
    number = run.of(Kind.COMPLETE)
    run.history.append(msgspec.structs.replace(run.history[number], number=99))

    assert run.rules() == {Rule.DOUBLED}


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.COMPLETE, Kind.PUBLISH, Kind.SET])
def test_refused_yet_done(run: Run, kind: Kind) -> None:
    run.change(run.of(kind), outcome=Outcome.REJECTED, reason="Unavailable: nobody leads")

    assert Rule.REFUSED_YET_DONE in run.rules()


def test_a_job_that_is_there_is_not_found(run: Run) -> None:
    run.engine.create("order", {MARK: "d", "key": "d"})
    (job,) = run.engine.activate_jobs("work")
    run.history.append(Operation(98, Kind.CREATE, "d", 60.0))
    run.complete(job.key)
    run.change(-1, outcome=Outcome.REJECTED, reason="NotFound: no such job")
    run.log = [decode_entry(payload) for payload in run.engine.entries[:-1]]

    assert run.rules() == {Rule.REFUSED_WITHOUT_CAUSE}


def test_a_job_is_not_found_before_anybody_completes_it(run: Run) -> None:
    number = run.of(Kind.COMPLETE)
    done = run.history[number]
    early = msgspec.structs.replace(
        done, number=99, outcome=Outcome.REJECTED, reason="NotFound", end_s=done.begin_s - 0.1
    )
    run.history.append(early)

    assert run.rules() == {Rule.REFUSED_WITHOUT_CAUSE}


def test_an_instance_that_runs_is_not_found(run: Run) -> None:
    key = run.create("d")
    run.do(Kind.CANCEL, str(key), lambda: None)
    run.change(-1, outcome=Outcome.REJECTED, reason="NotFound: no such instance")
    run.log = [decode_entry(payload) for payload in run.engine.entries]

    assert run.rules() == {Rule.REFUSED_WITHOUT_CAUSE}
    assert [v.rule for v in unfinished(run.log)] == [Rule.UNFINISHED]


def test_a_message_is_there_already_though_nobody_published_it(run: Run) -> None:
    operation = Operation(
        99, Kind.PUBLISH, "m-new", 60.0, 61.0, Outcome.REJECTED, reason="AlreadyExists: m-new"
    )
    run.history.append(operation)

    assert run.rules() == {Rule.REFUSED_WITHOUT_CAUSE}


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.COMPLETE, Kind.PUBLISH, Kind.SET])
def test_unasked(run: Run, kind: Kind) -> None:
    subject = run.history[run.of(kind)].subject
    run.history = [o for o in run.history if (o.kind, o.subject) != (kind, subject)]

    assert run.rules() == {Rule.UNASKED}


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.PUBLISH])
def test_another_key(run: Run, kind: Kind) -> None:
    run.change(run.of(kind), key=4711)

    assert run.rules() == {Rule.OTHER_KEY}


def test_out_of_order(run: Run) -> None:
    first, last = run.history[0], run.history[2]
    run.change(0, begin_s=last.begin_s + 10, end_s=last.end_s + 10)
    run.change(2, begin_s=first.begin_s, end_s=first.end_s)

    assert run.rules() == {Rule.OUT_OF_ORDER}


def test_what_overlaps_may_come_in_any_order(run: Run) -> None:
    run.change(0, end_s=run.history[2].begin_s + 0.1)
    run.change(2, begin_s=run.history[0].begin_s - 0.1)

    assert run.check() == []


def test_an_instance_that_has_ended_by_now_is_not_found_too_early(run: Run) -> None:
    created = run.history[run.of(Kind.CREATE)]
    gone = Operation(
        *(99, Kind.CANCEL, str(created.key), created.end_s, created.end_s + 0.1),
        outcome=Outcome.REJECTED,
        reason="NotFound: no such instance",
    )
    run.history.append(gone)

    assert [violation.rule for violation in run.check()] == [Rule.UNEXPLAINED]


def test_a_message_correlates_once_for_a_process(run: Run) -> None:
    run.repeat(ProcessMessageSubscriptionIntent.CORRELATED)

    assert Rule.CORRELATED_TWICE in run.rules()


def test_a_message_that_starts_an_instance_correlates_to_no_other(run: Run) -> None:
    place, entry, record = next(
        (place, entry, record)
        for place, entry in enumerate(run.log)
        for record in entry.records
        if record.intent is ProcessMessageSubscriptionIntent.CORRELATED
    )
    value = MessageStartEventSubscriptionValue(
        bpmn_process_id="order", message_key=getattr(record.value, "message_key", 0)
    )
    intent = MessageStartEventSubscriptionIntent.CORRELATED
    started = msgspec.structs.replace(record, intent=intent, value=value)
    run.log[place] = replaced(entry, [*entry.records, started])
    run._close_gaps()

    assert run.rules() == {Rule.CORRELATED_TWICE}


def test_a_request_has_one_answer(run: Run) -> None:
    reply = Reply(RequestId(b"c" * 16, 7), Answer(intent=0, key=1))
    for place in (1, 3):
        run.log[place] = msgspec.structs.replace(run.log[place], replies=(reply,))

    assert run.rules() == {Rule.ANSWERED_TWICE}


@pytest.mark.parametrize("by", [-1, 1])
def test_positions_are_missing_or_overlap(run: Run, by: int) -> None:
    entry = run.log[4]
    run.log[4] = msgspec.structs.replace(entry, first_position=entry.first_position + by)

    assert run.rules() == {Rule.LOG_GAP}


def test_a_log_that_was_compacted_begins_later(run: Run) -> None:
    positions = [e.first_position + 1_000 for e in run.log]
    run.log = [
        msgspec.structs.replace(entry, first_position=position)
        for entry, position in zip(run.log, positions, strict=True)
    ]

    assert run.check() == []
