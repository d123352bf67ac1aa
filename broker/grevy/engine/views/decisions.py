"""Decisions and their requirement graphs, as processors see them."""

from __future__ import annotations

from grevy.engine.resource_tables import (
    DECISION_GRAPH_VERSIONS,
    DECISION_GRAPHS,
    DECISION_TAGS,
    DECISION_VERSIONS,
    DECISIONS,
    DECISIONS_OF_DEPLOYMENT,
    DECISIONS_OF_GRAPH,
)
from grevy.protocol.values import DecisionRequirementsValue, DecisionValue
from grevy.state import State


class DecisionsView:
    """Decisions by key, id, deployment and version tag; graphs by key and id."""

    def __init__(self, state: State) -> None:
        self._graphs = state.table(DECISION_GRAPHS)
        self._graph_versions = state.table(DECISION_GRAPH_VERSIONS)
        self._decisions = state.table(DECISIONS)
        self._versions = state.table(DECISION_VERSIONS)
        self._of_graph = state.table(DECISIONS_OF_GRAPH)
        self._of_deployment = state.table(DECISIONS_OF_DEPLOYMENT)
        self._tags = state.table(DECISION_TAGS)

    def get(self, key: int) -> DecisionValue | None:
        """The decision of a key."""
        return self._decisions.get(key) if key > 0 else None

    def find(self, decision_id: str) -> DecisionValue | None:
        """The newest version of a decision."""
        version = self._versions.get((decision_id, 0))
        return None if version is None else self._at(self._versions.get((decision_id, version)))

    def in_deployment(self, deployment_key: int, decision_id: str) -> DecisionValue | None:
        """The version of a decision that came with a deployment."""
        return self._at(self._of_deployment.get((deployment_key, decision_id)))

    def with_tag(self, decision_id: str, version_tag: str) -> DecisionValue | None:
        """The version of a decision that was deployed last with a version tag."""
        return self._at(self._tags.get((decision_id, version_tag)))

    def graph(self, key: int) -> DecisionRequirementsValue | None:
        """The requirement graph of a key."""
        return self._graphs.get(key) if key > 0 else None

    def find_graph(self, graph_id: str) -> DecisionRequirementsValue | None:
        """The newest version of a requirement graph."""
        version = self._graph_versions.get((graph_id, 0))
        key = None if version is None else self._graph_versions.get((graph_id, version))
        return None if key is None else self._graphs.get(key)

    def of_graph(self, key: int) -> list[DecisionValue]:
        """The decisions of a graph, in the order in which they were deployed."""
        return [self._decision(decision) for decision in self._of_graph.scan(key)]

    def _at(self, key: int | None) -> DecisionValue | None:
        return None if key is None else self._decision(key)

    def _decision(self, key: int) -> DecisionValue:
        decision = self._decisions.get(key)
        assert decision is not None, f"decision {key} is indexed and not there"
        return decision
