"""Element instances, as processors see them."""

from __future__ import annotations

from typing import Final

from grevy.engine.tables import CHILDREN, ELEMENT_INSTANCES, FLOWS_TAKEN, ElementInstance, Lifecycle
from grevy.state import State

_ACTIVATED: Final = Lifecycle.ACTIVATED  # looked up once, see step.py


class ElementsView:
    """Live element instances, their children and the tokens that wait at joins."""

    def __init__(self, state: State) -> None:
        self._instances = state.editable_table(ELEMENT_INSTANCES)
        self._children = state.table(CHILDREN)
        self._flows_taken = state.table(FLOWS_TAKEN)

    def get(self, key: int) -> ElementInstance | None:
        """The live element instance of a key."""
        return self._instances.get(key) if key > 0 else None

    def is_active_scope(self, key: int, element_id: str = "") -> bool:
        """Whether elements may be activated in the scope of this key; in one that a terminate end
        event has interrupted only that event, where other paths have reached it already.
        """
        scope = self._instances.get(key) if key > 0 else None
        if scope is None or scope.state is not _ACTIVATED:
            return False
        return not scope.is_interrupted or scope.interrupted_by == element_id

    def children(self, key: int, limit: int, after: int = 0) -> list[int]:
        """Keys of at most `limit` live children with keys above `after`, oldest first."""
        after = max(after, 0)
        children = self._children.scan(key, after=(key, after), limit=limit)
        scope = self._instances.get(key)
        if scope is not None and scope.child > after:
            children = sorted([scope.child, *children])[:limit]
        return children

    def has_active_flows(self, key: int) -> bool:
        """Whether tokens are on their way in a scope."""
        scope = self._instances.get(key)
        return scope is not None and scope.active_flows > 0

    def tokens_at(self, scope_key: int, gateway_id: str) -> int:
        """How many incoming flows of a joining gateway have a token that waits."""
        return len(self._flows_taken.scan(scope_key, gateway_id))
