"""Processors of messages: publishing, expiring, and correlating on the message's side."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.documents import BadDocument, variables_of
from grevy.engine.behaviors.remote_messages import process_side_command
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
        _send(step, subscription.value, ProcessMessageSubscriptionIntent.CORRELATE)


def _correlating(
    step: Step, subscription: StoredMessageSubscription, message: StoredMessage
) -> StoredMessageSubscription:
    value = subscription.value
    correlation = value.correlation + 1 if _is_remote(step, value) else 0
    value = replace(
        value,
        message_key=message.key,
        variables=message.value.variables,
        correlation=correlation,
    )
    step.event(MessageSubscriptionIntent.CORRELATING, subscription.key, value)
    return StoredMessageSubscription(subscription.key, value, is_correlating=True)


def _is_remote(step: Step, value: MessageSubscriptionValue) -> bool:
    """Whether the instance lives on another partition, so that commands may be lost, late or
    double.
    """
    return partition_of(value.process_instance_key) != step.partition_id


def _send(
    step: Step, value: MessageSubscriptionValue, intent: ProcessMessageSubscriptionIntent
) -> None:
    command = process_side_command(value, intent, step.partition_id)
    step.send(partition_of(value.process_instance_key), command)


def create_subscription(step: Step, command: Command) -> None:
    """An instance waits for a message: confirmed, or answered at once with a message that is
    there. What comes again, or late, opens nothing.
    """
    value = _value(command)
    element, name = value.element_instance_key, value.message_name
    known = step.views.subscriptions.message_side(element, name)
    if known is not None or step.views.subscriptions.is_closed(element, name):
        state = "was closed already" if known is None else "is open already"
        reason = f"Expected to open a subscription to '{name}', but it {state}"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        if known is None or not known.is_correlating:
            _send(step, value, ProcessMessageSubscriptionIntent.CREATE)
        return
    key = step.next_key()
    step.event(MessageSubscriptionIntent.CREATED, key, value)
    if not _correlate_next(step, StoredMessageSubscription(key, value)):
        _send(step, value, ProcessMessageSubscriptionIntent.CREATE)


def _correlate_next(step: Step, subscription: StoredMessageSubscription) -> bool:
    """Sends the oldest buffered message that this process has not had yet."""
    value = subscription.value
    for message in step.views.messages.buffered(value.message_name, value.correlation_key):
        is_alive = message.value.deadline > step.now
        if is_alive and not step.views.messages.is_correlated(message.key, value.bpmn_process_id):
            found = _correlating(step, subscription, message)
            _send(step, found.value, ProcessMessageSubscriptionIntent.CORRELATE)
            return True
    return False


def confirm_correlation(step: Step, command: Command) -> None:
    """The instance has its message; one that goes on waiting may have the next."""
    value = _value(command)
    known = step.views.subscriptions.message_side(value.element_instance_key, value.message_name)
    if known is None or not _is_awaited(known, value):
        _reject_missing(step, command, "confirm the correlation of")
        return
    step.event(MessageSubscriptionIntent.CORRELATED, known.key, known.value)
    if not known.value.interrupting:
        _correlate_next(step, StoredMessageSubscription(known.key, known.value))


def _is_awaited(known: StoredMessageSubscription, answer: MessageSubscriptionValue) -> bool:
    """Whether this is the answer to what the instance was sent last."""
    return (
        known.is_correlating
        and known.value.message_key == answer.message_key
        and known.value.correlation == answer.correlation
    )


def reject_correlation(step: Step, command: Command) -> None:
    """The instance could not take the message: another one of its process may, even if the
    subscription is closed by now. Another partition's answer counts once.
    """
    value = _value(command)
    if _is_remote(step, value):
        known = step.views.subscriptions.message_side(
            value.element_instance_key, value.message_name
        )
        if known is None or not _is_awaited(known, value):
            _reject_missing(step, command, "reject a correlation of")
            return
    _give_back(step, command.key, value)


def _give_back(step: Step, key: int, value: MessageSubscriptionValue) -> None:
    step.event(MessageSubscriptionIntent.REJECTED, key, value)
    message = step.views.messages.get(value.message_key)
    if message is None or message.value.deadline <= step.now:
        return
    for other in step.views.subscriptions.waiting_for(value.message_name, value.correlation_key):
        is_same_process = other.value.bpmn_process_id == value.bpmn_process_id
        if is_same_process and not other.is_correlating:
            found = _correlating(step, other, message)
            _send(step, found.value, ProcessMessageSubscriptionIntent.CORRELATE)
            return


def delete_subscription(step: Step, command: Command) -> None:
    """The instance waits no longer; confirmed in any case, since the confirmation may have got
    lost. A message on its way to another partition's instance that has not taken it, and never
    will, goes to another one.
    """
    value = _value(command)
    subscriptions = step.views.subscriptions
    element, name = value.element_instance_key, value.message_name
    known = subscriptions.message_side(element, name)
    is_remote = _is_remote(step, value)
    if known is None and is_remote and not subscriptions.is_closed(element, name):
        step.event(MessageSubscriptionIntent.DELETED, step.next_key(), value)  # it never opens
    elif known is None:
        _reject_missing(step, command, "close")
    elif is_remote and known.is_correlating and known.value.correlation > value.correlation:
        _give_back(step, known.key, known.value)
    else:
        step.event(MessageSubscriptionIntent.DELETED, known.key, known.value)
    _send(step, value, ProcessMessageSubscriptionIntent.DELETE)


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
