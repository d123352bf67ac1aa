"""Incidents of elements."""

from __future__ import annotations

from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.step import Step
from grevy.protocol.intents import IncidentIntent
from grevy.protocol.values import IncidentValue


def raise_incident(step: Step, here: Here, stuck: Stuck) -> None:
    """An element cannot go on: it waits, visibly."""
    value = IncidentValue(
        error_type=stuck.error_type,
        error_message=stuck.message,
        bpmn_process_id=here.value.bpmn_process_id,
        process_definition_key=here.value.process_definition_key,
        process_instance_key=here.value.process_instance_key,
        element_id=here.value.element_id,
        element_instance_key=here.key,
        job_key=stuck.job_key,
        variable_scope_key=stuck.scope_key if stuck.scope_key > 0 else here.key,
    )
    step.event(IncidentIntent.CREATED, step.next_key(), value)


def resolve_incidents(step: Step, here: Here) -> None:
    """The element ends: what it was stuck at is settled."""
    for incident in step.views.incidents.of_element(here.key):
        step.event(IncidentIntent.RESOLVED, incident.key, incident.value)
