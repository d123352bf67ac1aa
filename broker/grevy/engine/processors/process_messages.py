"""Processors of message subscriptions on the instance's side."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from grevy.engine.behaviors.events import instance_accepts, trigger
from grevy.engine.behaviors.remote_messages import answer_command, close_command
from grevy.engine.step import Command, Step
from grevy.engine.tables import StoredProcessMessageSubscription, SubscriptionState
from grevy.protocol.intents import (
    MessageSubscriptionIntent,
    ProcessMessageSubscriptionIntent,
    RejectionType,
)
from grevy.protocol.values import ProcessMessageSubscriptionValue

_ALL: Final = (1 << 63) - 1
"""As the last message that an element has taken: whatever it was sent, see `_is_taken`."""


def confirm_opened(step: Step, command: Command) -> None:
    """The message's partition knows the subscription; one that nobody here knows any more was
    opened by a command that came late, and is closed.
    """
    value = _value(command)
    known = step.views.subscriptions.process_side(value.element_instance_key, value.message_name)
    if known is None or known.state is not SubscriptionState.OPENING:
        _reject(step, command, "confirm the opening of", known is None)
        if known is None and _is_remote(step, value):
            # It may also be one that has taken its message: that is not to be given to another.
            closed = replace(value, correlation=_ALL)
            step.send(value.subscription_partition_id, close_command(closed))
        return
    step.event(ProcessMessageSubscriptionIntent.CREATED, known.key, known.value)


def correlate(step: Step, command: Command) -> None:
    """A message reaches its element; one that comes too late goes back. What comes again has the
    same answer again.
    """
    value = _value(command)
    known = step.views.subscriptions.process_side(value.element_instance_key, value.message_name)
    instance = step.views.elements.get(value.element_instance_key)
    if _is_remote(step, value) and _is_taken(known, value):
        _reject(step, command, "correlate a message again to", known is None)
        _answer(step, value, MessageSubscriptionIntent.CORRELATE)
        return
    if known is None or instance is None or known.state is SubscriptionState.CLOSING:
        _reject(step, command, "correlate a message to", known is None)
        _answer(step, value, MessageSubscriptionIntent.REJECT)
        return
    if not instance_accepts(step, instance):
        _reject(step, command, "correlate a message to", is_missing=False)
        _answer(step, value, MessageSubscriptionIntent.REJECT)
        return
    correlated = replace(
        known.value,
        message_key=value.message_key,
        variables=value.variables,
        correlation=value.correlation,
    )
    step.event(ProcessMessageSubscriptionIntent.CORRELATED, known.key, correlated)
    process = step.models.get(known.value.process_definition_key)
    event = process.elements[known.value.element_id]
    trigger(step, instance, event, value.variables)
    _answer(step, correlated, MessageSubscriptionIntent.CORRELATE)


def _is_taken(
    known: StoredProcessMessageSubscription | None, value: ProcessMessageSubscriptionValue
) -> bool:
    """Whether a message of another partition has been taken before.

    A subscription that is not known any more has taken it, or was closed with the knowledge of the
    message's side, which then does not mind the answer.
    """
    return known is None or value.correlation <= known.value.correlation


def confirm_closed(step: Step, command: Command) -> None:
    """The message's partition has forgotten the subscription."""
    value = _value(command)
    known = step.views.subscriptions.process_side(value.element_instance_key, value.message_name)
    if known is None or known.state is not SubscriptionState.CLOSING:
        _reject(step, command, "confirm the closing of", known is None)
        return
    step.event(ProcessMessageSubscriptionIntent.DELETED, known.key, known.value)


def _is_remote(step: Step, value: ProcessMessageSubscriptionValue) -> bool:
    return value.subscription_partition_id != step.partition_id


def _answer(
    step: Step, value: ProcessMessageSubscriptionValue, intent: MessageSubscriptionIntent
) -> None:
    step.send(value.subscription_partition_id, answer_command(value, intent))


def _reject(step: Step, command: Command, verb: str, is_missing: bool) -> None:
    value = _value(command)
    why = "no such subscription was found" if is_missing else "it is not open"
    reason = (
        f"Expected to {verb} the subscription of element instance {value.element_instance_key} "
        f"to the message '{value.message_name}', but {why}"
    )
    kind = RejectionType.NOT_FOUND if is_missing else RejectionType.INVALID_STATE
    step.reject(command, kind, reason)


def _value(command: Command) -> ProcessMessageSubscriptionValue:
    value = command.value
    assert isinstance(value, ProcessMessageSubscriptionValue), value
    return value
