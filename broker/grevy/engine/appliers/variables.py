"""Appliers of variables."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.engine.tables import StoredVariable
from grevy.protocol.values import VariableValue


def apply_variable_set(stores: Stores, key: int, value: VariableValue) -> None:
    """A variable has a new value."""
    stores.variables.put(value.scope_key, StoredVariable(key, value.name, value.value))
    stores.elements.note_variable(value.scope_key)
