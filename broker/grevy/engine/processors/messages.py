"""Processors of messages: publishing, expiring, and correlating on the message's side."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.documents import BadDocument, variables_of
from grevy.engine.behaviors.start_messages import can_start, start_by_message
from grevy.engine.moments import moment
from grevy.engine.step import Command, Step
from grevy.engine.tables import StoredMessage, StoredMessageSubscription
from grevy.protocol.intents import (
    MessageIntent,
    MessageSubscriptionIntent,
    ProcessMessageSubscriptionIntent,
    RejectionType,
    SignalIntent,
)
from grevy.protocol.keys import partition_of
from grevy.protocol.values import (
    MessageBatchValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessMessageSubscriptionValue,
    SignalValue,
)


def publish_message(step: Step, command: Command) -> None:
    """Publishes a message: to whoever waits for it, once a process; it stays for others until its
    time is up.
    """
    value = command.value
    assert isinstance(value, MessageValue), value
    try:
        variables = variables_of(step, command)
    except BadDocument as error:
        reason = f"Expected to publish the message '{value.name}', but {error}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    views = step.views
    if value.message_id and views.messages.has_id(
        value.name, value.correlation_key, value.message_id
    ):
        reason = (
            f"Expected to publish a new message with id '{value.message_id}', "
            f"but a message with that id was already published"
        )
        step.reject(command, RejectionType.ALREADY_EXISTS, reason)
        return
    deadline = moment(step.now + value.time_to_live) if value.time_to_live > 0 else -1
    published = replace(value, variables=variables, deadline=deadline)
    key = step.next_key()
    step.event(MessageIntent.PUBLISHED, key, published)
    step.answer(MessageIntent.PUBLISHED, key)
    message = StoredMessage(key, published)
    _correlate_to_waiting(step, message)
    for start in views.subscriptions.start_events(value.name):
        if can_start(step, start, message):
            start_by_message(step, start, message)
    if value.time_to_live <= 0:
        step.event(MessageIntent.EXPIRED, key, published)


def _correlate_to_waiting(step: Step, message: StoredMessage) -> None:
    """To at most one instance of each process; those that wait longest come first."""
    value = message.value
    hit: list[StoredMessageSubscription] = []
    for subscription in step.views.subscriptions.waiting_for(value.name, value.correlation_key):
        process_id = subscription.value.bpmn_process_id
        if subscription.is_correlating or step.views.messages.is_correlated(
            message.key, process_id
        ):
            continue
        hit.append(_correlating(step, subscription, message))
    for subscription in hit:
        _send_correlate(step, subscription.value)


def _correlating(
    step: Step, subscription: StoredMessageSubscription, message: StoredMessage
) -> StoredMessageSubscription:
    value = replace(subscription.value, message_key=message.key, variables=message.value.variables)
    step.event(MessageSubscriptionIntent.CORRELATING, subscription.key, value)
    return StoredMessageSubscription(subscription.key, value, is_correlating=True)


def _send_correlate(step: Step, value: MessageSubscriptionValue) -> None:
    correlate = _process_side(step, value)
    intent = ProcessMessageSubscriptionIntent.CORRELATE
    step.send(partition_of(value.process_instance_key), intent, -1, correlate)


def _process_side(step: Step, value: MessageSubscriptionValue) -> ProcessMessageSubscriptionValue:
    return ProcessMessageSubscriptionValue(
        subscription_partition_id=step.partition_id,
        process_instance_key=value.process_instance_key,
        element_instance_key=value.element_instance_key,
        process_definition_key=value.process_definition_key,
        bpmn_process_id=value.bpmn_process_id,
        message_key=value.message_key,
        message_name=value.message_name,
        correlation_key=value.correlation_key,
        variables=value.variables,
        interrupting=value.interrupting,
    )


def create_subscription(step: Step, command: Command) -> None:
    """An instance waits for a message: confirmed, or answered at once with a message that is
    there.
    """
    value = _value(command)
    known = step.views.subscriptions.message_side(value.element_instance_key, value.message_name)
    if known is not None:
        reason = (
            f"Expected to open a subscription to '{value.message_name}', but it is open already"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        if not known.is_correlating:
            _confirm_opened(step, value)
        return
    key = step.next_key()
    step.event(MessageSubscriptionIntent.CREATED, key, value)
    if not _correlate_next(step, StoredMessageSubscription(key, value)):
        _confirm_opened(step, value)


def _confirm_opened(step: Step, value: MessageSubscriptionValue) -> None:
    intent = ProcessMessageSubscriptionIntent.CREATE
    target = partition_of(value.process_instance_key)
    step.send(target, intent, -1, _process_side(step, value))


def _correlate_next(step: Step, subscription: StoredMessageSubscription) -> bool:
    """Sends the oldest buffered message that this process has not had yet."""
    value = subscription.value
    for message in step.views.messages.buffered(value.message_name, value.correlation_key):
        is_alive = message.value.deadline > step.now
        if is_alive and not step.views.messages.is_correlated(message.key, value.bpmn_process_id):
            found = _correlating(step, subscription, message)
            _send_correlate(step, found.value)
            return True
    return False


def confirm_correlation(step: Step, command: Command) -> None:
    """The instance has its message; one that goes on waiting may have the next."""
    value = _value(command)
    known = step.views.subscriptions.message_side(value.element_instance_key, value.message_name)
    if known is None or not known.is_correlating:
        _reject_missing(step, command, "confirm the correlation of")
        return
    step.event(MessageSubscriptionIntent.CORRELATED, known.key, known.value)
    if not known.value.interrupting:
        _correlate_next(step, StoredMessageSubscription(known.key, known.value))


def reject_correlation(step: Step, command: Command) -> None:
    """The instance could not take the message: another one of its process may, even if the
    subscription is closed by now.
    """
    value = _value(command)
    step.event(MessageSubscriptionIntent.REJECTED, command.key, value)
    message = step.views.messages.get(value.message_key)
    if message is None or message.value.deadline <= step.now:
        return
    for other in step.views.subscriptions.waiting_for(value.message_name, value.correlation_key):
        is_same_process = other.value.bpmn_process_id == value.bpmn_process_id
        if is_same_process and not other.is_correlating:
            _send_correlate(step, _correlating(step, other, message).value)
            return


def delete_subscription(step: Step, command: Command) -> None:
    """The instance waits no longer; confirmed in any case, since the confirmation may have got
    lost.
    """
    value = _value(command)
    known = step.views.subscriptions.message_side(value.element_instance_key, value.message_name)
    if known is None:
        _reject_missing(step, command, "close")
    else:
        step.event(MessageSubscriptionIntent.DELETED, known.key, known.value)
    intent = ProcessMessageSubscriptionIntent.DELETE
    target = partition_of(value.process_instance_key)
    step.send(target, intent, -1, _process_side(step, value))


def expire_messages(step: Step, command: Command) -> None:
    """Time is up for messages."""
    value = command.value
    assert isinstance(value, MessageBatchValue), value
    for key in value.message_keys:
        message = step.views.messages.get(key)
        if message is not None:
            step.event(MessageIntent.EXPIRED, key, MessageValue(time_to_live=-1))


def broadcast_signal(step: Step, command: Command) -> None:
    """Broadcasts a signal."""
    value = command.value
    assert isinstance(value, SignalValue), value
    try:
        broadcast = replace(value, variables=variables_of(step, command))
    except BadDocument as error:
        reason = f"Expected to broadcast the signal '{value.signal_name}', but {error}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    key = step.next_key()
    step.event(SignalIntent.BROADCASTED, key, broadcast)
    step.answer(SignalIntent.BROADCASTED, key)


def _reject_missing(step: Step, command: Command, verb: str) -> None:
    value = _value(command)
    reason = (
        f"Expected to {verb} the subscription of element instance {value.element_instance_key} "
        f"to the message '{value.message_name}', but no such subscription was found"
    )
    step.reject(command, RejectionType.NOT_FOUND, reason)


def _value(command: Command) -> MessageSubscriptionValue:
    value = command.value
    assert isinstance(value, MessageSubscriptionValue), value
    return value
