"""What becomes of a command of the engine's own that failed unexpectedly."""

from __future__ import annotations

from grevy.engine.step import Command, Step
from grevy.protocol.intents import ErrorType, IncidentIntent
from grevy.protocol.values import IncidentValue, ProcessInstanceValue


def park(step: Step, command: Command, position: int, reason: str) -> None:
    """Raises an incident that holds the command until it is resolved; the instance can be cancelled
    meanwhile.

    The incident hangs on the scope of the element, since the element instance itself may not have
    come to be. A command that belongs to no living instance is dropped with its ERROR record.
    """
    value = command.value
    if not isinstance(value, ProcessInstanceValue):
        return
    scope = step.views.elements.get(command.key) or step.views.elements.get(value.flow_scope_key)
    if scope is None:
        return
    incident = IncidentValue(
        error_type=ErrorType.UNKNOWN,
        error_message=reason,
        bpmn_process_id=value.bpmn_process_id,
        process_definition_key=value.process_definition_key,
        process_instance_key=value.process_instance_key,
        element_id=value.element_id,
        element_instance_key=scope.key,
        variable_scope_key=scope.key,
        parked_position=position,
    )
    step.event(IncidentIntent.CREATED, step.next_key(), incident)
