"""Timers, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import StoredTimer
from grevy.engine.views.timers import TimersView
from grevy.protocol.values import TimerValue


class TimerStore(TimersView):
    """Writes timers and keeps the index of due dates."""

    def put(self, key: int, value: TimerValue) -> None:
        """Stores a timer that waits."""
        timer = StoredTimer(key, value)
        owner = self.owner_of(value.element_instance_key, value.process_definition_key)
        self._timers.put((owner, key), timer)
        self._due.put((value.due_date, key), timer)

    def remove(self, key: int, value: TimerValue) -> None:
        """Forgets a timer that has fired or was cancelled."""
        owner = self.owner_of(value.element_instance_key, value.process_definition_key)
        self._timers.delete((owner, key))
        self._due.delete((value.due_date, key))
