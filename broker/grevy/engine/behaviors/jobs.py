"""Jobs: creating them, handing them to workers, taking them back."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from grevy.bpmn.model import Job
from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.documents import join
from grevy.engine.behaviors.expressions import evaluate_integer, evaluate_text
from grevy.engine.moments import moment
from grevy.engine.step import Step
from grevy.protocol.intents import JobBatchIntent, JobIntent
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.values import JobBatchValue, JobValue

# Looked up once, see step.py.
_CREATED: Final = JobIntent.CREATED
_BATCH_ACTIVATED: Final = JobBatchIntent.ACTIVATED


def new_job(step: Step, here: Here, job: Job) -> JobValue:
    """The job of an element, its expressions evaluated."""
    value = here.value
    return JobValue(
        type=evaluate_text(step, job.type, here.key),
        retries=evaluate_integer(step, job.retries, here.key),
        custom_headers=job.headers,
        element_id=value.element_id,
        element_instance_key=here.key,
        bpmn_process_id=value.bpmn_process_id,
        process_definition_version=value.version,
        process_definition_key=value.process_definition_key,
        process_instance_key=value.process_instance_key,
    )


def create_job(step: Step, job: JobValue) -> None:
    """A job is there, and offered to a worker that waits."""
    key = step.next_key()
    step.event(_CREATED, key, job)
    offer_job(step, key, job)


def offer_job(step: Step, key: int, job: JobValue) -> None:
    """Hands a job that has become activatable to a worker with credit, if there is one."""
    taker = step.take_worker(job.type)
    if taker is None:
        return
    batch = JobBatchValue(
        type=job.type,
        worker=taker.worker,
        timeout=taker.timeout,
        max_jobs_to_activate=1,
        job_keys=(key,),
        fetch_variables=taker.fetch_variables,
        deadline=moment(step.now + taker.timeout),
    )
    step.event(_BATCH_ACTIVATED, step.next_key(), batch)
    step.push(taker, (activated_job(step, key, taker.fetch_variables),))


def activated_job(step: Step, key: int, fetch_variables: tuple[str, ...]) -> ActivatedJob:
    """What a worker gets of a job that was activated: the variables that its element sees, or those
    it asks for.
    """
    job = step.views.jobs.get(key)
    assert job is not None, f"job {key} is not there"
    value = job.value
    scope = value.element_instance_key
    if fetch_variables:
        find = step.views.variables.find
        wanted = [(n, raw) for n in fetch_variables if (raw := find(scope, n)) is not None]
    else:
        wanted = list(step.views.variables.visible(scope).items())
    return ActivatedJob(
        key=key,
        type=value.type,
        worker=value.worker,
        retries=value.retries,
        deadline=value.deadline,
        activation=value.activation,
        custom_headers=value.custom_headers,
        variables=join(wanted),
        element_id=value.element_id,
        element_instance_key=scope,
        bpmn_process_id=value.bpmn_process_id,
        process_definition_version=value.process_definition_version,
        process_definition_key=value.process_definition_key,
        process_instance_key=value.process_instance_key,
    )


def cancel_job(step: Step, here: Here) -> None:
    """The element ends: nobody needs its job any more."""
    instance = step.views.elements.get(here.key)
    job = None if instance is None else step.views.jobs.get(instance.job_key)
    if job is not None:
        step.event(JobIntent.CANCELED, job.key, replace(job.value, variables=b"{}"))
