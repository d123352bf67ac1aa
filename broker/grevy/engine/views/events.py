"""Events that have triggered a scope and wait for their target, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import ELEMENT_INSTANCES, EVENT_TRIGGERS, EventTrigger
from grevy.state import State


class EventsView:
    """Triggers by scope, first in, first out."""

    def __init__(self, state: State) -> None:
        self._triggers = state.table(EVENT_TRIGGERS)
        self._instances = state.table(ELEMENT_INSTANCES)

    def next_trigger(self, scope_key: int) -> EventTrigger | None:
        """The oldest trigger of an element instance."""
        instance = self._instances.get(scope_key)
        if instance is None or instance.triggers == 0:
            return None
        return instance.trigger or self._triggers.first(scope_key)

    def triggers(self, scope_key: int) -> list[EventTrigger]:
        """All triggers of an element instance or process definition, oldest first."""
        instance = self._instances.get(scope_key)
        rest = self._triggers.scan(scope_key)
        return rest if instance is None or instance.trigger is None else [instance.trigger, *rest]
