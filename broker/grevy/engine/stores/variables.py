"""Variables of scopes, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import StoredVariable
from grevy.engine.views.variables import VariablesView


class VariableStore(VariablesView):
    """Writes variables; they go with their scope."""

    def put(self, scope_key: int, variable: StoredVariable) -> None:
        """Sets a variable of a scope."""
        self._variables.put((scope_key, variable.name), variable)

    def remove_scope(self, scope_key: int) -> None:
        """Forgets all variables of a scope that has ended."""
        for variable in self._variables.scan(scope_key):
            self._variables.delete((scope_key, variable.name))
