"""Variables: setting them, propagating them upwards, and the input and output mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias, cast

from grevy.bpmn.model import Mapping
from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.documents import join, split
from grevy.engine.behaviors.expressions import evaluate
from grevy.engine.step import Step
from grevy.engine.tables import StoredVariable
from grevy.feel import FeelFunction, Value, arranged, from_json, to_json
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
Variables: TypeAlias = list[tuple[str, bytes]]
"""Names and JSON texts, in the order of their document."""

_Find: TypeAlias = Callable[[str], Value]


def set_local(
    step: Step, scope_key: int, owner: ProcessInstanceValue, variables: Variables
) -> None:
    """Sets variables in this very scope; one that has its value already writes no event."""
    for name, value in step.variable_order.of(variables):
        found = step.views.variables.local(scope_key, name)
        _write(step, scope_key, owner, (name, value), found)


def propagate(
    step: Step, scope_key: int, owner: ProcessInstanceValue, variables: Variables
) -> None:
    """Sets each variable in the nearest scope from this one upwards that has it, else in the
    root.
    """
    views = step.views.variables
    left = step.variable_order.of(variables)
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
    set_local(step, here.key, here.value, _map(step, here.element.inputs, here, merges=False))


def apply_outputs(step: Step, here: Here) -> None:
    """Output mappings, or without any the propagation of what the element's event brought."""
    trigger = step.views.events.next_trigger(here.key)
    variables: Variables = []
    if trigger is not None:
        variables = split(trigger.variables)
        _take_trigger(step, here, trigger.key, trigger.element_id)
    if here.element.outputs:
        set_local(step, here.key, here.value, variables)
        results = _map(step, here.element.outputs, here, merges=True)
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


def _map(step: Step, mappings: Iterable[Mapping], here: Here, *, merges: bool) -> Variables:
    """What mappings give, as one context: each sees what those before it gave. With `merges`
    objects are added to what is there.
    """
    values = _entries(step, mappings, here, {}, _existing(step, here) if merges else None)
    return [
        (name, to_json(value))
        for name, value in arranged(values).items()
        if not isinstance(value, FeelFunction)
    ]


def _existing(step: Step, here: Here) -> _Find:
    """The values of the variables that the element sees."""
    lookup = step.lookup(here.key)

    def find(name: str) -> Value:
        raw = lookup(name)
        return None if raw is None else from_json(raw)

    return find


def _entries(
    step: Step,
    mappings: Iterable[Mapping],
    here: Here,
    around: dict[str, Value],
    existing: _Find | None,
) -> dict[str, Value]:
    """The entries of a context, in a place where the names `around` it are seen."""
    entries: dict[str, Value] = {}
    error = ErrorType.IO_MAPPING_ERROR
    for mapping in mappings:
        source, value = mapping.source, cast(Value, None)
        if isinstance(source, str):
            value = source
        elif isinstance(source, tuple):
            value = _object(step, mapping, here, {**around, **entries}, existing)
        else:
            value = evaluate(step, source, here.key, error, {**around, **entries})
        entries[mapping.target] = value
    return entries


def _object(
    step: Step, mapping: Mapping, here: Here, around: dict[str, Value], existing: _Find | None
) -> Value:
    """An object of mappings to paths. Something else than an object that is there already cannot
    take them: that gives null, as in Zeebe.
    """
    assert isinstance(mapping.source, tuple), "a path leads there"
    if existing is None:
        return arranged(_entries(step, mapping.source, here, around, None))
    there = existing(mapping.target)
    if there is None:
        there = {}
    elif not isinstance(there, dict):
        return None
    entries = _entries(step, mapping.source, here, around, there.get)
    return arranged({**there, **entries})


def result_document(step: Step, process_instance_key: int, fetch: tuple[str, ...]) -> Document:
    """The variables of an instance's root scope, all or those that are asked for."""
    found = [(v.name, v.value) for v in step.views.variables.locals(process_instance_key)]
    return join((name, value) for name, value in found if not fetch or name in fetch)
