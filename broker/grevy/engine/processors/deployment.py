"""The processor of deployments."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.distribution import distribute, is_elsewhere, started
from grevy.engine.processors.decision_deployment import (
    DeployedGraph,
    GraphDefinition,
    deploy_graph,
    is_graph_known,
    known_graph,
)
from grevy.engine.processors.deployed_files import (
    Definition,
    ProcessDefinition,
    RefusedDeployment,
    read_files,
)
from grevy.engine.processors.distributed_deployment import receive_deployment
from grevy.engine.processors.start_events import close_starts, open_starts
from grevy.engine.step import Command, Step
from grevy.protocol.intents import DeploymentIntent, ProcessIntent, RejectionType
from grevy.protocol.values import DeploymentValue, ProcessMetadata, ProcessValue


def create_deployment(step: Step, command: Command) -> None:
    """Deploys files: all of them or none. What is not new at all keeps its keys and versions."""
    if step.source_partition_id:
        receive_deployment(step, command)
        return
    if is_elsewhere(step, command):
        return
    value = command.value
    assert isinstance(value, DeploymentValue), value
    try:
        definitions = read_files(step, value.resources)
    except RefusedDeployment as refused:
        step.reject(command, RejectionType.INVALID_ARGUMENT, str(refused))
        return
    key = step.next_key()
    is_new = any(not _is_known(step, definition) for definition in definitions)
    processes: list[tuple[ProcessDefinition, ProcessMetadata]] = []
    graphs: list[DeployedGraph] = []
    for definition in definitions:
        if isinstance(definition, GraphDefinition):
            graph = deploy_graph(step, definition, key) if is_new else known_graph(step, definition)
            graphs.append(graph)
        else:
            entry = _deploy(step, definition, key) if is_new else _known(step, definition)
            processes.append((definition, entry))
    created = DeploymentValue(
        processes_metadata=tuple(entry for _, entry in processes),
        deployment_key=key,
        decisions_metadata=tuple(decision for graph in graphs for decision in graph.decisions),
        decision_requirements_metadata=tuple(graph.graph for graph in graphs),
    )
    step.event(DeploymentIntent.CREATED, key, created)
    step.answer(DeploymentIntent.CREATED, key, created)
    whole = replace(created, resources=value.resources)
    distribute(step, key, replace(started(DeploymentIntent.CREATE), deployment=whole))
    if is_new:
        for definition, entry in processes:
            _start(step, definition, entry)


def _is_known(step: Step, definition: Definition) -> bool:
    if isinstance(definition, GraphDefinition):
        return is_graph_known(step, definition)
    latest = _latest(step, definition)
    return (
        latest is not None
        and latest.checksum == definition.checksum
        and latest.resource_name == definition.file.resource_name
    )


def _latest(step: Step, definition: ProcessDefinition) -> ProcessValue | None:
    return step.views.processes.find(definition.model.id)


def _known(step: Step, definition: ProcessDefinition) -> ProcessMetadata:
    latest = _latest(step, definition)
    assert latest is not None, definition.model.id
    return _metadata(latest, is_duplicate=True)


def _metadata(value: ProcessValue, *, is_duplicate: bool) -> ProcessMetadata:
    return ProcessMetadata(
        bpmn_process_id=value.bpmn_process_id,
        version=value.version,
        process_definition_key=value.process_definition_key,
        resource_name=value.resource_name,
        checksum=value.checksum,
        duplicate=is_duplicate,
        deployment_key=value.deployment_key,
        version_tag=value.version_tag,
    )


def _deploy(step: Step, definition: ProcessDefinition, deployment_key: int) -> ProcessMetadata:
    model = definition.model
    key = step.next_key()
    value = ProcessValue(
        bpmn_process_id=model.id,
        version=step.views.processes.next_version(model.id),
        process_definition_key=key,
        resource_name=definition.file.resource_name,
        resource=definition.file.resource,
        checksum=definition.checksum,
        deployment_key=deployment_key,
        version_tag=model.version_tag,
    )
    step.event(ProcessIntent.CREATED, key, value)
    return _metadata(value, is_duplicate=False)


def _start(step: Step, definition: ProcessDefinition, entry: ProcessMetadata) -> None:
    """Only the newest version's start events wait."""
    processes = step.views.processes
    previous = processes.before(entry.bpmn_process_id, entry.version)
    if previous is not None:
        close_starts(step, previous.process_definition_key)
    process = processes.get(entry.process_definition_key)
    assert process is not None, entry.process_definition_key
    open_starts(step, process, definition.starts)
