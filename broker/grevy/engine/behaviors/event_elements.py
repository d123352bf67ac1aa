"""Start, end, boundary and intermediate throw events."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.model import Text
from grevy.engine.behaviors.activities import PassThroughTask
from grevy.engine.behaviors.base import Here, Stuck
from grevy.engine.behaviors.error_events import find_catch
from grevy.engine.behaviors.events import subscribe, trigger
from grevy.engine.behaviors.expressions import evaluate_text
from grevy.engine.behaviors.termination import after_termination, end_activity
from grevy.engine.behaviors.transitions import (
    activated,
    complete,
    completed,
    terminate_children,
)
from grevy.engine.behaviors.variables import apply_outputs
from grevy.engine.step import Step
from grevy.protocol.intents import BpmnElementType, ErrorType, ProcessInstanceIntent
from grevy.protocol.values import EMPTY_DOCUMENT

# Looked up once, see step.py.
_START_EVENT: Final = BpmnElementType.START_EVENT
_SUB_PROCESS: Final = BpmnElementType.SUB_PROCESS


class StartEvent:
    """A start event; one that an event triggered is activated by that event."""

    def activate(self, step: Step, here: Here) -> None:
        """Goes on at once."""
        activated(step, here)
        complete(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """Maps what the event brought; a sub-process waits for its boundary events from here on."""
        apply_outputs(step, here)
        if here.value.bpmn_element_type is _START_EVENT:
            self._open_scope(step, here)
        completed(step, here)

    @staticmethod
    def _open_scope(step: Step, here: Here) -> None:
        scope = step.views.elements.get(here.scope_key)
        if scope is not None and scope.value.bpmn_element_type is _SUB_PROCESS:
            subscribe(step, Here(scope.key, scope.value, step.element(scope.value)))

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)


class BoundaryEvent(StartEvent):
    """A boundary event: activated by what triggers it, never by a flow."""

    def activate(self, step: Step, here: Here) -> None:
        """Never asked for: what triggers it activates it."""
        raise AssertionError("a boundary event is activated by its trigger")


class NoneEvent(PassThroughTask):
    """A none end event or none throw event: input mappings are not for them."""

    def activate(self, step: Step, here: Here) -> None:
        """Goes on at once."""
        activated(step, here)
        complete(step, here)


class TerminateEndEvent:
    """Ends all else in its scope, which then completes."""

    def activate(self, step: Step, here: Here) -> None:
        """Goes on at once."""
        activated(step, here)
        complete(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """Terminates what else lives in the scope."""
        step.event(ProcessInstanceIntent.ELEMENT_COMPLETED, here.key, here.value)
        if not terminate_children(step, here.scope_key):
            after_termination(step, here.scope_key)

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)


class ErrorEndEvent:
    """Throws an error to the nearest scope that catches it; it ends with the scope that the error
    ends. Input mappings are not for it.
    """

    def activate(self, step: Step, here: Here) -> None:
        """Looks for who catches before it is activated; with nobody there it is stuck."""
        code = here.element.error_code
        assert code is not None, f"{here.element.id} has no error code"
        text = self._code(step, here, code)
        catch = find_catch(step, here.key, text)
        if catch is None:
            reason = (
                f"Expected to throw an error event with the code '{text}', but it was not caught."
            )
            raise Stuck(ErrorType.UNHANDLED_ERROR_EVENT, reason)
        activated(step, here)
        trigger(step, catch.host, catch.event, EMPTY_DOCUMENT)

    def complete(self, step: Step, here: Here) -> None:
        """Never asked for."""
        raise AssertionError("an error end event does not complete")

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)

    @staticmethod
    def _code(step: Step, here: Here, code: Text) -> str:
        return evaluate_text(step, code, here.key)
