"""Incidents, as appliers change them."""

from __future__ import annotations

from grevy.engine.tables import StoredIncident
from grevy.engine.views.incidents import IncidentsView


class IncidentStore(IncidentsView):
    """Writes incidents."""

    def put(self, incident: StoredIncident) -> None:
        """Stores an open incident."""
        self._incidents.put(incident.key, incident)
        self._by_element.put((incident.value.element_instance_key, incident.key), incident.key)

    def remove(self, key: int) -> None:
        """Forgets an incident that is resolved."""
        incident = self._incidents.get(key)
        if incident is not None:
            self._incidents.delete(key)
            self._by_element.delete((incident.value.element_instance_key, key))
