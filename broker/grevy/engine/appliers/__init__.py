"""The appliers of events: the only code that changes the state, while processing as in replay.

`APPLIERS` has one for each event, and no more: an event whose intent is not in it changes nothing.
An applier that was released is never edited: a change of what an event means gets a new record
version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar, cast

from grevy.engine.appliers import (
    decisions,
    deployments,
    distributions,
    elements,
    events,
    incidents,
    jobs,
    messages,
    timers,
)
from grevy.engine.appliers import variables as variables_
from grevy.engine.stores import Stores
from grevy.protocol.intents import (
    CommandDistributionIntent,
    DecisionIntent,
    DecisionRequirementsIntent,
    DeploymentIntent,
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    MessageStartEventSubscriptionIntent,
    MessageSubscriptionIntent,
    ProcessEventIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessIntent,
    ProcessMessageSubscriptionIntent,
    ResourceDeletionIntent,
    TimerIntent,
    VariableIntent,
)
from grevy.protocol.values import Value

Applier: TypeAlias = Callable[[Stores, int, Value], None]
V = TypeVar("V", bound=Value)


def _for(applier: Callable[[Stores, int, V], None]) -> Applier:
    """An applier takes the value type of its intent; the table cannot say so."""
    return cast(Applier, applier)


APPLIERS: Final[dict[Intent, Applier]] = {
    ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN: _for(elements.apply_sequence_flow_taken),
    ProcessInstanceIntent.ELEMENT_ACTIVATING: _for(elements.apply_element_activating),
    ProcessInstanceIntent.ELEMENT_ACTIVATED: _for(elements.apply_element_activated),
    ProcessInstanceIntent.ELEMENT_COMPLETING: _for(elements.apply_element_completing),
    ProcessInstanceIntent.ELEMENT_COMPLETED: _for(elements.apply_element_completed),
    ProcessInstanceIntent.ELEMENT_TERMINATING: _for(elements.apply_element_terminating),
    ProcessInstanceIntent.ELEMENT_TERMINATED: _for(elements.apply_element_terminated),
    ProcessInstanceCreationIntent.CREATED: _for(elements.apply_instance_created),
    JobIntent.CREATED: _for(jobs.apply_job_created),
    JobIntent.COMPLETED: _for(jobs.apply_job_finished),
    JobIntent.CANCELED: _for(jobs.apply_job_finished),
    JobIntent.FAILED: _for(jobs.apply_job_failed),
    JobIntent.TIMED_OUT: _for(jobs.apply_job_activatable),
    JobIntent.YIELDED: _for(jobs.apply_job_activatable),
    JobIntent.RECURRED_AFTER_BACKOFF: _for(jobs.apply_job_activatable),
    JobIntent.ERROR_THROWN: _for(jobs.apply_job_error_thrown),
    JobIntent.RETRIES_UPDATED: _for(jobs.apply_job_updated),
    JobIntent.TIMEOUT_UPDATED: _for(jobs.apply_job_updated),
    JobBatchIntent.ACTIVATED: _for(jobs.apply_job_batch_activated),
    VariableIntent.CREATED: _for(variables_.apply_variable_set),
    VariableIntent.UPDATED: _for(variables_.apply_variable_set),
    TimerIntent.CREATED: _for(timers.apply_timer_created),
    TimerIntent.TRIGGERED: _for(timers.apply_timer_gone),
    TimerIntent.CANCELED: _for(timers.apply_timer_gone),
    IncidentIntent.CREATED: _for(incidents.apply_incident_created),
    IncidentIntent.RESOLVED: _for(incidents.apply_incident_resolved),
    ProcessEventIntent.TRIGGERING: _for(events.apply_process_event_triggering),
    ProcessEventIntent.TRIGGERED: _for(events.apply_process_event_triggered),
    ProcessIntent.CREATED: _for(deployments.apply_process_created),
    ProcessIntent.DELETING: _for(deployments.apply_process_deleting),
    ProcessIntent.DELETED: _for(deployments.apply_process_deleted),
    DeploymentIntent.CREATED: _for(deployments.apply_deployment_created),
    ResourceDeletionIntent.DELETED: _for(deployments.apply_resource_deleted),
    CommandDistributionIntent.STARTED: _for(distributions.apply_distribution_started),
    CommandDistributionIntent.ENQUEUED: _for(distributions.apply_distribution_enqueued),
    CommandDistributionIntent.DISTRIBUTING: _for(distributions.apply_distribution_distributing),
    CommandDistributionIntent.ACKNOWLEDGED: _for(distributions.apply_distribution_acknowledged),
    CommandDistributionIntent.FINISHED: _for(distributions.apply_distribution_finished),
    DecisionRequirementsIntent.CREATED: _for(decisions.apply_decision_requirements_created),
    DecisionRequirementsIntent.DELETED: _for(decisions.apply_decision_requirements_deleted),
    DecisionIntent.CREATED: _for(decisions.apply_decision_created),
    DecisionIntent.DELETED: _for(decisions.apply_decision_deleted),
    MessageIntent.PUBLISHED: _for(messages.apply_message_published),
    MessageIntent.EXPIRED: _for(messages.apply_message_expired),
    MessageSubscriptionIntent.CREATED: _for(messages.apply_message_subscription_created),
    MessageSubscriptionIntent.CORRELATING: _for(messages.apply_message_subscription_correlating),
    MessageSubscriptionIntent.CORRELATED: _for(messages.apply_message_subscription_correlated),
    MessageSubscriptionIntent.REJECTED: _for(messages.apply_message_subscription_rejected),
    MessageSubscriptionIntent.DELETED: _for(messages.apply_message_subscription_deleted),
    ProcessMessageSubscriptionIntent.CREATING: _for(
        messages.apply_process_message_subscription_creating
    ),
    ProcessMessageSubscriptionIntent.CREATED: _for(
        messages.apply_process_message_subscription_created
    ),
    ProcessMessageSubscriptionIntent.CORRELATED: _for(
        messages.apply_process_message_subscription_correlated
    ),
    ProcessMessageSubscriptionIntent.DELETING: _for(
        messages.apply_process_message_subscription_deleting
    ),
    ProcessMessageSubscriptionIntent.DELETED: _for(
        messages.apply_process_message_subscription_deleted
    ),
    MessageStartEventSubscriptionIntent.CREATED: _for(messages.apply_start_subscription_created),
    MessageStartEventSubscriptionIntent.CORRELATED: _for(
        messages.apply_start_subscription_correlated
    ),
    MessageStartEventSubscriptionIntent.DELETED: _for(messages.apply_start_subscription_deleted),
}
