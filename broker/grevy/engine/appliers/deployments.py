"""Appliers of deployments."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.protocol.values import ProcessValue


def apply_process_created(stores: Stores, _key: int, value: ProcessValue) -> None:
    """A process definition is there."""
    stores.processes.put(value)


def apply_process_deleted(stores: Stores, _key: int, value: ProcessValue) -> None:
    """A process definition is gone."""
    stores.processes.remove(value)
