"""Instances that messages start: one at a time for each process and correlation key."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.process_starts import start_instance
from grevy.engine.step import Step
from grevy.engine.tables import StoredMessage, StoredStartSubscription
from grevy.protocol.intents import MessageStartEventSubscriptionIntent
from grevy.protocol.values import ProcessInstanceValue


def can_start(step: Step, subscription: StoredStartSubscription, message: StoredMessage) -> bool:
    """Whether a message may start an instance of this process now."""
    process_id, correlation_key = subscription.value.bpmn_process_id, message.value.correlation_key
    if step.views.messages.is_correlated(message.key, process_id):
        return False
    holder = step.views.subscriptions.lock_holder(process_id, correlation_key)
    return not correlation_key or holder is None


def start_by_message(
    step: Step, subscription: StoredStartSubscription, message: StoredMessage
) -> None:
    """A message starts an instance."""
    instance = step.next_key()
    correlated = replace(
        subscription.value,
        process_instance_key=instance,
        message_key=message.key,
        correlation_key=message.value.correlation_key,
        variables=message.value.variables,
    )
    intent = MessageStartEventSubscriptionIntent.CORRELATED
    step.event(intent, subscription.key, correlated)
    start_instance(
        step,
        process_definition_key=subscription.value.process_definition_key,
        process_instance_key=instance,
        start_event_id=subscription.value.start_event_id,
        variables=message.value.variables,
    )


def start_next_buffered(
    step: Step, ended: ProcessInstanceValue, correlation_key: str | None
) -> None:
    """An instance that a message had started is gone: the next buffered one of its key starts
    another.
    """
    if correlation_key is None:
        return
    process = step.views.processes.find(ended.bpmn_process_id)
    if process is None:
        return
    definition = process.process_definition_key
    candidates = [
        (message.key, subscription, message)
        for subscription in step.views.subscriptions.start_events_of(definition)
        for message in step.views.messages.buffered(
            subscription.value.message_name, correlation_key
        )
        if message.value.deadline > step.now and can_start(step, subscription, message)
    ]
    if candidates:
        _, subscription, message = min(candidates, key=lambda found: found[0])
        start_by_message(step, subscription, message)
