"""Events that have triggered a scope and wait for their target, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import EVENT_TRIGGERS, EventTrigger
from grevy.state import State


class EventsView:
    """Triggers by scope, first in, first out."""

    def __init__(self, state: State) -> None:
        self._triggers = state.table(EVENT_TRIGGERS)

    def next_trigger(self, scope_key: int) -> EventTrigger | None:
        """The oldest trigger of a scope."""
        return self._triggers.first(scope_key)

    def triggers(self, scope_key: int) -> list[EventTrigger]:
        """All triggers of a scope, oldest first."""
        return self._triggers.scan(scope_key)

    def has_triggers(self, scope_key: int) -> bool:
        """Whether something has triggered a scope and waits."""
        return self._triggers.first(scope_key) is not None
