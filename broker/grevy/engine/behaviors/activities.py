"""Activities: what tasks have in common, and the tasks."""

from __future__ import annotations

from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.documents import join
from grevy.engine.behaviors.events import give_result, subscribe, unsubscribe
from grevy.engine.behaviors.expressions import evaluate
from grevy.engine.behaviors.jobs import cancel_job, create_job, new_job
from grevy.engine.behaviors.termination import end_activity
from grevy.engine.behaviors.transitions import activated, complete, completed
from grevy.engine.behaviors.variables import apply_inputs, apply_outputs
from grevy.engine.step import Step
from grevy.feel import to_json
from grevy.protocol.intents import ErrorType


class JobTask:
    """A task that a worker does: service, send, script and business rule tasks, message throw and
    end events.
    """

    def activate(self, step: Step, here: Here) -> None:
        """Makes the job; what it says is evaluated before anything is waited for."""
        model = here.element.job
        assert model is not None, f"{here.element.id} has no job"
        apply_inputs(step, here)
        job = new_job(step, here, model)
        subscribe(step, here)
        create_job(step, job)
        activated(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """The job's variables go where they belong."""
        apply_outputs(step, here)
        unsubscribe(step, here)
        completed(step, here)

    def terminate(self, step: Step, here: Here) -> None:
        """Takes the job back."""
        cancel_job(step, here)
        end_activity(step, here)


class PassThroughTask:
    """A manual or undefined task: done as soon as it begins, so that no event on its boundary is
    waited for.
    """

    def activate(self, step: Step, here: Here) -> None:
        """Goes on at once."""
        activated(step, here)
        complete(step, here)

    def complete(self, step: Step, here: Here) -> None:
        """Maps what there is."""
        apply_outputs(step, here)
        unsubscribe(step, here)
        completed(step, here)

    def terminate(self, step: Step, here: Here) -> None:
        """Ends."""
        end_activity(step, here)


class ScriptTask(PassThroughTask):
    """A script task with a FEEL expression; with a job instead it is a `JobTask`."""

    def activate(self, step: Step, here: Here) -> None:
        """Evaluates the script; its result is the element's event, as a job's variables would
        be.
        """
        script = here.element.script
        assert script is not None, f"{here.element.id} has no script"
        apply_inputs(step, here)
        value = evaluate(step, script.expression, here.key, ErrorType.EXTRACT_VALUE_ERROR)
        document = join([(script.result_variable, to_json(value))])
        activated(step, here)
        give_result(step, here, document)
        complete(step, here)


class ReceiveTask(PassThroughTask):
    """A receive task or an intermediate catch event: waits for its message or timer."""

    def activate(self, step: Step, here: Here) -> None:
        """Begins to wait."""
        apply_inputs(step, here)
        subscribe(step, here)
        activated(step, here)
