"""Gateways."""

from __future__ import annotations

from grevy.bpmn.model import SequenceFlow
from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.behaviors.events import activate_triggered, subscribe, unsubscribe
from grevy.engine.behaviors.expressions import evaluate_condition
from grevy.engine.behaviors.termination import end_activity
from grevy.engine.behaviors.transitions import activated, completed, end_path, take_flows
from grevy.engine.step import Step
from grevy.protocol.intents import ErrorType, ProcessInstanceIntent


class ExclusiveGateway:
    """One way on: the first whose condition holds, from the document's last, else the default."""

    def activate(self, step: Step, here: Here) -> None:
        """Chooses, then passes through; without a way it is stuck before it is activated."""
        flow = self._choose(step, here)
        activated(step, here)
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETING, here.key, here.value)
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETED, here.key, here.value)
        if flow is None:
            end_path(step, here.scope_key)
        else:
            take_flows(step, here, (flow,))

    def complete(self, step: Step, here: Here) -> None:
        """Never asked for: activation goes through."""
        raise AssertionError("an exclusive gateway completes by itself")

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)

    def _choose(self, step: Step, here: Here) -> SequenceFlow | None:
        outgoing = here.element.outgoing
        if not outgoing:
            return None
        if len(outgoing) == 1 and outgoing[0].condition is None:
            return outgoing[0]
        default = here.element.default_flow
        for flow in reversed(outgoing):  # the order in which Zeebe 8.8 evaluates them
            if flow is default or flow.condition is None:
                continue
            if evaluate_condition(step, flow.condition, here.key):
                return flow
        if default is not None:
            return default
        reason = (
            f"Expected at least one condition to evaluate to true, or to have a default flow, "
            f"at the exclusive gateway '{here.element.id}'"
        )
        raise Stuck(ErrorType.CONDITION_ERROR, reason)


class ParallelGateway:
    """All ways on, once a token has come over every incoming flow."""

    def activate(self, step: Step, here: Here) -> None:
        """Passes through; whether all tokens are there was asked before."""
        activated(step, here)
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETING, here.key, here.value)
        completed(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """Never asked for: activation goes through."""
        raise AssertionError("a parallel gateway completes by itself")

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)


class EventBasedGateway:
    """The way of the event that happens first."""

    def activate(self, step: Step, here: Here) -> None:
        """Waits for all of them."""
        subscribe(step, here)
        activated(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """Goes on with the event that happened; no sequence flow is taken on the way to it."""
        trigger = step.views.events.next_trigger(here.key)
        assert trigger is not None, f"nothing has happened at {here.element.id}"
        unsubscribe(step, here)
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETED, here.key, here.value)
        for event in here.element.event_targets:
            if event.id == trigger.element_id:
                activate_triggered(step, here.value, here.key, event, trigger)
                return
        raise AssertionError(f"{trigger.element_id} is not behind {here.element.id}")

    def terminate(self, step: Step, here: Here) -> None:
        """Stops waiting."""
        end_activity(step, here)
