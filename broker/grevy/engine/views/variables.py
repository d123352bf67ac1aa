"""Variables of scopes, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import ELEMENT_INSTANCES, VARIABLES, StoredVariable
from grevy.state import State


class VariablesView:
    """Variables by scope; names are looked up from a scope upwards."""

    def __init__(self, state: State) -> None:
        self._variables = state.table(VARIABLES)
        self._instances = state.table(ELEMENT_INSTANCES)

    def local(self, scope_key: int, name: str) -> StoredVariable | None:
        """The variable that this very scope has."""
        return self._variables.get((scope_key, name))

    def locals(self, scope_key: int) -> list[StoredVariable]:
        """All variables of this very scope, by name."""
        instance = self._instances.get(scope_key)
        if instance is not None and not instance.has_variables:
            return []
        return self._variables.scan(scope_key)

    def find(self, scope_key: int, name: str) -> bytes | None:
        """JSON text of the nearest variable of this name, from a scope upwards."""
        while scope_key > 0:
            found = self._variables.get((scope_key, name))
            if found is not None:
                return found.value
            scope_key = self.parent(scope_key)
        return None

    def visible(self, scope_key: int) -> dict[str, bytes]:
        """All variables that a scope sees, the nearest of each name."""
        found: dict[str, bytes] = {}
        while scope_key > 0:
            for variable in self.locals(scope_key):
                found.setdefault(variable.name, variable.value)
            scope_key = self.parent(scope_key)
        return found

    def parent(self, scope_key: int) -> int:
        """The scope around a scope; -1 around a root."""
        instance = self._instances.get(scope_key)
        return -1 if instance is None else instance.value.flow_scope_key
