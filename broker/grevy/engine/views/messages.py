"""Buffered messages, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import (
    MESSAGE_DEADLINES,
    MESSAGE_IDS,
    MESSAGES,
    MESSAGES_BY_NAME,
    MESSAGES_CORRELATED,
    StoredMessage,
)
from grevy.state import State


class MessagesView:
    """Messages by key, by name and correlation key, by id and by deadline."""

    def __init__(self, state: State) -> None:
        self._messages = state.table(MESSAGES)
        self._by_name = state.table(MESSAGES_BY_NAME)
        self._deadlines = state.table(MESSAGE_DEADLINES)
        self._ids = state.table(MESSAGE_IDS)
        self._correlated = state.table(MESSAGES_CORRELATED)

    def get(self, key: int) -> StoredMessage | None:
        """The message of a key, while it is known."""
        return self._messages.get(key) if key > 0 else None

    def has_id(self, name: str, correlation_key: str, message_id: str) -> bool:
        """Whether a message of this id is buffered."""
        return self._ids.has((name, correlation_key, message_id))

    def buffered(self, name: str, correlation_key: str) -> list[StoredMessage]:
        """Messages of a name and correlation key, in the order of publication."""
        keys = self._by_name.scan(name, correlation_key)
        return [found for key in keys if (found := self._messages.get(key)) is not None]

    def is_correlated(self, key: int, bpmn_process_id: str) -> bool:
        """Whether a message has reached an instance of this process."""
        return self._correlated.has((key, bpmn_process_id))

    def expired(self, now: int, limit: int) -> list[int]:
        """Keys of messages whose time is up."""
        return self._deadlines.scan_until(now, limit)
