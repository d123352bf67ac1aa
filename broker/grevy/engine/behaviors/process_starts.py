"""Process instances: what starts them by events, and what goes with the last one."""

from __future__ import annotations

from grevy.engine.behaviors.distribution import DEPLOYMENT_PARTITION
from grevy.engine.step import Step
from grevy.protocol.intents import (
    BpmnElementType,
    ProcessEventIntent,
    ProcessInstanceIntent,
    ProcessIntent,
)
from grevy.protocol.values import (
    Document,
    ProcessEventValue,
    ProcessInstanceValue,
    ProcessValue,
)


def root_value(process: ProcessValue, process_instance_key: int) -> ProcessInstanceValue:
    """The record value of a process instance's root."""
    return ProcessInstanceValue(
        bpmn_process_id=process.bpmn_process_id,
        version=process.version,
        process_definition_key=process.process_definition_key,
        process_instance_key=process_instance_key,
        element_id=process.bpmn_process_id,
        bpmn_element_type=BpmnElementType.PROCESS,
    )


def start_instance(
    step: Step,
    *,
    process_definition_key: int,
    process_instance_key: int,
    start_event_id: str,
    variables: Document,
) -> None:
    """An event starts an instance; its start event takes the variables up when it is activated."""
    process = step.views.processes.get(process_definition_key)
    assert process is not None, f"process definition {process_definition_key} is not deployed"
    event = ProcessEventValue(
        scope_key=process_definition_key,
        target_element_id=start_event_id,
        variables=variables,
        process_definition_key=process_definition_key,
        process_instance_key=process_instance_key,
    )
    step.event(ProcessEventIntent.TRIGGERING, step.next_key(), event)
    root = root_value(process, process_instance_key)
    step.follow_up(ProcessInstanceIntent.ACTIVATE_ELEMENT, process_instance_key, root)


def forget_retired(step: Step, ended: ProcessInstanceValue) -> None:
    """With its last instance goes a process definition that was deleted meanwhile. Partition 1
    deletes none that has instances there.
    """
    if step.partition_id == DEPLOYMENT_PARTITION:
        return
    key, processes = ended.process_definition_key, step.views.processes
    if processes.is_retired(key) and not processes.has_running_instances(key):
        process = processes.get(key)
        assert process is not None, f"process definition {key} is retired and not there"
        step.event(ProcessIntent.DELETED, step.next_key(), process)
