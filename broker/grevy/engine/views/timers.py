"""Timers, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import TIMERS, TIMERS_DUE, StoredTimer
from grevy.state import State


class TimersView:
    """Timers by the element instance (or process definition) that they belong to, and by due
    date.
    """

    def __init__(self, state: State) -> None:
        self._timers = state.table(TIMERS)
        self._due = state.table(TIMERS_DUE)

    def get(self, owner: int, key: int) -> StoredTimer | None:
        """The timer of a key; `owner` is an element instance, or minus a process definition."""
        return self._timers.get((owner, key))

    def of(self, owner: int) -> list[StoredTimer]:
        """All timers of an element instance, or of minus a process definition."""
        return self._timers.scan(owner)

    def due(self, now: int, limit: int) -> list[StoredTimer]:
        """At most `limit` timers whose time has come, the most overdue first."""
        return self._due.scan_until(now, limit)

    @staticmethod
    def owner_of(element_instance_key: int, process_definition_key: int) -> int:
        """Under what a timer is filed: its element instance, or for a start timer minus its
        definition.
        """
        return element_instance_key if element_instance_key > 0 else -process_definition_key
