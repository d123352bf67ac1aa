"""Appliers of messages and of subscriptions to them."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.engine.tables import SubscriptionState
from grevy.protocol.values import (
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessMessageSubscriptionValue,
)


def apply_message_published(stores: Stores, key: int, value: MessageValue) -> None:
    """A message is there."""
    stores.messages.put(key, value)


def apply_message_expired(stores: Stores, key: int, _value: MessageValue) -> None:
    """A message's time is up."""
    stores.messages.remove(key)


def apply_message_subscription_created(
    stores: Stores, key: int, value: MessageSubscriptionValue
) -> None:
    """An instance waits for a message."""
    stores.subscriptions.put_message_side(key, value, stores.now, is_correlating=False)


def apply_message_subscription_correlating(
    stores: Stores, key: int, value: MessageSubscriptionValue
) -> None:
    """A message is on its way to the instance; no other one is sent until it has answered."""
    stores.subscriptions.put_message_side(key, value, stores.now, is_correlating=True)
    stores.messages.set_correlated(value.message_key, value.bpmn_process_id)


def apply_message_subscription_correlated(
    stores: Stores, key: int, value: MessageSubscriptionValue
) -> None:
    """The instance has the message."""
    if value.interrupting:
        stores.subscriptions.remove_message_side(value, stores.now)
    else:
        stores.subscriptions.put_message_side(key, value, stores.now, is_correlating=False)


def apply_message_subscription_rejected(
    stores: Stores, _key: int, value: MessageSubscriptionValue
) -> None:
    """The instance did not want the message; another one may."""
    stores.messages.unset_correlated(value.message_key, value.bpmn_process_id)
    stores.subscriptions.remove_message_side(value, stores.now)


def apply_message_subscription_deleted(
    stores: Stores, _key: int, value: MessageSubscriptionValue
) -> None:
    """The instance waits no longer."""
    stores.subscriptions.remove_message_side(value, stores.now)


def apply_process_message_subscription_creating(
    stores: Stores, key: int, value: ProcessMessageSubscriptionValue
) -> None:
    """An element is about to wait for a message."""
    stores.subscriptions.put_process_side(key, value, SubscriptionState.OPENING, stores.now)


def apply_process_message_subscription_created(
    stores: Stores, key: int, value: ProcessMessageSubscriptionValue
) -> None:
    """The message's partition knows."""
    stores.subscriptions.put_process_side(key, value, SubscriptionState.OPENED, stores.now)


def apply_process_message_subscription_correlated(
    stores: Stores, key: int, value: ProcessMessageSubscriptionValue
) -> None:
    """The element has its message; one that does not interrupt goes on waiting."""
    if value.interrupting:
        stores.subscriptions.remove_process_side(value)
    else:
        stores.subscriptions.put_process_side(key, value, SubscriptionState.OPENED, stores.now)


def apply_process_message_subscription_deleting(
    stores: Stores, key: int, value: ProcessMessageSubscriptionValue
) -> None:
    """The element waits no longer; the message's partition does not know yet."""
    stores.subscriptions.put_process_side(key, value, SubscriptionState.CLOSING, stores.now)


def apply_process_message_subscription_deleted(
    stores: Stores, _key: int, value: ProcessMessageSubscriptionValue
) -> None:
    """The message's partition has forgotten the subscription too."""
    stores.subscriptions.remove_process_side(value)


def apply_start_subscription_created(
    stores: Stores, key: int, value: MessageStartEventSubscriptionValue
) -> None:
    """A start event waits."""
    stores.subscriptions.put_start(key, value)


def apply_start_subscription_correlated(
    stores: Stores, _key: int, value: MessageStartEventSubscriptionValue
) -> None:
    """A message has started an instance; with a correlation key it is the only one of its
    process.
    """
    stores.messages.set_correlated(value.message_key, value.bpmn_process_id)
    if value.correlation_key:
        stores.subscriptions.lock(
            value.bpmn_process_id, value.correlation_key, value.process_instance_key
        )


def apply_start_subscription_deleted(
    stores: Stores, key: int, value: MessageStartEventSubscriptionValue
) -> None:
    """A newer version waits instead."""
    stores.subscriptions.remove_start(key, value)
