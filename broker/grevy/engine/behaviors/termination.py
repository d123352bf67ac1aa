"""The end of what is terminated: children before their scope, and what goes on afterwards."""

from __future__ import annotations

from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.events import activate_triggered, unsubscribe
from grevy.engine.behaviors.incidents import resolve_incidents
from grevy.engine.behaviors.process_starts import forget_retired
from grevy.engine.behaviors.results import reject_awaited
from grevy.engine.behaviors.start_messages import start_next_buffered
from grevy.engine.step import Step
from grevy.engine.tables import Lifecycle
from grevy.protocol.intents import BpmnElementType, ProcessInstanceIntent


def end_activity(step: Step, here: Here) -> None:
    """An activity without children ends; the boundary event that ended it, if one did, goes on in
    its place.
    """
    unsubscribe(step, here)
    resolve_incidents(step, here)
    trigger = step.views.events.next_trigger(here.key)
    is_scope_active = step.views.elements.is_active_scope(here.scope_key)
    step.event(ProcessInstanceIntent.ELEMENT_TERMINATED, here.key, here.value)
    if trigger is not None and is_scope_active:
        for boundary in here.element.boundary_events:
            if boundary.id == trigger.element_id:
                activate_triggered(step, here.value, here.key, boundary, trigger)
                return
    after_termination(step, here.scope_key)


def end_process(step: Step, here: Here) -> None:
    """A process instance without children ends."""
    resolve_incidents(step, here)
    reject_awaited(step, here)
    correlation_key = step.views.subscriptions.correlation_key_of(here.key)
    step.event(ProcessInstanceIntent.ELEMENT_TERMINATED, here.key, here.value)
    forget_retired(step, here.value)
    start_next_buffered(step, here.value, correlation_key)


def after_termination(step: Step, scope_key: int) -> None:
    """A child has ended: its scope ends too if it was waiting for that, or completes after a
    terminate end event.
    """
    scope = step.views.elements.get(scope_key)
    if scope is None or scope.children > 0:
        return
    if scope.state is Lifecycle.TERMINATING:
        here = Here(scope.key, scope.value, step.element(scope.value))
        if scope.value.bpmn_element_type is BpmnElementType.PROCESS:
            end_process(step, here)
        else:
            end_activity(step, here)
    elif scope.is_interrupted and scope.state is Lifecycle.ACTIVATED:
        step.follow_up(ProcessInstanceIntent.COMPLETE_ELEMENT, scope.key, scope.value)
