"""Message subscriptions, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import (
    StoredMessageSubscription,
    StoredProcessMessageSubscription,
    StoredStartSubscription,
    SubscriptionState,
)
from grevy.engine.views.subscriptions import SubscriptionsView
from grevy.protocol.values import (
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    ProcessMessageSubscriptionValue,
)


class SubscriptionStore(SubscriptionsView):
    """Writes subscriptions."""

    def put_message_side(
        self, key: int, value: MessageSubscriptionValue, *, is_correlating: bool
    ) -> None:
        """Stores a subscription on the message's side."""
        stored = StoredMessageSubscription(key, value, is_correlating)
        element, name = value.element_instance_key, value.message_name
        self._message.put((element, name), stored)
        self._message_by_name.put((name, value.correlation_key, element), element)

    def remove_message_side(self, value: MessageSubscriptionValue) -> None:
        """Forgets a subscription on the message's side."""
        element, name = value.element_instance_key, value.message_name
        self._message.delete((element, name))
        self._message_by_name.delete((name, value.correlation_key, element))

    def put_process_side(
        self, key: int, value: ProcessMessageSubscriptionValue, state: SubscriptionState
    ) -> None:
        """Stores a subscription on the instance's side."""
        stored = StoredProcessMessageSubscription(key, value, state)
        self._process.put((value.element_instance_key, value.message_name), stored)

    def remove_process_side(self, value: ProcessMessageSubscriptionValue) -> None:
        """Forgets a subscription on the instance's side."""
        self._process.delete((value.element_instance_key, value.message_name))

    def put_start(self, key: int, value: MessageStartEventSubscriptionValue) -> None:
        """Stores a start event that waits."""
        stored = StoredStartSubscription(key, value)
        self._start.put((value.message_name, key), stored)
        self._start_by_process.put((value.process_definition_key, key), stored)

    def remove_start(self, key: int, value: MessageStartEventSubscriptionValue) -> None:
        """Forgets a start event that waits no longer."""
        self._start.delete((value.message_name, key))
        self._start_by_process.delete((value.process_definition_key, key))

    def lock(self, bpmn_process_id: str, correlation_key: str, process_instance_key: int) -> None:
        """No other instance of the process starts by this correlation key while this one runs."""
        self._locks.put((bpmn_process_id, correlation_key), process_instance_key)
        self._correlation_keys.put(process_instance_key, correlation_key)

    def unlock(self, bpmn_process_id: str, process_instance_key: int) -> None:
        """The instance has ended."""
        correlation_key = self._correlation_keys.get(process_instance_key)
        if correlation_key is not None:
            self._correlation_keys.delete(process_instance_key)
            self._locks.delete((bpmn_process_id, correlation_key))
