"""Errors thrown by workers and end events: who catches them."""

from __future__ import annotations

from typing import NamedTuple

from grevy.bpmn.model import Element
from grevy.engine.step import Step
from grevy.engine.tables import ElementInstance
from grevy.protocol.intents import BpmnEventType


class Catch(NamedTuple):
    """A boundary event that catches an error, and the instance of the activity that it hangs on."""

    event: Element
    host: ElementInstance


def find_catch(step: Step, element_instance_key: int, error_code: str) -> Catch | None:
    """The catch event of the nearest scope: one for this very code before one for any."""
    key = element_instance_key
    while key > 0:
        instance = step.views.elements.get(key)
        if instance is None:
            return None
        event = _match(step.element(instance.value), error_code)
        if event is not None:
            return Catch(event, instance)
        key = instance.value.flow_scope_key
    return None


def _match(host: Element, error_code: str) -> Element | None:
    errors = [e for e in host.boundary_events if e.event_type is BpmnEventType.ERROR]
    for event in errors:
        if event.error_code == error_code:
            return event
    for event in errors:
        if event.error_code is None:
            return event
    return None
