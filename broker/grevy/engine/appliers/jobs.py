"""Appliers of jobs."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.stores import Stores
from grevy.engine.tables import NO_CATCH_EVENT, JobState
from grevy.protocol.values import JobBatchValue, JobValue


def apply_job_created(stores: Stores, key: int, value: JobValue) -> None:
    """A job waits for a worker; its element knows it."""
    stores.jobs.put(key, value, JobState.ACTIVATABLE)
    stores.elements.note_job(value.element_instance_key, key)


def apply_job_batch_activated(stores: Stores, _key: int, value: JobBatchValue) -> None:
    """A worker has taken jobs until the deadline."""
    for key in value.job_keys:
        job = stores.jobs.get(key)
        assert job is not None, f"job {key} was activated and is not there"
        taken = replace(
            job.value,
            worker=value.worker,
            deadline=value.deadline,
            activation=job.value.activation + 1,
        )
        stores.jobs.put(key, taken, JobState.ACTIVATED)


def apply_job_finished(stores: Stores, key: int, _value: JobValue) -> None:
    """A job is completed or cancelled."""
    stores.jobs.remove(key)


def apply_job_failed(stores: Stores, key: int, value: JobValue) -> None:
    """A worker has failed: with retries left the job goes back, at once or after its back-off."""
    is_waiting = value.retries <= 0 or value.recurring_time > 0
    stores.jobs.put(key, value, JobState.FAILED if is_waiting else JobState.ACTIVATABLE)


def apply_job_activatable(stores: Stores, key: int, value: JobValue) -> None:
    """A job waits for a worker again."""
    stores.jobs.put(key, value, JobState.ACTIVATABLE)


def apply_job_error_thrown(stores: Stores, key: int, value: JobValue) -> None:
    """A worker has thrown an error: caught, the job is done with; else it is at rest until its
    element ends or its incident is resolved.
    """
    if value.element_id == NO_CATCH_EVENT:
        stores.jobs.put(key, value, JobState.ERROR_THROWN)
    else:
        apply_job_finished(stores, key, value)


def apply_job_updated(stores: Stores, key: int, value: JobValue) -> None:
    """A job's retries or time-out have changed; its state has not."""
    job = stores.jobs.get(key)
    assert job is not None, f"job {key} was updated and is not there"
    stores.jobs.put(key, value, job.state)
