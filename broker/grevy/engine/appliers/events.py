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
    if not stores.elements.add_trigger(value.scope_key, trigger):
        stores.events.put(value.scope_key, trigger)


def apply_process_event_triggered(stores: Stores, key: int, value: ProcessEventValue) -> None:
    """The target has taken it up."""
    if not stores.elements.remove_trigger(value.scope_key, key):
        stores.events.remove(value.scope_key, key)
