"""Events that have triggered a scope, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import EventTrigger
from grevy.engine.views.events import EventsView


class EventStore(EventsView):
    """Writes triggers."""

    def put(self, scope_key: int, trigger: EventTrigger) -> None:
        """Stores a trigger for a scope."""
        self._triggers.put((scope_key, trigger.key), trigger)

    def remove(self, scope_key: int, key: int) -> None:
        """Forgets a trigger that its target has taken up."""
        self._triggers.delete((scope_key, key))

    def remove_scope(self, scope_key: int) -> None:
        """Forgets all triggers of a scope that has ended."""
        for trigger in self._triggers.scan(scope_key):
            self._triggers.delete((scope_key, trigger.key))
