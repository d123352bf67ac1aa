"""Deployments that partition 1 has distributed: the same definitions under the same keys."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.bpmn import compile_processes
from grevy.engine.behaviors.distribution import acknowledge, is_new
from grevy.engine.processors.start_events import close_starts, evaluate_starts, open_starts
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    DecisionIntent,
    DecisionRequirementsIntent,
    DeploymentIntent,
    ProcessIntent,
)
from grevy.protocol.values import (
    DecisionRequirementsMetadata,
    DecisionRequirementsValue,
    DeploymentValue,
    ProcessMetadata,
    ProcessValue,
)


def receive_deployment(step: Step, command: Command) -> None:
    """Deploys what partition 1 has checked, numbered and named."""
    value = command.value
    assert isinstance(value, DeploymentValue), value
    if not is_new(step, command):
        return
    files = {file.resource_name: file.resource for file in value.resources}
    deployed = [
        _deploy_process(step, metadata, files[metadata.resource_name])
        for metadata in value.processes_metadata
        if not metadata.duplicate
    ]
    for graph in value.decision_requirements_metadata:
        if not graph.duplicate:
            _deploy_graph(step, graph, files[graph.resource_name], value)
    step.event(DeploymentIntent.CREATED, command.key, replace(value, resources=()))
    acknowledge(step, command)
    for process in deployed:
        _start(step, process)


def _deploy_process(step: Step, metadata: ProcessMetadata, resource: bytes) -> ProcessValue:
    process = ProcessValue(
        bpmn_process_id=metadata.bpmn_process_id,
        version=metadata.version,
        process_definition_key=metadata.process_definition_key,
        resource_name=metadata.resource_name,
        resource=resource,
        checksum=metadata.checksum,
        deployment_key=metadata.deployment_key,
        version_tag=metadata.version_tag,
    )
    step.event(ProcessIntent.CREATED, process.process_definition_key, process)
    return process


def _deploy_graph(
    step: Step, metadata: DecisionRequirementsMetadata, resource: bytes, value: DeploymentValue
) -> None:
    graph = DecisionRequirementsValue(
        decision_requirements_id=metadata.decision_requirements_id,
        decision_requirements_name=metadata.decision_requirements_name,
        decision_requirements_version=metadata.decision_requirements_version,
        decision_requirements_key=metadata.decision_requirements_key,
        namespace=metadata.namespace,
        resource_name=metadata.resource_name,
        resource=resource,
        checksum=metadata.checksum,
        deployment_key=metadata.deployment_key,
    )
    key = graph.decision_requirements_key
    step.event(DecisionRequirementsIntent.CREATED, key, graph)
    for decision in value.decisions_metadata:
        if decision.decision_requirements_key == key:
            step.event(DecisionIntent.CREATED, decision.decision_key, decision)


def _start(step: Step, process: ProcessValue) -> None:
    """Only the newest version's start events wait. Faults were found by partition 1."""
    previous = step.views.processes.before(process.bpmn_process_id, process.version)
    if previous is not None:
        close_starts(step, previous.process_definition_key)
    for model in compile_processes(process.resource_name, process.resource):
        if model.id == process.bpmn_process_id:
            open_starts(step, process, evaluate_starts(step, model))
