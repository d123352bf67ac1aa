"""Appliers of process events."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.engine.tables import EventTrigger
from grevy.protocol.values import ProcessEventValue


def apply_process_event_triggering(stores: Stores, key: int, value: ProcessEventValue) -> None:
    """Something has happened to a scope."""
    trigger = EventTrigger(
        key, value.target_element_id, value.variables, value.process_instance_key
    )
    stores.events.put(value.scope_key, trigger)
    stores.elements.count_triggers(value.scope_key, 1)


def apply_process_event_triggered(stores: Stores, key: int, value: ProcessEventValue) -> None:
    """The target has taken it up."""
    stores.events.remove(value.scope_key, key)
    stores.elements.count_triggers(value.scope_key, -1)
