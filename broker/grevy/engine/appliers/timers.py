"""Appliers of timers."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.protocol.values import TimerValue


def apply_timer_created(stores: Stores, key: int, value: TimerValue) -> None:
    """A timer waits."""
    stores.timers.put(key, value)


def apply_timer_gone(stores: Stores, key: int, value: TimerValue) -> None:
    """A timer has fired or was cancelled. The record of a start timer that fired names the new
    instance.
    """
    owner = stores.timers.owner_of(value.element_instance_key, value.process_definition_key)
    timer = stores.timers.get(owner, key)
    assert timer is not None, f"timer {key} is not there"
    stores.timers.remove(key, timer.value)
