"""Records as Zeebe exports them: one JSON object each, with its envelope and its value's fields.

A value's fields are the struct's own in camel case, without what is ours alone (`_HIDDEN`), with
what Zeebe 8.8 has beside them (`_ADDED`), and in the forms that Zeebe gives some (`_FORMS`):
documents are objects, files and checksums base64, a variable's value is JSON text in a string.

Documents are copied as they are, so that no number loses a digit.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import orjson
from msgspec import Struct

from grevy.protocol.intents import INTENTS, RecordType, ValueType
from grevy.protocol.record import BROKER_VERSION, Entry, Record
from grevy.protocol.struct_codec import field_name
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    VALUES,
    CommandDistributionValue,
    DecisionRequirementsMetadata,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
    ProcessMetadata,
    ResourceFile,
    Value,
)

__all__ = ["record_dict", "record_json"]

_DEFAULT_TENANT: Final = "<default>"
_PATHS: Final[dict[str, object]] = {
    "elementInstancePath": [],
    "processDefinitionPath": [],
    "callingElementPath": [],
}
_JOB_RESULT: Final[dict[str, object]] = {
    "type": "USER_TASK",
    "denied": False,
    "deniedReason": "",
    "correctedAttributes": [],
    "corrections": {
        "assignee": "",
        "dueDate": "",
        "followUpDate": "",
        "candidateGroupsList": [],
        "candidateUsersList": [],
        "priority": -1,
    },
    "activateElements": [],
    "completionConditionFulfilled": False,
    "cancelRemainingInstances": False,
}

_WITHOUT_TENANT: Final = frozenset({ValueType.ERROR, ValueType.MESSAGE_BATCH, ValueType.JOB_BATCH})

_ADDED: Final[dict[ValueType, dict[str, object]]] = {
    ValueType.DEPLOYMENT: {"formMetadata": [], "resourceMetadata": []},
    ValueType.PROCESS_INSTANCE: {**_PATHS, "tags": []},
    ValueType.PROCESS_INSTANCE_CREATION: {"runtimeInstructions": [], "tags": []},
    ValueType.PROCESS_INSTANCE_RESULT: {"tags": []},
    ValueType.INCIDENT: _PATHS,
    ValueType.JOB: {"result": _JOB_RESULT, "tags": []},
    ValueType.JOB_BATCH: {"jobs": [], "tenantIds": []},
}
"""What Zeebe's values have and ours do not: what we do not have yet is empty."""

_GRAPH_HIDDEN: Final = frozenset({"deployment_key"})
"""Of a requirement graph: Zeebe's record of it does not show it."""

_HIDDEN: Final[dict[ValueType, frozenset[str]]] = {
    ValueType.DECISION_REQUIREMENTS: _GRAPH_HIDDEN,
    ValueType.INCIDENT: frozenset({"parked_position"}),
    ValueType.JOB: frozenset({"activation"}),
    ValueType.JOB_BATCH: frozenset({"deadline", "fetch_variables"}),
    ValueType.PROCESS_INSTANCE: frozenset({"joining_gateway_id"}),
    ValueType.PROCESS_INSTANCE_CREATION: frozenset({"fetch_variables", "start_scopes"}),
    ValueType.MESSAGE_SUBSCRIPTION: frozenset({"correlation"}),
    ValueType.PROCESS_MESSAGE_SUBSCRIPTION: frozenset({"subscription_partition_id", "correlation"}),
}
"""Fields that are ours alone, or that Zeebe does not show."""


def record_json(entry: Entry, index: int) -> bytes:
    """The exported JSON of the record at an index of an entry."""
    record = entry.records[index]
    position = entry.first_position + index
    rejection = record.rejection_type
    return orjson.dumps(
        {
            "position": position,
            "sourceRecordPosition": _source(entry, position),
            "key": record.key,
            "timestamp": entry.timestamp,
            "partitionId": entry.partition_id,
            "recordType": record.record_type.name,
            "valueType": record.value_type.name,
            "intent": record.intent.name,
            "rejectionType": "NULL_VAL" if rejection is None else rejection.name,
            "rejectionReason": record.rejection_reason,
            "brokerVersion": BROKER_VERSION,
            "recordVersion": 1,
            "authorizations": {},
            "operationReference": -1,
            "batchOperationReference": -1,
            "value": _value(record),
        }
    )


def record_dict(entry: Entry, index: int) -> dict[str, object]:
    """The same, parsed; numbers are what `orjson.loads` makes of them."""
    parsed: dict[str, object] = orjson.loads(record_json(entry, index))
    return parsed


def _source(entry: Entry, position: int) -> int:
    """The command that caused a record; the command itself came from outside."""
    return -1 if position == entry.command_position else entry.command_position


def _value(record: Record) -> dict[str, object]:
    # Clients may send what is no JSON. It is refused, yet the log holds the command.
    checked = record.record_type is not RecordType.EVENT
    if isinstance(record.value, CommandDistributionValue):
        return _distribution(record.value)
    return _value_fields(record.value, checked=checked)


def _distribution(value: CommandDistributionValue) -> dict[str, object]:
    """Zeebe has one field for the command's value, whatever its type."""
    intent = INTENTS[value.intent]
    command: Value | None = getattr(value, intent.value_type.name.lower(), None)
    if command is not None and command == type(command)():
        command = None  # it stands in the event that started the distribution
    return {
        "partitionId": value.partition_id,
        "queueId": value.queue_id or None,
        "valueType": intent.value_type.name,
        "intent": intent.name,
        "commandValue": None if command is None else _value_fields(command),
    }


def _value_fields(value: Value, *, checked: bool = False) -> dict[str, object]:
    kind = value.value_type
    fields = _fields(value, _HIDDEN.get(kind, frozenset()), checked=checked)
    fields |= _ADDED.get(kind, {})
    if kind not in _WITHOUT_TENANT:
        fields["tenantId"] = _DEFAULT_TENANT
    return fields


def _fields(
    struct: Struct, hidden: frozenset[str] = frozenset(), *, checked: bool = False
) -> dict[str, object]:
    """A struct's fields in their exported forms; `checked`: documents may be no JSON objects."""
    fields: dict[str, object] = {}
    for name in struct.__struct_fields__:
        if name in hidden:
            continue
        item = getattr(struct, name)
        if name in _DOCUMENTS:
            item = orjson.Fragment(item if not checked or _is_object(item) else EMPTY_DOCUMENT)
        elif form := _FORMS.get(name):
            item = form(item)
        elif isinstance(item, IntEnum):
            item = item.name
        fields[_NAMES[name]] = item
    return fields


def _is_object(document: bytes) -> bool:
    try:
        return isinstance(orjson.loads(document), dict)
    except orjson.JSONDecodeError:
        return False


def _text(document: bytes) -> str:
    """JSON text in a string; what is beyond the basic plane is escaped, as Zeebe writes it."""
    text = document.decode(errors="replace")
    return text if text.isascii() else _ASTRAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex().upper()
    return f"\\u{units[:4]}\\u{units[4:]}"


_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _start_instructions(element_ids: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"elementId": element_id} for element_id in element_ids]


def _structs(structs: tuple[Struct, ...]) -> list[dict[str, object]]:
    return [_fields(struct) for struct in structs]


def _of_tenant(structs: tuple[Struct, ...]) -> list[dict[str, object]]:
    return [_fields(struct) | {"tenantId": _DEFAULT_TENANT} for struct in structs]


def _graphs(structs: tuple[Struct, ...]) -> list[dict[str, object]]:
    return [_fields(struct, _GRAPH_HIDDEN) | {"tenantId": _DEFAULT_TENANT} for struct in structs]


_DOCUMENTS: Final = frozenset({"variables", "custom_headers"})

_FORMS: Final[dict[str, Callable[[Any], object]]] = {
    "value": _text,
    "resource": _base64,
    "checksum": _base64,
    "start_instructions": _start_instructions,
    "resources": _structs,
    "processes_metadata": _of_tenant,
    "decisions_metadata": _of_tenant,
    "decision_requirements_metadata": _graphs,
    "decision_output": _text,
    "evaluated_decisions": _of_tenant,
    "evaluated_inputs": _structs,
    "input_value": _text,
    "matched_rules": _structs,
    "evaluated_outputs": _structs,
    "output_value": _text,
}
"""Fields, by name, that are not exported as they are."""

_STRUCTS: Final[tuple[type[Struct], ...]] = (
    *VALUES.values(),
    ResourceFile,
    ProcessMetadata,
    DecisionRequirementsMetadata,
    EvaluatedDecision,
    EvaluatedInput,
    MatchedRule,
    EvaluatedOutput,
)
_NAMES: Final = {name: field_name(name) for struct in _STRUCTS for name in struct.__struct_fields__}
"""The exported names of fields."""
