"""Commands that entries left to be processed, and the key counter."""

from __future__ import annotations

from typing import Final

from grevy.engine.tables import COUNTERS, PENDING, PendingCommand
from grevy.protocol.keys import KEY_BITS
from grevy.state import State

_KEYS: Final = "keys"


class PendingStore:
    """What the log holds and nobody has processed yet; it survives a change of leaders."""

    def __init__(self, state: State) -> None:
        self._pending = state.table(PENDING)
        self._counters = state.table(COUNTERS)

    def next(self) -> PendingCommand | None:
        """The oldest command that waits."""
        return self._pending.first()

    def put(self, command: PendingCommand) -> None:
        """A command waits under its position."""
        self._pending.put(command.position, command)

    def remove(self, position: int) -> None:
        """The command at a position has its outcome."""
        self._pending.delete(position)

    def take(self, position: int) -> PendingCommand | None:
        """Removes and returns the command at a position; None where nothing waits, or for -1."""
        command = self._pending.get(position) if position > 0 else None
        if command is not None:
            self._pending.delete(position)
        return command

    def key_counter(self) -> int:
        """How many keys the partition has given out."""
        return self._counters.get(_KEYS) or 0

    def set_key_counter(self, counter: int) -> None:
        """Keys up to this count are given out."""
        assert counter < 1 << KEY_BITS, "the partition has given out all its keys"
        if counter != self._counters.get(_KEYS):
            self._counters.put(_KEYS, counter)
