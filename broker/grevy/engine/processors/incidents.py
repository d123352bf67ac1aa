"""The processor that resolves incidents."""

from __future__ import annotations

import msgspec

from grevy.engine.behaviors.jobs import offer_job
from grevy.engine.step import Command, Step
from grevy.engine.tables import Lifecycle, StoredIncident
from grevy.protocol.intents import INTENTS, IncidentIntent, ProcessInstanceIntent, RejectionType
from grevy.protocol.values import ProcessInstanceValue


def resolve_incident(step: Step, command: Command) -> None:
    """What was stuck is tried again."""
    incident = step.views.incidents.get(command.key)
    if incident is None:
        reason = (
            f"Expected to resolve the incident with key {command.key}, "
            "but no such incident was found"
        )
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    job = step.views.jobs.get(incident.value.job_key)
    if job is not None and job.value.retries <= 0:
        reason = (
            f"Expected to resolve the incident of job {job.key}, but the job has no retries left: "
            f"update its retries first"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    step.event(IncidentIntent.RESOLVED, command.key, incident.value)
    step.answer(IncidentIntent.RESOLVED, command.key)
    if job is not None:
        offer_job(step, job.key, job.value)
    elif incident.command is not None:
        value = msgspec.msgpack.decode(incident.command.value, type=ProcessInstanceValue)
        step.follow_up(INTENTS[incident.command.intent], incident.command.key, value)
    else:
        _go_on(step, incident)


def _go_on(step: Step, incident: StoredIncident) -> None:
    """The element is where it was stuck: activating or completing."""
    instance = step.views.elements.get(incident.value.element_instance_key)
    if instance is None:
        return
    if instance.state is Lifecycle.ACTIVATING:
        intent = ProcessInstanceIntent.ACTIVATE_ELEMENT
    elif instance.state is Lifecycle.COMPLETING:
        intent = ProcessInstanceIntent.COMPLETE_ELEMENT
    else:
        return
    step.follow_up(intent, instance.key, instance.value)
