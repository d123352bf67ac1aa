"""Processors of jobs: what workers do with them, and what time does."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.behaviors.documents import BadDocument, split, variables_of
from grevy.engine.behaviors.error_events import find_catch
from grevy.engine.behaviors.events import instance_accepts, trigger
from grevy.engine.behaviors.incidents import raise_incident
from grevy.engine.behaviors.jobs import activated_job, offer_job
from grevy.engine.behaviors.variables import set_local
from grevy.engine.moments import moment
from grevy.engine.step import Command, Step
from grevy.engine.tables import NO_CATCH_EVENT, ElementInstance, JobState, StoredJob
from grevy.protocol.intents import (
    ErrorType,
    JobBatchIntent,
    JobIntent,
    ProcessEventIntent,
    ProcessInstanceIntent,
    RejectionType,
)
from grevy.protocol.limits import (
    ERROR_MESSAGE_CHARS_MAX,
    JOB_PUSH_BYTES_MAX,
    JOBS_PER_ACTIVATION_MAX,
)
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    Document,
    JobBatchValue,
    JobValue,
    ProcessEventValue,
)

# Looked up once, see step.py.
_COMPLETED: Final = JobIntent.COMPLETED
_TRIGGERING: Final = ProcessEventIntent.TRIGGERING
_COMPLETE_ELEMENT: Final = ProcessInstanceIntent.COMPLETE_ELEMENT
_AT_REST: Final = frozenset({JobState.FAILED, JobState.ERROR_THROWN})


def activate_jobs(step: Step, command: Command) -> None:
    """Hands out jobs of a type that wait, oldest first, as many as fit a message."""
    value = command.value
    assert isinstance(value, JobBatchValue), value
    fault = _batch_fault(value)
    if fault:
        reason = f"Expected to activate jobs, but {fault}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    limit = min(value.max_jobs_to_activate, JOBS_PER_ACTIVATION_MAX)
    deadline = moment(step.now + value.timeout)
    jobs: list[ActivatedJob] = []
    size = 0
    is_truncated = False
    for key in step.views.jobs.activatable(value.type, limit):
        job = activated_job(step, key, value.fetch_variables)
        size += len(job.variables)
        if jobs and size > JOB_PUSH_BYTES_MAX:
            is_truncated = True
            break
        jobs.append(job)
    keys = tuple(job.key for job in jobs)
    batch = replace(value, job_keys=keys, deadline=deadline, truncated=is_truncated)
    key = step.next_key()
    step.event(JobBatchIntent.ACTIVATED, key, batch)
    target = step.taker or step.request
    if step.taker is not None:
        step.use_credit(step.taker, len(jobs))
    if target is not None and jobs:
        step.push(target, tuple(_taken(step, job) for job in jobs))
    step.answer(JobBatchIntent.ACTIVATED, key, batch)


def complete_job(step: Step, command: Command) -> None:
    """A worker has done a job: its element completes with the variables."""
    job = _workable(step, command, "complete")
    variables = _document(step, command, "complete") if job is not None else None
    if job is None or variables is None:
        return
    done = replace(job.value, variables=variables)
    step.event(_COMPLETED, command.key, done)
    step.answer(_COMPLETED, command.key)
    instance = step.views.elements.get(job.value.element_instance_key)
    if instance is None or not step.views.elements.is_active_scope(instance.value.flow_scope_key):
        return
    event = ProcessEventValue(
        scope_key=instance.key,
        target_element_id=instance.value.element_id,
        variables=variables,
        process_definition_key=job.value.process_definition_key,
        process_instance_key=job.value.process_instance_key,
    )
    step.event(_TRIGGERING, step.next_key(), event)
    step.follow_up(_COMPLETE_ELEMENT, instance.key, instance.value)


def fail_job(step: Step, command: Command) -> None:
    """A worker could not do a job: it goes back, after its back-off; without retries it is an
    incident. What the worker says of it stays with the element.
    """
    value = _value(command)
    job = _workable(step, command, "fail")
    variables = _document(step, command, "fail") if job is not None else None
    if job is None or variables is None:
        return
    has_backoff = value.retries > 0 and value.retry_backoff > 0
    failed = replace(
        job.value,
        retries=value.retries,
        error_message=value.error_message[:ERROR_MESSAGE_CHARS_MAX],
        retry_backoff=value.retry_backoff,
        recurring_time=moment(step.now + value.retry_backoff) if has_backoff else -1,
    )
    step.event(JobIntent.FAILED, command.key, failed)
    instance = step.views.elements.get(job.value.element_instance_key)
    if instance is not None:
        set_local(step, instance.key, instance.value, split(variables))
    if value.retries <= 0:
        message = failed.error_message or "No more retries left."
        _raise(step, job, instance, Stuck(ErrorType.JOB_NO_RETRIES, message, job_key=job.key))
    elif not has_backoff:
        offer_job(step, command.key, failed)
    step.answer(JobIntent.FAILED, command.key)


def throw_error(step: Step, command: Command) -> None:
    """A worker throws a BPMN error: the nearest scope that catches it goes on there; else it is an
    incident.
    """
    value = _value(command)
    job = _workable(step, command, "throw an error for")
    variables = _document(step, command, "throw an error for") if job is not None else None
    if job is None or variables is None:
        return
    catch = find_catch(step, job.value.element_instance_key, value.error_code)
    thrown = replace(
        job.value,
        error_code=value.error_code,
        error_message=value.error_message[:ERROR_MESSAGE_CHARS_MAX],
        variables=variables,
        element_id=job.value.element_id if catch is not None else NO_CATCH_EVENT,
    )
    step.event(JobIntent.ERROR_THROWN, command.key, thrown)
    instance = step.views.elements.get(job.value.element_instance_key)
    if catch is not None:
        if instance_accepts(step, catch.host):
            trigger(step, catch.host, catch.event, variables)
    else:
        message = (
            f"Expected to throw an error event with the code '{value.error_code}' "
            f"and the message '{thrown.error_message}', but it was not caught."
        )
        _raise(
            step, job, instance, Stuck(ErrorType.UNHANDLED_ERROR_EVENT, message, job_key=job.key)
        )
    step.answer(JobIntent.ERROR_THROWN, command.key)


def update_retries(step: Step, command: Command) -> None:
    """Sets how often a job may still fail."""
    value = _value(command)
    if value.retries < 1:
        reason = (
            f"Expected to update the retries of job {command.key} to at least 1, "
            f"but {value.retries} is given"
        )
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    job = step.views.jobs.get(command.key)
    if job is None:
        _reject_missing(step, command, "update the retries of")
        return
    step.event(JobIntent.RETRIES_UPDATED, command.key, replace(job.value, retries=value.retries))
    step.answer(JobIntent.RETRIES_UPDATED, command.key)


def update_timeout(step: Step, command: Command) -> None:
    """Gives a worker more (or less) time, counted from now."""
    value = _value(command)
    job = step.views.jobs.get(command.key)
    if job is None:
        _reject_missing(step, command, "update the time-out of")
        return
    if job.state is not JobState.ACTIVATED:
        reason = f"Expected to update the time-out of job {command.key}, but it is not activated"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    deadline = moment(step.now + value.timeout)
    updated = replace(job.value, deadline=deadline, timeout=value.timeout)
    step.event(JobIntent.TIMEOUT_UPDATED, command.key, updated)
    step.answer(JobIntent.TIMEOUT_UPDATED, command.key)


def time_out_job(step: Step, command: Command) -> None:
    """A worker's time is up: another one may take the job."""
    _take_back(step, command, JobIntent.TIMED_OUT, "time out")


def yield_job(step: Step, command: Command) -> None:
    """A job could not be delivered, or its worker has vanished: another one may take it."""
    job = step.views.jobs.get(command.key)
    activation = _value(command).activation
    if job is not None and activation not in (0, job.value.activation):
        reason = f"Expected to yield job {command.key}, but it was activated again meanwhile"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    _take_back(step, command, JobIntent.YIELDED, "yield")


def recur_job(step: Step, command: Command) -> None:
    """A failed job's back-off is over."""
    job = step.views.jobs.get(command.key)
    if job is None or job.state is not JobState.FAILED:
        _reject_missing(step, command, "make activatable")
        return
    recurred = replace(job.value, recurring_time=-1)
    step.event(JobIntent.RECURRED_AFTER_BACKOFF, command.key, recurred)
    offer_job(step, command.key, recurred)


def _take_back(step: Step, command: Command, intent: JobIntent, verb: str) -> None:
    job = step.views.jobs.get(command.key)
    if job is None:
        _reject_missing(step, command, verb)
        return
    if job.state is not JobState.ACTIVATED:
        reason = f"Expected to {verb} job {command.key}, but it is not activated"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    step.event(intent, command.key, job.value)
    offer_job(step, command.key, job.value)


def _workable(step: Step, command: Command, verb: str) -> StoredJob | None:
    """The job, if a worker may still say something of it; a lease that is over counts for
    nothing.
    """
    value = _value(command)
    job = step.views.jobs.get(command.key)
    if job is None:
        _reject_missing(step, command, verb)
        return None
    if job.state in _AT_REST:
        state = "failed" if job.state is JobState.FAILED else "in the state of a thrown error"
        reason = f"Expected to {verb} job {command.key}, but it is {state}"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return None
    if value.activation not in (0, job.value.activation):
        reason = (
            f"Expected to {verb} job {command.key} of activation {value.activation}, "
            f"but it was handed out again since: activation {job.value.activation}"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return None
    return job


def _document(step: Step, command: Command, verb: str) -> Document | None:
    if _value(command).variables == EMPTY_DOCUMENT:
        return EMPTY_DOCUMENT
    try:
        return variables_of(step, command)
    except BadDocument as error:
        reason = f"Expected to {verb} job {command.key}, but {error}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return None


def _raise(step: Step, job: StoredJob, instance: ElementInstance | None, stuck: Stuck) -> None:
    if instance is not None:
        raise_incident(
            step, Here(instance.key, instance.value, step.element(instance.value)), stuck
        )


def _reject_missing(step: Step, command: Command, verb: str) -> None:
    reason = f"Expected to {verb} job {command.key}, but no such job was found"
    step.reject(command, RejectionType.NOT_FOUND, reason)


def _batch_fault(value: JobBatchValue) -> str:
    if not value.type:
        return "no type is given"
    if value.timeout < 1:
        return f"the time-out must be at least 1 ms, and is {value.timeout}"
    if value.max_jobs_to_activate < 1:
        return f"at least 1 job must be asked for, not {value.max_jobs_to_activate}"
    return ""


def _taken(step: Step, job: ActivatedJob) -> ActivatedJob:
    stored = step.views.jobs.get(job.key)
    assert stored is not None, f"job {job.key} is not there"
    value = stored.value
    return replace(job, worker=value.worker, deadline=value.deadline, activation=value.activation)


def _value(command: Command) -> JobValue:
    value = command.value
    assert isinstance(value, JobValue), value
    return value
