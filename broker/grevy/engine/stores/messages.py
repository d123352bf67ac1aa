"""Buffered messages, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import StoredMessage
from grevy.engine.views.messages import MessagesView
from grevy.protocol.values import MessageValue


class MessageStore(MessagesView):
    """Writes messages."""

    def put(self, key: int, value: MessageValue) -> None:
        """Stores a published message."""
        self._messages.put(key, StoredMessage(key, value))
        self._by_name.put((value.name, value.correlation_key, key), key)
        if value.deadline > 0:
            self._deadlines.put((value.deadline, key), key)
        if value.message_id:
            self._ids.put((value.name, value.correlation_key, value.message_id), key)

    def remove(self, key: int) -> None:
        """Forgets a message that has expired, and whom it has reached."""
        message = self._messages.get(key)
        if message is None:
            return
        value = message.value
        self._messages.delete(key)
        self._by_name.delete((value.name, value.correlation_key, key))
        if value.deadline > 0:
            self._deadlines.delete((value.deadline, key))
        if value.message_id:
            self._ids.delete((value.name, value.correlation_key, value.message_id))
        for process_id in self._correlated.scan(key):
            self._correlated.delete((key, process_id))

    def set_correlated(self, key: int, bpmn_process_id: str) -> None:
        """A message has reached an instance of a process; what is not buffered needs no memory of
        it.
        """
        if self._messages.has(key):
            self._correlated.put((key, bpmn_process_id), bpmn_process_id)

    def unset_correlated(self, key: int, bpmn_process_id: str) -> None:
        """A message did not reach the instance after all."""
        self._correlated.delete((key, bpmn_process_id))
