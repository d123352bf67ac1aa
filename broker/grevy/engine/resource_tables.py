"""The tables of decisions and their graphs, and of what the deletion of processes has to know."""

from __future__ import annotations

from typing import Final

from grevy.protocol.values import DecisionRequirementsValue, DecisionValue
from grevy.state import TEXT, U64, KeyOf, TableSpec

DECISION_GRAPHS: Final = TableSpec(34, "decision_graphs", key=U64, value=DecisionRequirementsValue)
DECISION_GRAPH_VERSIONS: Final = TableSpec(
    35, "decision_graph_versions", key=KeyOf(TEXT, U64), value=int
)
"""(graph's id, version) → graph; version 0 → the newest version's number."""

DECISIONS: Final = TableSpec(36, "decisions", key=U64, value=DecisionValue)
DECISION_VERSIONS: Final = TableSpec(37, "decision_versions", key=KeyOf(TEXT, U64), value=int)
"""(decision id, version) → decision; version 0 → the newest version's number."""

DECISIONS_OF_GRAPH: Final = TableSpec(
    38, "decisions_of_graph", key=KeyOf(U64, U64), value=int, ordered=True
)
"""(graph, decision) → decision."""

DECISIONS_OF_DEPLOYMENT: Final = TableSpec(
    39, "decisions_of_deployment", key=KeyOf(U64, TEXT), value=int
)
"""(deployment, decision id) → decision."""

DECISION_TAGS: Final = TableSpec(40, "decision_tags", key=KeyOf(TEXT, TEXT), value=int)
"""(decision id, version tag) → the newest decision that was deployed with it."""

VERSIONS_GIVEN_OUT: Final = TableSpec(41, "versions_given_out", key=TEXT, value=int)
"""Process id → the highest version that it ever had, where that one was deleted."""

INSTANCES_RUNNING: Final = TableSpec(42, "instances_running", key=U64, value=int)
"""Process definition → how many of its instances live; no row for none."""
