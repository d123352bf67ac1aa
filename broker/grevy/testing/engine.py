"""A broker's engine without the broker: no sockets, no files, no threads, no clock but the test's.

Every command is processed, committed and carried on until the engine has nothing left to do, before
the call returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from grevy.engine import Command, Engine, JobTopics
from grevy.protocol.intents import (
    INTENTS,
    DecisionEvaluationIntent,
    DeploymentIntent,
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ResourceDeletionIntent,
    VariableDocumentIntent,
    VariableDocumentUpdateSemantic,
)
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.record import Answer, RequestId
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    DecisionEvaluationValue,
    DeploymentValue,
    Document,
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceResultValue,
    ProcessInstanceValue,
    ResourceDeletionValue,
    ResourceFile,
    Value,
    VariableDocumentValue,
)
from grevy.state import MemoryBackend, State
from grevy.stream import StreamProcessor
from grevy.testing.clock import VirtualClock
from grevy.testing.decisions import DecisionOutcome
from grevy.testing.entropy import SeededEntropy
from grevy.testing.errors import NoJob, NoResult, Rejected
from grevy.testing.records import Incident, RecordLog

Variables: TypeAlias = Mapping[str, object]
"""Variables of a command, by name; the values are what JSON can say."""

JOB_TIMEOUT_MS: Final = 300_000
JOBS_MAX: Final = 32
WORKER: Final = "test"
_CLIENT: Final = b"grevy.testing\0\0\0"


class AwaitedInstance:
    """An instance whose result is awaited."""

    def __init__(self, engine: InProcessEngine, request: RequestId, key: int) -> None:
        self._engine = engine
        self._request = request
        self.process_instance_key = key

    @property
    def is_done(self) -> bool:
        """Whether the instance has ended."""
        return self._engine.answer_to(self._request) is not None

    def result(self) -> dict[str, object]:
        """Its last variables; raises NoResult while it runs, Rejected if it was terminated."""
        answer = self._engine.answer_to(self._request)
        if answer is None:
            raise NoResult(self.process_instance_key)
        value = _accepted(answer).value
        assert isinstance(value, ProcessInstanceResultValue), value
        return msgspec.json.decode(value.variables, type=dict[str, object])


class InProcessEngine:
    """One partition, with its state in memory (or in the state that is given).

    A refused command raises Rejected. `entries` is the log, as a broker would write it; `seed`
    decides what `uuid()` and `random number()` give.
    """

    def __init__(
        self,
        *,
        state: State | None = None,
        clock: VirtualClock | None = None,
        topics: JobTopics | None = None,
        seed: int = 0,
    ) -> None:
        self.state = state if state is not None else State(MemoryBackend())
        self.clock = clock if clock is not None else VirtualClock()
        self.records = RecordLog()
        self.entries: list[bytes] = []
        self.core = Engine(self.state, 1, topics=topics, entropy=SeededEntropy(seed))
        self.core.due(self.clock.now_ms(), 0)  # the schedule begins now
        self._processor = StreamProcessor(self.core, self.state)
        self._index = 0
        self._requests = 0
        self._answers: dict[RequestId, Answer] = {}
        self._fetched: dict[RequestId, list[ActivatedJob]] = {}

    def deploy(self, name: str | Path, content: bytes | str | None = None) -> DeploymentValue:
        """Deploys a file: from a path, or from its content under a name."""
        if content is None:
            path = Path(name)
            return self.deploy_files({path.name: path.read_bytes()})
        return self.deploy_files({str(name): content})

    def deploy_files(self, files: Mapping[str, bytes | str]) -> DeploymentValue:
        """Deploys files together: all or none."""
        resources = tuple(
            ResourceFile(name, content.encode() if isinstance(content, str) else content)
            for name, content in files.items()
        )
        answer = self.execute(DeploymentIntent.CREATE, -1, DeploymentValue(resources))
        assert isinstance(answer.value, DeploymentValue), answer
        return answer.value

    def delete(self, key: int) -> None:
        """Deletes a process definition, or a requirement graph with its decisions, by its key."""
        self.execute(ResourceDeletionIntent.DELETE, -1, ResourceDeletionValue(key))

    def evaluate_decision(
        self, decision_id: str = "", variables: Variables | None = None, *, decision_key: int = -1
    ) -> DecisionOutcome:
        """Evaluates a decision: the newest version of an id, or that of a key."""
        value = DecisionEvaluationValue(
            decision_key=decision_key, decision_id=decision_id, variables=_document(variables)
        )
        answer = self.execute(DecisionEvaluationIntent.EVALUATE, -1, value)
        assert isinstance(answer.value, DecisionEvaluationValue), answer
        return DecisionOutcome(answer.key, answer.value)

    def create(
        self,
        process_id: str,
        variables: Variables | None = None,
        *,
        version: int = -1,
        start_before: Sequence[str] = (),
    ) -> int:
        """Creates an instance of a process (its newest version); its key.

        It starts at its none start event, or before some elements.
        """
        value = _creation(process_id, variables, version, start_before)
        answer = self.execute(ProcessInstanceCreationIntent.CREATE, -1, value)
        return _created(answer)

    def create_with_result(
        self,
        process_id: str,
        variables: Variables | None = None,
        *,
        version: int = -1,
        fetch_variables: Sequence[str] = (),
        start_before: Sequence[str] = (),
    ) -> AwaitedInstance:
        """Creates an instance whose result is awaited.

        Its variables at its end, all or those named.
        """
        creation = _creation(process_id, variables, version, start_before)
        value = msgspec.structs.replace(creation, fetch_variables=tuple(fetch_variables))
        before = len(self.records)
        request = self._next_request()
        intent = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
        self.submit(Command(intent, -1, value), request)
        answer = self.answer_to(request)
        if answer is not None:
            _accepted(answer)
        created = self.records[before:]
        keys = [r.key for r in created if isinstance(r.value, ProcessInstanceValue)]
        return AwaitedInstance(self, request, keys[0])

    def activate_jobs(
        self,
        job_type: str,
        max_jobs: int = JOBS_MAX,
        *,
        timeout_ms: int = JOB_TIMEOUT_MS,
        worker: str = WORKER,
        fetch_variables: Sequence[str] = (),
    ) -> list[ActivatedJob]:
        """Takes jobs of a type that wait, oldest first."""
        value = JobBatchValue(
            type=job_type,
            worker=worker,
            timeout=timeout_ms,
            max_jobs_to_activate=max_jobs,
            fetch_variables=tuple(fetch_variables),
        )
        request = self._next_request()
        self.submit(Command(JobBatchIntent.ACTIVATE, -1, value), request)
        answer = self.answer_to(request)
        assert answer is not None, "an activation is answered at once"
        _accepted(answer)
        return self._fetched.pop(request, [])

    def complete(self, job: str | int | ActivatedJob, variables: Variables | None = None) -> None:
        """Completes a job.

        A key, an activated one, or the oldest of a type; raises NoJob if there is none.
        """
        self._work(JobIntent.COMPLETE, job, JobValue(variables=_document(variables)))

    def fail(
        self,
        job: str | int | ActivatedJob,
        *,
        retries: int = 0,
        backoff_ms: int = 0,
        message: str = "",
        variables: Variables | None = None,
    ) -> None:
        """Fails a job, named as in `complete`; `retries` are those that are left."""
        value = JobValue(
            retries=retries,
            retry_backoff=backoff_ms,
            error_message=message,
            variables=_document(variables),
        )
        self._work(JobIntent.FAIL, job, value)

    def throw_error(
        self,
        job: str | int | ActivatedJob,
        code: str,
        message: str = "",
        variables: Variables | None = None,
    ) -> None:
        """Throws a BPMN error from a job, named as in `complete`."""
        value = JobValue(error_code=code, error_message=message, variables=_document(variables))
        self._work(JobIntent.THROW_ERROR, job, value)

    def update_retries(self, job_key: int, retries: int) -> None:
        """Sets how often a job may still fail."""
        self.execute(JobIntent.UPDATE_RETRIES, job_key, JobValue(retries=retries))

    def update_timeout(self, job_key: int, timeout_ms: int) -> None:
        """Gives an activated job another time-out, from now."""
        self.execute(JobIntent.UPDATE_TIMEOUT, job_key, JobValue(timeout=timeout_ms))

    def publish(
        self,
        name: str,
        correlation_key: str = "",
        variables: Variables | None = None,
        *,
        ttl_ms: int = 0,
        message_id: str = "",
    ) -> int:
        """Publishes a message; its key."""
        value = MessageValue(
            name=name,
            correlation_key=correlation_key,
            message_id=message_id,
            time_to_live=ttl_ms,
            variables=_document(variables),
        )
        return self.execute(MessageIntent.PUBLISH, -1, value).key

    def cancel(self, process_instance_key: int) -> None:
        """Cancels an instance."""
        self.execute(ProcessInstanceIntent.CANCEL, process_instance_key, ProcessInstanceValue())

    def set_variables(
        self, element_instance_key: int, variables: Variables, *, local: bool = False
    ) -> None:
        """Sets variables at an element instance: there, or where they are from there upwards."""
        semantics = VariableDocumentUpdateSemantic
        value = VariableDocumentValue(
            scope_key=element_instance_key,
            update_semantics=semantics.LOCAL if local else semantics.PROPAGATE,
            variables=_document(variables),
        )
        self.execute(VariableDocumentIntent.UPDATE, -1, value)

    def incidents(self, process_instance_key: int | None = None) -> list[Incident]:
        """The incidents (of an instance) that nobody has resolved yet, oldest first."""
        return self.records.incidents(process_instance_key)

    def resolve_incident(self, incident: int | Incident, *, retries: int = 0) -> None:
        """Tries again what was stuck; `retries` are given to its job before, if it has one."""
        if isinstance(incident, Incident):
            if retries > 0:
                self.update_retries(incident.job_key, retries)
            incident = incident.key
        self.execute(IncidentIntent.RESOLVE, incident, IncidentValue())

    def increase_time(self, by: float | timedelta, *, at_once: bool = False) -> None:
        """Moves the clock (seconds); what becomes due happens in its order, each at its own time.

        `at_once`: the clock jumps, and all that became due meanwhile happens at the end, as after a
        long pause of the machine.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        until = self.clock.now_ms() + round(seconds * 1000)
        while not at_once and (due := self.core.schedule.next_due(until)) is not None:
            self.clock.move_to(max(due, self.clock.now_ms()))
            if not self._run_due():
                break
        self.clock.move_to(until)
        while self._run_due():
            pass

    def variables(self, scope_key: int) -> dict[str, object]:
        """The variables of a process instance's or element instance's own scope: as they are, or
        as they were when it ended.
        """
        return self.records.variables(scope_key)

    def execute(self, intent: Intent, key: int, value: Value) -> Answer:
        """Sends any command and returns its answer; raises Rejected."""
        request = self._next_request()
        self.submit(Command(intent, key, value), request)
        answer = self.answer_to(request)
        assert answer is not None, f"{intent.name} was not answered"
        return _accepted(answer)

    def submit(self, command: Command, request: RequestId | None = None) -> None:
        """Processes a command as a client's `request` and all that follows.

        A request that comes again does nothing.
        """
        if request is not None and self._processor.recall(request) is not None:
            return
        self._processor.submit(command, self.clock.now_ms(), request)
        self._commit()
        while self._processor.has_pending:
            self._processor.go_on(self.clock.now_ms())
            self._commit()

    def answer_to(self, request: RequestId) -> Answer | None:
        """The answer to a request, if it has one yet."""
        return self._answers.get(request)

    def _work(self, intent: JobIntent, job: str | int | ActivatedJob, value: JobValue) -> None:
        if isinstance(job, str):
            jobs = self.activate_jobs(job, 1)
            if not jobs:
                raise NoJob(job)
            job = jobs[0]
        if isinstance(job, ActivatedJob):
            value = msgspec.structs.replace(value, activation=job.activation)
            job = job.key
        self.execute(intent, job, value)

    def _next_request(self) -> RequestId:
        self._requests += 1
        return RequestId(_CLIENT, self._requests)

    def _commit(self) -> None:
        payloads = self._processor.take_entries()
        self._index += len(payloads)
        effects = self._processor.commit(payloads, self._index)
        self.entries.extend(payloads)
        for payload in payloads:
            self.records.append(payload)
        for reply in effects.replies:
            self._answers[reply.request] = reply.answer
        for push in effects.pushes:
            if isinstance(push.taker, RequestId):
                self._fetched.setdefault(push.taker, []).extend(push.jobs)

    def _run_due(self) -> bool:
        """Processes what is due now; whether there was any."""
        before = len(self.records)
        now = self.clock.now_ms()
        self._processor.run_schedule(now)
        self._commit()
        while self._processor.has_pending:
            self._processor.go_on(now)
            self._commit()
        return len(self.records) > before


def _document(variables: Variables | None) -> Document:
    return msgspec.json.encode(variables) if variables else EMPTY_DOCUMENT


def _creation(
    process_id: str, variables: Variables | None, version: int, start_before: Sequence[str]
) -> ProcessInstanceCreationValue:
    return ProcessInstanceCreationValue(
        bpmn_process_id=process_id,
        version=version,
        variables=_document(variables),
        start_instructions=tuple(start_before),
    )


def _created(answer: Answer) -> int:
    value = answer.value
    assert isinstance(value, ProcessInstanceCreationValue), value
    return value.process_instance_key


def _accepted(answer: Answer) -> Answer:
    if answer.rejection_type is not None:
        raise Rejected(INTENTS[answer.intent], answer.rejection_type, answer.rejection_reason)
    return answer
