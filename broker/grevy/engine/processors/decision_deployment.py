"""What the deployment of a DMN file gives: a requirement graph and its decisions."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from grevy.dmn import DecisionGraph
from grevy.engine.decision_order import deployment_order
from grevy.engine.step import Step
from grevy.protocol.intents import DecisionIntent, DecisionRequirementsIntent
from grevy.protocol.values import (
    DecisionRequirementsMetadata,
    DecisionRequirementsValue,
    DecisionValue,
    ResourceFile,
)


class GraphDefinition(NamedTuple):
    """A requirement graph of the deployment."""

    file: ResourceFile
    checksum: bytes
    graph: DecisionGraph


class DeployedGraph(NamedTuple):
    """What the deployment says of a graph and of its decisions."""

    graph: DecisionRequirementsMetadata
    decisions: tuple[DecisionValue, ...]


def is_graph_known(step: Step, definition: GraphDefinition) -> bool:
    """Whether the newest version of the graph is this very file, and its decisions are the newest
    of theirs.
    """
    latest = step.views.decisions.find_graph(definition.graph.id)
    if (
        latest is None
        or latest.checksum != definition.checksum
        or latest.resource_name != definition.file.resource_name
    ):
        return False
    newest = [step.views.decisions.find(decision.id) for decision in definition.graph.decisions]
    key = latest.decision_requirements_key
    return all(one is not None and one.decision_requirements_key == key for one in newest)


def known_graph(step: Step, definition: GraphDefinition) -> DeployedGraph:
    """The graph as it was deployed before."""
    latest = step.views.decisions.find_graph(definition.graph.id)
    assert latest is not None, definition.graph.id
    decisions = step.views.decisions.of_graph(latest.decision_requirements_key)
    return DeployedGraph(
        _metadata(latest, is_duplicate=True),
        tuple(replace(decision, duplicate=True) for decision in decisions),
    )


def deploy_graph(step: Step, definition: GraphDefinition, deployment_key: int) -> DeployedGraph:
    """A new version of the graph, and of each of its decisions."""
    graph, decisions = definition.graph, step.views.decisions
    latest = decisions.find_graph(graph.id)
    key = step.next_key()
    value = DecisionRequirementsValue(
        decision_requirements_id=graph.id,
        decision_requirements_name=graph.name,
        decision_requirements_version=1 + (latest.decision_requirements_version if latest else 0),
        decision_requirements_key=key,
        namespace=graph.namespace,
        resource_name=definition.file.resource_name,
        resource=definition.file.resource,
        checksum=definition.checksum,
        deployment_key=deployment_key,
    )
    step.event(DecisionRequirementsIntent.CREATED, key, value)
    deployed = []
    for decision in deployment_order(graph.decisions):
        before = decisions.find(decision.id)
        created = DecisionValue(
            decision_id=decision.id,
            decision_name=decision.name,
            version=1 + (before.version if before else 0),
            decision_key=step.next_key(),
            decision_requirements_id=graph.id,
            decision_requirements_key=key,
            deployment_key=deployment_key,
            version_tag=decision.version_tag,
        )
        step.event(DecisionIntent.CREATED, created.decision_key, created)
        deployed.append(created)
    return DeployedGraph(_metadata(value, is_duplicate=False), tuple(deployed))


def _metadata(
    value: DecisionRequirementsValue, *, is_duplicate: bool
) -> DecisionRequirementsMetadata:
    return DecisionRequirementsMetadata(
        decision_requirements_id=value.decision_requirements_id,
        decision_requirements_name=value.decision_requirements_name,
        decision_requirements_version=value.decision_requirements_version,
        decision_requirements_key=value.decision_requirements_key,
        namespace=value.namespace,
        resource_name=value.resource_name,
        checksum=value.checksum,
        duplicate=is_duplicate,
        deployment_key=value.deployment_key,
    )
