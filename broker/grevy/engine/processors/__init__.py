"""The processors of commands: each decides what follows and writes it as events.

`PROCESSORS` has one for each command; a command whose intent is not in it cannot be asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from grevy.engine.behaviors.distribution import acknowledge_distribution
from grevy.engine.processors import (
    creation,
    decisions,
    deletion,
    deployment,
    elements,
    incidents,
    jobs,
    messages,
    process_messages,
    timers,
    variables,
)
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    CommandDistributionIntent,
    DecisionEvaluationIntent,
    DeploymentIntent,
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageBatchIntent,
    MessageIntent,
    MessageSubscriptionIntent,
    ProcessInstanceBatchIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    ResourceDeletionIntent,
    SignalIntent,
    TimerIntent,
    VariableDocumentIntent,
)

Processor: TypeAlias = Callable[[Step, Command], None]

CLIENT_COMMANDS: Final[dict[Intent, Processor]] = {
    DeploymentIntent.CREATE: deployment.create_deployment,
    ResourceDeletionIntent.DELETE: deletion.delete_resource,
    DecisionEvaluationIntent.EVALUATE: decisions.evaluate_decision,
    ProcessInstanceCreationIntent.CREATE: creation.create_instance,
    ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT: creation.create_instance,
    ProcessInstanceIntent.CANCEL: creation.cancel_instance,
    JobBatchIntent.ACTIVATE: jobs.activate_jobs,
    JobIntent.COMPLETE: jobs.complete_job,
    JobIntent.FAIL: jobs.fail_job,
    JobIntent.THROW_ERROR: jobs.throw_error,
    JobIntent.UPDATE_RETRIES: jobs.update_retries,
    JobIntent.UPDATE_TIMEOUT: jobs.update_timeout,
    MessageIntent.PUBLISH: messages.publish_message,
    SignalIntent.BROADCAST: messages.broadcast_signal,
    IncidentIntent.RESOLVE: incidents.resolve_incident,
    VariableDocumentIntent.UPDATE: variables.update_variables,
}
"""What clients may ask for."""

PARTITION_COMMANDS: Final[dict[Intent, Processor]] = {
    DeploymentIntent.CREATE: deployment.create_deployment,
    ResourceDeletionIntent.DELETE: deletion.delete_resource,
    CommandDistributionIntent.ACKNOWLEDGE: acknowledge_distribution,
    MessageSubscriptionIntent.CREATE: messages.create_subscription,
    MessageSubscriptionIntent.CORRELATE: messages.confirm_correlation,
    MessageSubscriptionIntent.REJECT: messages.reject_correlation,
    MessageSubscriptionIntent.DELETE: messages.delete_subscription,
    ProcessMessageSubscriptionIntent.CREATE: process_messages.confirm_opened,
    ProcessMessageSubscriptionIntent.CORRELATE: process_messages.correlate,
    ProcessMessageSubscriptionIntent.DELETE: process_messages.confirm_closed,
}
"""What partitions may ask of each other."""

PROCESSORS: Final[dict[Intent, Processor]] = {
    **CLIENT_COMMANDS,
    **PARTITION_COMMANDS,
    ProcessInstanceIntent.ACTIVATE_ELEMENT: elements.activate_element,
    ProcessInstanceIntent.COMPLETE_ELEMENT: elements.complete_element,
    ProcessInstanceIntent.TERMINATE_ELEMENT: elements.terminate_element,
    ProcessInstanceBatchIntent.TERMINATE: elements.terminate_batch,
    JobIntent.TIME_OUT: jobs.time_out_job,
    JobIntent.YIELD: jobs.yield_job,
    JobIntent.RECUR_AFTER_BACKOFF: jobs.recur_job,
    TimerIntent.TRIGGER: timers.trigger_timer,
    MessageBatchIntent.EXPIRE: messages.expire_messages,
}
"""All commands, those of the engine itself, of the schedule and of other partitions included."""
