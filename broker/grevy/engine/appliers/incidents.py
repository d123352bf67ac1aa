"""Appliers of incidents."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.stores import Stores
from grevy.engine.tables import JobState, StoredIncident
from grevy.protocol.values import IncidentValue


def apply_incident_created(stores: Stores, key: int, value: IncidentValue) -> None:
    """An element is stuck; a command that failed waits for the incident's resolution."""
    command = stores.pending.take(value.parked_position)
    stores.incidents.put(StoredIncident(key, value, command))


def apply_incident_resolved(stores: Stores, key: int, value: IncidentValue) -> None:
    """The element goes on; a job that was at rest is activatable again."""
    stores.incidents.remove(key)
    job = stores.jobs.get(value.job_key)
    if job is not None and job.state in (JobState.FAILED, JobState.ERROR_THROWN):
        element = replace(job.value, element_id=value.element_id)
        stores.jobs.put(value.job_key, element, JobState.ACTIVATABLE)
