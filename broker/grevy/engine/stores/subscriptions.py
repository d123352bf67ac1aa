"""Message subscriptions, as appliers change them."""

from __future__ import annotations

from grevy.engine.partition_tables import ClosedSubscription, Unanswered, UnansweredKind
from grevy.engine.stores.unanswered import UnansweredStore
from grevy.engine.tables import (
    StoredMessageSubscription,
    StoredProcessMessageSubscription,
    StoredStartSubscription,
    SubscriptionState,
)
from grevy.engine.views.subscriptions import SubscriptionsView
from grevy.protocol.keys import partition_of
from grevy.protocol.limits import CLOSED_KNOWN_MS
from grevy.protocol.values import (
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    ProcessMessageSubscriptionValue,
)
from grevy.state import State


class SubscriptionStore(SubscriptionsView):
    """Writes subscriptions. What the other side's partition has to answer is noted, where that is
    another one.
    """

    def __init__(self, state: State, partition_id: int, unanswered: UnansweredStore) -> None:
        super().__init__(state)
        self._partition_id = partition_id
        self._unanswered = unanswered

    def put_message_side(
        self, key: int, value: MessageSubscriptionValue, now: int, *, is_correlating: bool
    ) -> None:
        """Stores a subscription on the message's side."""
        element, name = value.element_instance_key, value.message_name
        sent_at = -1
        if partition_of(value.process_instance_key) != self._partition_id:
            self._settle(self._message.get((element, name)))
            if is_correlating:
                sent_at = now
                kind = UnansweredKind.MESSAGE_SIDE
                self._unanswered.expect(Unanswered(now, key, kind, 0, element, name))
        stored = StoredMessageSubscription(key, value, is_correlating, sent_at)
        self._message.put((element, name), stored)
        self._message_by_name.put((name, value.correlation_key, element), element)

    def remove_message_side(self, value: MessageSubscriptionValue, now: int) -> None:
        """Forgets a subscription on the message's side; that of another partition's instance stays
        known as closed for a while, so that a late command does not open it again.
        """
        element, name = value.element_instance_key, value.message_name
        if partition_of(value.process_instance_key) != self._partition_id:
            self._settle(self._message.get((element, name)))
            self._note_closed(ClosedSubscription(element, name, now))
        self._message.delete((element, name))
        self._message_by_name.delete((name, value.correlation_key, element))

    def put_process_side(
        self, key: int, value: ProcessMessageSubscriptionValue, state: SubscriptionState, now: int
    ) -> None:
        """Stores a subscription on the instance's side."""
        element, name = value.element_instance_key, value.message_name
        sent_at = -1
        if value.subscription_partition_id != self._partition_id:
            self._settle(self._process.get((element, name)))
            if state is not SubscriptionState.OPENED:
                sent_at = now
                kind = UnansweredKind.PROCESS_SIDE
                self._unanswered.expect(Unanswered(now, key, kind, 0, element, name))
        stored = StoredProcessMessageSubscription(key, value, state, sent_at)
        self._process.put((element, name), stored)

    def remove_process_side(self, value: ProcessMessageSubscriptionValue) -> None:
        """Forgets a subscription on the instance's side."""
        element, name = value.element_instance_key, value.message_name
        if value.subscription_partition_id != self._partition_id:
            self._settle(self._process.get((element, name)))
        self._process.delete((element, name))

    def _settle(
        self, known: StoredMessageSubscription | StoredProcessMessageSubscription | None
    ) -> None:
        if known is not None:
            self._unanswered.settle(known.sent_at, known.key)

    def _note_closed(self, closed: ClosedSubscription) -> None:
        """Two are forgotten for each that comes, so that none stays much longer than its time."""
        element, name = closed.element_key, closed.message_name
        if self._closed.has((element, name)):
            return
        for old in self._closed_by_time.scan_until(closed.closed_at - CLOSED_KNOWN_MS, 2):
            self._closed.delete((old.element_key, old.message_name))
            self._closed_by_time.delete((old.closed_at, old.element_key, old.message_name))
        self._closed.put((element, name), closed)
        self._closed_by_time.put((closed.closed_at, element, name), closed)

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
