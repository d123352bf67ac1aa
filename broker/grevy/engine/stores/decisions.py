"""Decisions and their requirement graphs, as appliers change them."""

from __future__ import annotations

from grevy.engine.views.decisions import DecisionsView
from grevy.protocol.values import DecisionRequirementsValue, DecisionValue
from grevy.state import Table


class DecisionStore(DecisionsView):
    """Writes decisions and graphs; whatever was deployed last is the newest version."""

    def put_graph(self, value: DecisionRequirementsValue) -> None:
        """A requirement graph is there."""
        key, graph_id = value.decision_requirements_key, value.decision_requirements_id
        self._graphs.put(key, value)
        _add_version(self._graph_versions, graph_id, value.decision_requirements_version, key)

    def put(self, value: DecisionValue) -> None:
        """A decision of a graph is there."""
        key, decision_id = value.decision_key, value.decision_id
        self._decisions.put(key, value)
        _add_version(self._versions, decision_id, value.version, key)
        self._of_graph.put((value.decision_requirements_key, key), key)
        self._of_deployment.put((value.deployment_key, decision_id), key)
        if value.version_tag:
            self._tags.put((decision_id, value.version_tag), key)

    def remove_graph(self, value: DecisionRequirementsValue) -> None:
        """A requirement graph is gone; its decisions went before it."""
        key, graph_id = value.decision_requirements_key, value.decision_requirements_id
        assert not self._of_graph.scan(key, limit=1), f"graph {key} has decisions"
        self._graphs.delete(key)
        _drop_version(self._graph_versions, graph_id, value.decision_requirements_version)

    def remove(self, value: DecisionValue) -> None:
        """A decision is gone. An older one with the same version tag does not take its place, as in
        Zeebe.
        """
        key, decision_id = value.decision_key, value.decision_id
        self._decisions.delete(key)
        _drop_version(self._versions, decision_id, value.version)
        self._of_graph.delete((value.decision_requirements_key, key))
        self._of_deployment.delete((value.deployment_key, decision_id))
        tag = (decision_id, value.version_tag)
        if self._tags.get(tag) == key:
            self._tags.delete(tag)


Versions = Table[tuple[str, int], int]
"""(id, version) → key; version 0 → the newest version's number."""


def _add_version(versions: Versions, id_: str, version: int, key: int) -> None:
    assert version > (versions.get((id_, 0)) or 0), f"{id_} has a newer version than {version}"
    versions.put((id_, version), key)
    versions.put((id_, 0), version)


def _drop_version(versions: Versions, id_: str, version: int) -> None:
    """After the newest version comes the one before it; its number is given out again."""
    versions.delete((id_, version))
    if versions.get((id_, 0)) != version:
        return
    for older in range(version - 1, 0, -1):
        if versions.has((id_, older)):
            versions.put((id_, 0), older)
            return
    versions.delete((id_, 0))
