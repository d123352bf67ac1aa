"""Tables whose values change often in one step."""

from __future__ import annotations

from copy import copy
from typing import TypeVar

from grevy.state.layers import Shared
from grevy.state.spec import TableSpec
from grevy.state.table import Table

K = TypeVar("K")
V = TypeVar("V")


class EditableTable(Table[K, V]):
    """A table whose newest values may be changed in place, as long as the step is open that wrote
    them; got from `State.editable_table`.

    An element instance changes some ten times in a step: one write for all of it is enough.
    """

    __slots__ = ("_own",)

    def __init__(self, spec: TableSpec[K, V], shared: Shared) -> None:
        super().__init__(spec, shared)
        self._own: dict[K, V] = {}
        shared.owned.append(self._own)

    def edit(self, key: K) -> V | None:
        """The value of a key, for the open step to change in place until its end; None for an
        absent key. What earlier steps wrote stays as it is: the first call gives a copy.
        """
        own = self._own.get(key)
        if own is not None:
            return own
        value = self.get(key)
        if value is None:
            return None
        own = copy(value)
        self.put(key, own)
        return own

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. The value may be changed until the step ends, and never after."""
        super().put(key, value)
        self._own[key] = value

    def delete(self, key: K) -> None:
        """Remove a key; one that is absent stays so."""
        super().delete(key)
        self._own.pop(key, None)
