"""Variables: setting them, propagating them upwards, and the input and output mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from grevy.bpmn.model import Mapping
from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.documents import join, split
from grevy.engine.behaviors.expressions import evaluate
from grevy.engine.behaviors.ordering import in_zeebes_order
from grevy.engine.step import Step
from grevy.engine.tables import StoredVariable
from grevy.feel import Value, from_json, to_json
from grevy.protocol.intents import (
    BpmnElementType,
    BpmnEventType,
    ErrorType,
    ProcessEventIntent,
    VariableIntent,
)
from grevy.protocol.values import (
    Document,
    ProcessEventValue,
    ProcessInstanceValue,
    VariableValue,
)

# Looked up once, see step.py.
_CREATED: Final = VariableIntent.CREATED
_TRIGGERED: Final = ProcessEventIntent.TRIGGERED
_BOUNDARY_EVENT: Final = BpmnElementType.BOUNDARY_EVENT
_START_EVENT: Final = BpmnElementType.START_EVENT
_EVENT_BASED_GATEWAY: Final = BpmnElementType.EVENT_BASED_GATEWAY


def set_local(
    step: Step, scope_key: int, owner: ProcessInstanceValue, variables: list[tuple[str, bytes]]
) -> None:
    """Sets variables in this very scope; one that has its value already writes no event."""
    for name, value in in_zeebes_order(variables):
        found = step.views.variables.local(scope_key, name)
        _write(step, scope_key, owner, (name, value), found)


def propagate(
    step: Step, scope_key: int, owner: ProcessInstanceValue, variables: list[tuple[str, bytes]]
) -> None:
    """Sets each variable in the nearest scope from this one upwards that has it, else in the
    root.
    """
    views = step.views.variables
    left = in_zeebes_order(variables)
    while left:
        parent = views.parent(scope_key)
        if parent <= 0:
            break
        unknown = []
        for name, value in left:
            found = views.local(scope_key, name)
            if found is None or found.value == value:  # as in Zeebe: it goes on upwards
                unknown.append((name, value))
            else:
                _write(step, scope_key, owner, (name, value), found)
        left = unknown
        scope_key = parent
    for name, value in left:
        _write(step, scope_key, owner, (name, value), views.local(scope_key, name))


def _write(
    step: Step,
    scope_key: int,
    owner: ProcessInstanceValue,
    variable: tuple[str, bytes],
    found: StoredVariable | None,
) -> None:
    name, value = variable
    if found is not None and found.value == value:
        return
    step.document_bytes += len(value)
    record = VariableValue(
        name=name,
        value=value,
        scope_key=scope_key,
        process_instance_key=owner.process_instance_key,
        process_definition_key=owner.process_definition_key,
        bpmn_process_id=owner.bpmn_process_id,
    )
    if found is None:
        step.event(_CREATED, step.next_key(), record)
    else:
        step.event(VariableIntent.UPDATED, found.key, record)


def apply_inputs(step: Step, here: Here) -> None:
    """Input mappings: each sees what the ones before it gave, then the scopes around; targets
    become local.
    """
    if not here.element.inputs:
        return
    results = _map(step, here.element.inputs, here.key, _none)
    set_local(step, here.key, here.value, results)


def apply_outputs(step: Step, here: Here) -> None:
    """Output mappings, or without any the propagation of what the element's event brought."""
    trigger = step.views.events.next_trigger(here.key)
    variables: list[tuple[str, bytes]] = []
    if trigger is not None:
        variables = split(trigger.variables)
        _take_trigger(step, here, trigger.key, trigger.element_id)
    if here.element.outputs:
        set_local(step, here.key, here.value, variables)
        existing = step.lookup(here.scope_key)
        results = _map(step, here.element.outputs, here.key, existing)
        scope = here.scope_key if here.scope_key > 0 else here.key
        propagate(step, scope, here.value, results)
    elif variables:
        propagate(step, here.key, here.value, variables)
    elif _keeps_payload_local(here):
        payload = [(v.name, v.value) for v in step.views.variables.locals(here.key)]
        propagate(step, here.scope_key, here.value, payload)


def _keeps_payload_local(here: Here) -> bool:
    """Whether the element's event left its variables in the element's own scope."""
    kind = here.value.bpmn_element_type
    if kind is _BOUNDARY_EVENT:
        return here.value.bpmn_event_type is not BpmnEventType.ERROR  # what an error brings stays
    if kind is _START_EVENT:
        return True
    return any(flow.source.element_type is _EVENT_BASED_GATEWAY for flow in here.element.incoming)


def _take_trigger(step: Step, here: Here, key: int, element_id: str) -> None:
    value = ProcessEventValue(
        scope_key=here.key,
        target_element_id=element_id,
        process_definition_key=here.value.process_definition_key,
        process_instance_key=here.value.process_instance_key,
    )
    step.event(_TRIGGERED, key, value)


def _none(_name: str) -> bytes | None:
    return None


def _map(
    step: Step,
    mappings: Iterable[Mapping],
    scope_key: int,
    existing: Callable[[str], bytes | None],
) -> list[tuple[str, bytes]]:
    """What mappings give, by the first name of their targets; `existing` is what nested targets
    merge into.
    """
    results: dict[str, Value] = {}
    outer = step.lookup(scope_key)

    def lookup(name: str) -> bytes | None:
        return to_json(results[name]) if name in results else outer(name)

    for mapping in mappings:
        value: Value
        if isinstance(mapping.source, str):
            value = mapping.source
        else:
            value = _evaluate_mapping(step, mapping, scope_key, lookup)
        _assign(results, mapping.target, value, existing)
    return [(name, to_json(value)) for name, value in results.items()]


def _evaluate_mapping(
    step: Step, mapping: Mapping, scope_key: int, lookup: Callable[[str], bytes | None]
) -> Value:
    assert not isinstance(mapping.source, str), "a static source has its value"
    error = ErrorType.IO_MAPPING_ERROR
    return evaluate(step, mapping.source, scope_key, error, lookup)


def _assign(
    results: dict[str, Value],
    target: tuple[str, ...],
    value: Value,
    existing: Callable[[str], bytes | None],
) -> None:
    """Puts a value at a path; objects on the way are copied, so that no one else's change."""
    root, *rest = target
    if not rest:
        results[root] = value
        return
    current = results.get(root)
    if root not in results:
        raw = existing(root)
        current = None if raw is None else from_json(raw)
    results[root] = place = dict(current) if isinstance(current, dict) else {}
    for name in rest[:-1]:
        inner = place.get(name)
        place[name] = inner = dict(inner) if isinstance(inner, dict) else {}
        place = inner
    place[rest[-1]] = value


def result_document(step: Step, process_instance_key: int, fetch: tuple[str, ...]) -> Document:
    """The variables of an instance's root scope, all or those that are asked for."""
    found = [(v.name, v.value) for v in step.views.variables.locals(process_instance_key)]
    return join((name, value) for name, value in found if not fetch or name in fetch)
