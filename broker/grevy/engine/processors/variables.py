"""The processor that sets variables for a client."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.engine.behaviors.documents import BadDocument, split, variables_of
from grevy.engine.behaviors.variables import propagate, set_local
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    RejectionType,
    VariableDocumentIntent,
    VariableDocumentUpdateSemantic,
)
from grevy.protocol.values import VariableDocumentValue


def update_variables(step: Step, command: Command) -> None:
    """Sets variables at an element instance: there, or where they are from there upwards."""
    value = command.value
    assert isinstance(value, VariableDocumentValue), value
    instance = step.views.elements.get(value.scope_key)
    where = f"at the element instance with key {value.scope_key}"
    if instance is None:
        reason = f"Expected to set variables {where}, but no such element was found"
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    try:
        document = variables_of(step, command)
    except BadDocument as error:
        reason = f"Expected to set variables {where}, but {error}"
        step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
        return
    if value.update_semantics is VariableDocumentUpdateSemantic.LOCAL:
        set_local(step, instance.key, instance.value, split(document))
    else:
        propagate(step, instance.key, instance.value, split(document))
    key = step.next_key()
    step.event(VariableDocumentIntent.UPDATED, key, replace(value, variables=document))
    step.answer(VariableDocumentIntent.UPDATED, key)
