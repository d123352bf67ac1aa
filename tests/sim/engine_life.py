"""sim-engine: a random process on a random path, with restarts.

After each step a replica that only replays has the same state, and so has an engine that begins
anew, from the log or from a copy of the state and the rest of the log. Records are audited as they
come (`record_audit`), what is refused changes nothing, and in the end all instances have ended and
have left nothing behind (E7, E10).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from msgspec.structs import replace
from tests.engine.randomly import JOB_TYPES, random_process
from tests.engine.walk import LASTING, STEPS_MAX, Action, Walk
from tests.sim.disk import SimDisk
from tests.sim.marks import Mark, mark
from tests.sim.record_audit import Audit

from grevy.engine import Engine
from grevy.engine.step import NoTopics
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    BpmnElementType,
    ErrorIntent,
    IncidentIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    TimerIntent,
)
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.record import Entry
from grevy.protocol.text_form import entry_lines
from grevy.protocol.values import ProcessInstanceValue
from grevy.state import MemoryBackend, State, open_checkpoint
from grevy.stream import StreamProcessor
from grevy.testing import InProcessEngine, Rejected
from grevy.testing.entropy import SeededEntropy

RESTART: Final = 0.25
"""How often an engine begins anew after a step."""

TAKE: Final = 0.4
"""How often a worker takes jobs after a step, and completes one."""

COPY: Final = 0.25
"""How often a copy of the state is made after a step."""


class EngineMark(Mark):
    """What a column of these runs must reach."""

    REFUSED = "a command is refused, and changes nothing"
    FROM_LOG = "an engine begins anew from the log alone"
    FROM_COPY = "an engine begins anew from a copy of the state and the rest of the log"
    RESTART_WITH_JOB = "an engine begins anew while a worker has a job"
    RESTART_WITH_TIMER = "an engine begins anew while a timer runs"
    RESTART_WITH_INCIDENT = "an engine begins anew while an incident is open"
    LATE_COMPLETION = "a worker completes a job that is not its own any more"
    TIMED_OUT = "a worker keeps a job too long"
    LATE_BACKOFF = "a job that has failed is to be had again after its back-off"
    ERROR_CAUGHT = "an error of a worker is caught"
    ERROR_UNCAUGHT = "an error of a worker is caught by nobody"
    CANCELLED_WITH_JOB = "an instance is cancelled while a worker has its job"
    CANCELLED_STUCK = "an instance is cancelled while it is stuck"
    RESOLVED = "what was stuck goes on"
    FIRED = "a timer fires"
    TIMER_CANCELLED = "a timer is not needed any more"
    BUFFERED = "a message is there before anybody waits for it"
    EXPIRED = "a message expires"
    CORRELATED = "a message reaches an element"
    NESTED_END = "a sub-process is terminated with something in it"


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What a run was."""

    trace_hash: str
    events: int


class _Engine(InProcessEngine):
    """An engine that can be killed and begin anew."""

    copy: tuple[SimDisk, int] | None = None
    """A copy of the state, and how many entries it has."""

    def keep_copy(self) -> None:
        """Make a checkpoint of the state as it is."""
        disk = SimDisk()
        handle = self.state.checkpoint_handle()
        handle.write(disk, "copy")
        handle.close()
        self.copy = (disk, len(self.entries))

    def begin_anew(self, seed: int) -> None:
        """All but the log is lost, and the copy if there is one."""
        before = self.state.hash
        if self.copy is None:
            mark(EngineMark.FROM_LOG)
            state, first = State(MemoryBackend()), 0
        else:
            mark(EngineMark.FROM_COPY)
            disk, first = self.copy
            state = open_checkpoint(disk, "copy", MemoryBackend())
        core = Engine(state, 1, topics=NoTopics(), entropy=SeededEntropy(seed))
        processor = StreamProcessor(core, state)
        processor.commit(self.entries[first:], len(self.entries))
        processor.begin()
        core.due(self.clock.now_ms(), 0)
        assert state.hash == before, "E1: an engine that begins anew has another state"
        assert state.hash == state.recompute_hash(), "E1: the hash is not that of the rows"
        self.state, self.core, self._processor = state, core, processor


class EngineLife:
    """One run."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._seed = seed
        self._xml = random_process(self._rng)
        self._backend = MemoryBackend()
        self._engine = _Engine(seed=seed)
        self._walk = Walk(self._xml, self._engine)
        self._audit = Audit()
        self._replica = State(MemoryBackend())
        self._core = Engine(self._replica, 1)
        self._seen = 0
        self._jobs: list[ActivatedJob] = []

    def run(self) -> EngineReport:
        """Everything; raises what is wrong."""
        for _ in range(self._rng.randint(1, 2)):
            self._engine.create("p", {"x": self._rng.randint(0, 2)})
        for _ in range(self._rng.randint(2, 2 * STEPS_MAX)):
            self._walk.step(self._choose)
            self._work()
            self._look()
            if self._rng.random() < COPY:
                self._engine.keep_copy()
            if self._rng.random() < RESTART:
                self._restart()
        self._walk.finish()
        self._look()
        self._restart()
        self._check_end()
        trace = hashlib.blake2b(digest_size=16)
        for payload in self._engine.entries:
            trace.update(payload)
        return EngineReport(trace.hexdigest(), self._audit.records)

    def story(self) -> Iterator[str]:
        """The process and all records."""
        yield self._xml
        yield "last events:"
        for payload in self._engine.entries:
            yield from entry_lines(decode_entry(payload))

    def _choose(self, actions: list[Action]) -> Action:
        return self._rng.choice(actions)

    def _work(self) -> None:
        """A worker takes jobs, and completes some of them much later."""
        if self._rng.random() < TAKE:
            job_type = self._rng.choice(JOB_TYPES)
            self._jobs += self._engine.activate_jobs(job_type, timeout_ms=3_000)
            if self._rng.random() < 0.5:  # and is too slow: somebody else takes them
                self._engine.increase_time(4)
                self._jobs += self._engine.activate_jobs(job_type, timeout_ms=30_000)
        if self._jobs and self._rng.random() < TAKE:
            job = self._jobs.pop(self._rng.randrange(len(self._jobs)))
            try:
                self._engine.complete(job)
            except Rejected:
                mark(EngineMark.LATE_COMPLETION)

    def _restart(self) -> None:
        if self._audit.jobs.held:
            mark(EngineMark.RESTART_WITH_JOB)
        if self._audit.timers.dates:
            mark(EngineMark.RESTART_WITH_TIMER)
        if self._audit.incidents:
            mark(EngineMark.RESTART_WITH_INCIDENT)
        self._engine.begin_anew(self._rng.getrandbits(32))

    def _look(self) -> None:
        """What is new in the log is audited and replayed."""
        for payload in self._engine.entries[self._seen :]:
            entry = decode_entry(payload)
            self._seen += 1
            self._mark(entry)
            self._audit.take(1, entry)
            self._replay(entry)
        assert self._replica.hash == self._engine.state.hash, "E1: a replica has another state"
        assert self._replica.applied_position == self._engine.state.applied_position

    def _replay(self, entry: Entry) -> None:
        core, state = self._core, self._replica
        kinds = [record.record_type for record in entry.records]
        if kinds == [RecordType.COMMAND, RecordType.COMMAND_REJECTION]:
            mark(EngineMark.REFUSED)
            changes = core.apply(replace(entry, replies=()))
            assert not changes.writes, "E2: what is refused changes the state"
            state.unseal(changes)
        state.commit([core.apply(entry)], self._seen, entry.last_position)

    def _check_end(self) -> None:
        audit = self._audit
        assert ErrorIntent.CREATED not in audit.reached, "E11: a process has stopped the engine"
        assert not audit.elements.alive, f"E10: {audit.elements.alive} never end"
        assert not audit.incidents, f"E10: {audit.incidents} are of nothing"
        assert not audit.jobs.leases, f"E7: {audit.jobs.leases} are left"
        assert not audit.timers.dates, f"E7: {audit.timers.dates} are left"
        backend = self._replica._backend
        assert isinstance(backend, MemoryBackend)
        left = Counter(key[0] for key, _ in backend.rows(b"\1"))
        assert left.keys() <= LASTING, f"E7: rows by table: {left}"

    def _mark(self, entry: Entry) -> None:
        """What was reached with an entry that is not audited yet."""
        command, *outcome = entry.records
        held, is_stuck = self._audit.jobs.held, bool(self._audit.incidents)
        intents = {record.intent for record in outcome}
        for intent, point in _BY_INTENT.items():
            if intent in intents:
                mark(point)
        if command.intent is JobIntent.THROW_ERROR and JobIntent.ERROR_THROWN in intents:
            is_caught = IncidentIntent.CREATED not in intents
            mark(EngineMark.ERROR_CAUGHT if is_caught else EngineMark.ERROR_UNCAUGHT)
        if command.intent is ProcessInstanceIntent.CANCEL and outcome:
            if held & {record.key for record in outcome if record.intent is JobIntent.CANCELED}:
                mark(EngineMark.CANCELLED_WITH_JOB)
            if is_stuck and IncidentIntent.RESOLVED in intents:
                mark(EngineMark.CANCELLED_STUCK)
        for record in outcome:
            value = record.value
            if (
                record.intent is ProcessInstanceIntent.ELEMENT_TERMINATING
                and isinstance(value, ProcessInstanceValue)
                and value.bpmn_element_type is BpmnElementType.SUB_PROCESS
                and self._audit.elements.inside.get(record.key)
            ):
                mark(EngineMark.NESTED_END)
        is_published = command.intent is MessageIntent.PUBLISH and len(outcome) == 1
        if is_published and outcome[0].record_type is RecordType.EVENT:
            mark(EngineMark.BUFFERED)


_BY_INTENT: Final = {
    JobIntent.TIMED_OUT: EngineMark.TIMED_OUT,
    JobIntent.RECURRED_AFTER_BACKOFF: EngineMark.LATE_BACKOFF,
    IncidentIntent.RESOLVED: EngineMark.RESOLVED,
    TimerIntent.TRIGGERED: EngineMark.FIRED,
    TimerIntent.CANCELED: EngineMark.TIMER_CANCELLED,
    MessageIntent.EXPIRED: EngineMark.EXPIRED,
    ProcessMessageSubscriptionIntent.CORRELATED: EngineMark.CORRELATED,
}
