"""The processor that deletes what was deployed."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.distribution import (
    acknowledge,
    distribute,
    is_elsewhere,
    is_new,
    started,
)
from grevy.engine.processors.start_events import close_starts, evaluate_starts, open_starts
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    DecisionIntent,
    DecisionRequirementsIntent,
    ProcessIntent,
    RejectionType,
    ResourceDeletionIntent,
)
from grevy.protocol.values import DecisionRequirementsValue, ProcessValue, ResourceDeletionValue


def delete_resource(step: Step, command: Command) -> None:
    """Deletes a process definition that no instance needs, or a requirement graph with its
    decisions, whoever calls them.
    """
    if step.source_partition_id:
        _receive_deletion(step, command)
        return
    if is_elsewhere(step, command):
        return
    value = _value(command)
    process = step.views.processes.get(value.resource_key)
    graph = step.views.decisions.graph(value.resource_key)
    named = f"resource with key {value.resource_key}"
    if process is None and graph is None:
        reason = f"Expected to delete the {named}, but no such resource was found"
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    if process is not None and step.views.processes.has_running_instances(value.resource_key):
        reason = f"Expected to delete the {named}, but there are still running instances of it"
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    key = step.next_key()
    _delete(step, key, value)
    step.answer(ResourceDeletionIntent.DELETED, key, value)
    distribution = replace(started(ResourceDeletionIntent.DELETE), resource_deletion=value)
    distribute(step, key, distribution)


def _receive_deletion(step: Step, command: Command) -> None:
    """Partition 1 has deleted it. Instances that live here go on; what they need goes with the last
    of them.
    """
    if is_new(step, command):
        _delete(step, command.key, _value(command))
        acknowledge(step, command)


def _delete(step: Step, key: int, value: ResourceDeletionValue) -> None:
    process = step.views.processes.get(value.resource_key)
    graph = step.views.decisions.graph(value.resource_key)
    step.event(ResourceDeletionIntent.DELETING, key, value)
    if process is not None:
        _delete_process(step, process)
    elif graph is not None:
        _delete_graph(step, graph)
    step.event(ResourceDeletionIntent.DELETED, key, value)


def _delete_process(step: Step, process: ProcessValue) -> None:
    """Where the newest version goes, the start events of the one before it wait again."""
    processes = step.views.processes
    is_newest = process.version == processes.latest_version(process.bpmn_process_id)
    step.event(ProcessIntent.DELETING, step.next_key(), process)
    if is_newest:
        close_starts(step, process.process_definition_key)
        previous = processes.before(process.bpmn_process_id, process.version)
        if previous is not None:
            model = step.models.get(previous.process_definition_key)
            open_starts(step, previous, evaluate_starts(step, model))
    if not processes.is_retired(process.process_definition_key):
        step.event(ProcessIntent.DELETED, step.next_key(), process)


def _delete_graph(step: Step, graph: DecisionRequirementsValue) -> None:
    for decision in step.views.decisions.of_graph(graph.decision_requirements_key):
        step.event(DecisionIntent.DELETED, step.next_key(), decision)
    step.event(DecisionRequirementsIntent.DELETED, step.next_key(), graph)


def _value(command: Command) -> ResourceDeletionValue:
    value = command.value
    assert isinstance(value, ResourceDeletionValue), value
    return value
