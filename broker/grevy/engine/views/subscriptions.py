"""Message subscriptions of both sides and of start events, as processors see them."""

from __future__ import annotations

from grevy.engine.partition_tables import CLOSED_BY_TIME, CLOSED_SUBSCRIPTIONS
from grevy.engine.tables import (
    CORRELATION_KEYS,
    CORRELATION_LOCKS,
    MESSAGE_SUBSCRIPTIONS,
    MESSAGE_SUBSCRIPTIONS_BY_NAME,
    PROCESS_MESSAGE_SUBSCRIPTIONS,
    START_SUBSCRIPTIONS,
    START_SUBSCRIPTIONS_BY_PROCESS,
    StoredMessageSubscription,
    StoredProcessMessageSubscription,
    StoredStartSubscription,
)
from grevy.state import State


class SubscriptionsView:
    """Who waits for which message."""

    def __init__(self, state: State) -> None:
        self._message = state.table(MESSAGE_SUBSCRIPTIONS)
        self._message_by_name = state.table(MESSAGE_SUBSCRIPTIONS_BY_NAME)
        self._process = state.table(PROCESS_MESSAGE_SUBSCRIPTIONS)
        self._start = state.table(START_SUBSCRIPTIONS)
        self._start_by_process = state.table(START_SUBSCRIPTIONS_BY_PROCESS)
        self._locks = state.table(CORRELATION_LOCKS)
        self._correlation_keys = state.table(CORRELATION_KEYS)
        self._closed = state.table(CLOSED_SUBSCRIPTIONS)
        self._closed_by_time = state.table(CLOSED_BY_TIME)

    def message_side(self, element_key: int, name: str) -> StoredMessageSubscription | None:
        """The subscription of an element instance on the message's side."""
        return self._message.get((element_key, name))

    def waiting_for(self, name: str, correlation_key: str) -> list[StoredMessageSubscription]:
        """Subscriptions on the message's side to a name and correlation key, oldest element
        first.
        """
        keys = self._message_by_name.scan(name, correlation_key)
        return [found for key in keys if (found := self._message.get((key, name))) is not None]

    def is_closed(self, element_key: int, name: str) -> bool:
        """Whether a subscription of another partition's instance was closed not long ago."""
        return self._closed.has((element_key, name))

    def process_side(self, element_key: int, name: str) -> StoredProcessMessageSubscription | None:
        """The subscription of an element instance on the instance's side."""
        return self._process.get((element_key, name))

    def of_element(self, element_key: int) -> list[StoredProcessMessageSubscription]:
        """All subscriptions of an element instance on the instance's side."""
        return self._process.scan(element_key)

    def start_events(self, name: str) -> list[StoredStartSubscription]:
        """Start events that wait for a message of this name, oldest first."""
        return self._start.scan(name)

    def start_events_of(self, process_definition_key: int) -> list[StoredStartSubscription]:
        """Start events of a process definition that wait for messages."""
        return self._start_by_process.scan(process_definition_key)

    def lock_holder(self, bpmn_process_id: str, correlation_key: str) -> int | None:
        """The running instance of a process that a message with this correlation key has
        started.
        """
        return self._locks.get((bpmn_process_id, correlation_key))

    def correlation_key_of(self, process_instance_key: int) -> str | None:
        """The correlation key of the message that has started an instance."""
        return self._correlation_keys.get(process_instance_key)
