"""Processes and embedded sub-processes."""

from __future__ import annotations

from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.events import activate_triggered, unsubscribe
from grevy.engine.behaviors.incidents import resolve_incidents
from grevy.engine.behaviors.process_starts import forget_retired
from grevy.engine.behaviors.results import answer_awaited
from grevy.engine.behaviors.start_messages import start_next_buffered
from grevy.engine.behaviors.termination import end_activity, end_process
from grevy.engine.behaviors.transitions import (
    activate_child,
    activated,
    completed,
    terminate_children,
)
from grevy.engine.behaviors.variables import apply_inputs, apply_outputs
from grevy.engine.step import Step
from grevy.engine.tables import EventTrigger
from grevy.protocol.intents import ProcessInstanceIntent


class ProcessRoot:
    """The process itself."""

    def activate(self, step: Step, here: Here) -> None:
        """Goes to the start event that was triggered, or to the one without a trigger."""
        activated(step, here)
        none_start = here.element.none_start_event
        is_other_possible = none_start is None or len(here.element.start_events) > 1
        trigger = self._trigger(step, here) if is_other_possible else None
        if trigger is not None:
            definition = here.value.process_definition_key
            start = step.models.get(definition).elements[trigger.element_id]
            activate_triggered(step, here.value, definition, start, trigger)
            return
        assert none_start is not None, f"{here.element.id} has nothing to start with"
        activate_child(step, here.value, none_start, here.key)

    @staticmethod
    def _trigger(step: Step, here: Here) -> EventTrigger | None:
        """What started this very instance, unless a client did."""
        for trigger in step.views.events.triggers(here.value.process_definition_key):
            if trigger.process_instance_key == here.key:
                return trigger
        return None

    def complete(self, step: Step, here: Here) -> None:
        """Tells who waits; lets the next buffered message start an instance."""
        answer_awaited(step, here)
        correlation_key = step.views.subscriptions.correlation_key_of(here.key)
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETED, here.key, here.value)
        forget_retired(step, here.value)
        start_next_buffered(step, here.value, correlation_key)

    def terminate(self, step: Step, here: Here) -> None:
        """Children first."""
        resolve_incidents(step, here)
        if not terminate_children(step, here.key):
            end_process(step, here)


class SubProcess:
    """An embedded sub-process."""

    def activate(self, step: Step, here: Here) -> None:
        """Goes to its start event, which opens what the sub-process waits for."""
        apply_inputs(step, here)
        activated(step, here)
        start = here.element.none_start_event
        assert start is not None, f"{here.element.id} has no start event"
        activate_child(step, here.value, start, here.key)

    def complete(self, step: Step, here: Here) -> None:
        """Maps what is to leave it; the rest of its variables goes with it."""
        apply_outputs(step, here)
        unsubscribe(step, here)
        completed(step, here)

    def terminate(self, step: Step, here: Here) -> None:
        """Children first."""
        unsubscribe(step, here)
        resolve_incidents(step, here)
        if not terminate_children(step, here.key):
            end_activity(step, here)
