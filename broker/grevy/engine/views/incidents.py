"""Incidents, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import INCIDENT_BY_ELEMENT, INCIDENTS, StoredIncident
from grevy.state import State


class IncidentsView:
    """Open incidents by key and by element instance."""

    def __init__(self, state: State) -> None:
        self._incidents = state.table(INCIDENTS)
        self._by_element = state.table(INCIDENT_BY_ELEMENT)

    def get(self, key: int) -> StoredIncident | None:
        """The open incident of a key."""
        return self._incidents.get(key) if key > 0 else None

    def of_element(self, element_instance_key: int) -> list[StoredIncident]:
        """The open incidents of an element instance, oldest first."""
        keys = self._by_element.scan(element_instance_key)
        return [found for key in keys if (found := self._incidents.get(key)) is not None]
