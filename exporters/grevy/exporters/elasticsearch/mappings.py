"""How each field of a record is indexed, for every value type. Mappings are strict.

A field that stands in no table makes the server refuse the document; a test holds the tables and
`grevy.protocol.json_form` together. Strings that are names are keywords; longer ones than a keyword
can be are kept and not indexed. Documents (variables, headers) are kept and not looked into: users
choose their fields, and each would become one of the index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from grevy.protocol.intents import ValueType

Kind: TypeAlias = Mapping[str, object]
Fields: TypeAlias = dict[str, Kind]

_KEYWORD: Final[Kind] = {"type": "keyword", "ignore_above": 8191}
_TEXT: Final[Kind] = {"type": "text"}
_LONG: Final[Kind] = {"type": "long"}
_INTEGER: Final[Kind] = {"type": "integer"}
_BOOLEAN: Final[Kind] = {"type": "boolean"}
_DATE: Final[Kind] = {"type": "date"}
_BINARY: Final[Kind] = {"type": "binary"}
_OPAQUE: Final[Kind] = {"type": "object", "enabled": False}


def _fields(
    *,
    keyword: str = "",
    text: str = "",
    long: str = "",
    integer: str = "",
    boolean: str = "",
    binary: str = "",
    opaque: str = "",
) -> Fields:
    """The mapping of fields that are given by their names, in words."""
    kinds = [
        (keyword, _KEYWORD),
        (text, _TEXT),
        (long, _LONG),
        (integer, _INTEGER),
        (boolean, _BOOLEAN),
        (binary, _BINARY),
        (opaque, _OPAQUE),
    ]
    return {name: kind for names, kind in kinds for name in names.split()}


ENVELOPE: Final[Fields] = {
    **_fields(
        keyword="recordType valueType intent rejectionType brokerVersion",
        text="rejectionReason",
        long="position sourceRecordPosition key sequence operationReference"
        " batchOperationReference",
        integer="partitionId recordVersion",
        opaque="authorizations",
    ),
    "timestamp": _DATE,
}
"""The fields that all records have; `value` is that of their value type."""

_PROCESS_METADATA: Final = _fields(
    keyword="bpmnProcessId resourceName versionTag tenantId",
    long="processDefinitionKey deploymentKey",
    integer="version",
    boolean="duplicate",
    binary="checksum",
)

_DECISION: Final = _fields(
    keyword="decisionId decisionName decisionRequirementsId versionTag tenantId",
    long="decisionKey decisionRequirementsKey deploymentKey",
    integer="version",
    boolean="duplicate",
)
_REQUIREMENTS_METADATA: Final = _fields(
    keyword="decisionRequirementsId decisionRequirementsName namespace resourceName tenantId",
    long="decisionRequirementsKey",
    integer="decisionRequirementsVersion",
    boolean="duplicate",
    binary="checksum",
)
_EVALUATED_DECISION: Final[Fields] = {
    **_fields(
        keyword="decisionId decisionName decisionType decisionOutput tenantId",
        long="decisionKey",
        integer="decisionVersion",
    ),
    "evaluatedInputs": {"properties": _fields(keyword="inputId inputName inputValue")},
    "matchedRules": {
        "properties": {
            **_fields(keyword="ruleId", integer="ruleIndex"),
            "evaluatedOutputs": {"properties": _fields(keyword="outputId outputName outputValue")},
        }
    },
}

VALUES: Final[dict[ValueType, Fields]] = {
    ValueType.DEPLOYMENT: {
        **_fields(keyword="tenantId", long="deploymentKey", opaque="formMetadata resourceMetadata"),
        "resources": {"properties": _fields(keyword="resourceName", binary="resource")},
        "processesMetadata": {"properties": _PROCESS_METADATA},
        "decisionsMetadata": {"properties": _DECISION},
        "decisionRequirementsMetadata": {"properties": _REQUIREMENTS_METADATA},
    },
    ValueType.PROCESS: {**_PROCESS_METADATA, **_fields(binary="resource")},
    ValueType.DECISION: _DECISION,
    ValueType.DECISION_REQUIREMENTS: {**_REQUIREMENTS_METADATA, **_fields(binary="resource")},
    ValueType.DECISION_EVALUATION: {
        **_fields(
            keyword="decisionId decisionName decisionRequirementsId decisionOutput bpmnProcessId"
            " elementId failedDecisionId tenantId",
            text="evaluationFailureMessage",
            long="decisionKey decisionRequirementsKey processDefinitionKey processInstanceKey"
            " elementInstanceKey",
            integer="decisionVersion",
            opaque="variables",
        ),
        "evaluatedDecisions": {"properties": _EVALUATED_DECISION},
    },
    ValueType.RESOURCE_DELETION: _fields(keyword="tenantId", long="resourceKey"),
    ValueType.COMMAND_DISTRIBUTION: _fields(
        keyword="queueId valueType intent", integer="partitionId", opaque="commandValue"
    ),
    ValueType.PROCESS_INSTANCE_CREATION: {
        **_fields(
            keyword="bpmnProcessId tenantId tags",
            long="processDefinitionKey processInstanceKey",
            integer="version",
            opaque="variables runtimeInstructions",
        ),
        "startInstructions": {"properties": _fields(keyword="elementId")},
    },
    ValueType.PROCESS_INSTANCE: _fields(
        keyword="bpmnProcessId elementId bpmnElementType bpmnEventType tenantId tags",
        long="processDefinitionKey processInstanceKey flowScopeKey parentProcessInstanceKey"
        " parentElementInstanceKey elementInstancePath processDefinitionPath",
        integer="version callingElementPath",
    ),
    ValueType.PROCESS_INSTANCE_RESULT: _fields(
        keyword="bpmnProcessId tenantId tags",
        long="processDefinitionKey processInstanceKey",
        integer="version",
        opaque="variables",
    ),
    ValueType.PROCESS_INSTANCE_BATCH: _fields(
        keyword="tenantId",
        long="processInstanceKey processDefinitionKey batchElementInstanceKey index",
    ),
    ValueType.PROCESS_EVENT: _fields(
        keyword="targetElementId tenantId",
        long="scopeKey processDefinitionKey processInstanceKey",
        opaque="variables",
    ),
    ValueType.JOB: _fields(
        keyword="type worker errorCode elementId bpmnProcessId jobKind jobListenerEventType"
        " changedAttributes tags tenantId",
        text="errorMessage",
        long="retryBackoff recurringTime deadline timeout elementInstanceKey processDefinitionKey"
        " processInstanceKey",
        integer="retries processDefinitionVersion",
        opaque="customHeaders variables result",
    ),
    ValueType.JOB_BATCH: _fields(
        keyword="type worker tenantIds",
        long="timeout jobKeys",
        integer="maxJobsToActivate",
        boolean="truncated",
        opaque="jobs",
    ),
    ValueType.INCIDENT: _fields(
        keyword="errorType bpmnProcessId elementId tenantId",
        text="errorMessage",
        long="processDefinitionKey processInstanceKey elementInstanceKey jobKey variableScopeKey"
        " elementInstancePath processDefinitionPath",
        integer="callingElementPath",
    ),
    ValueType.MESSAGE: _fields(
        keyword="name correlationKey messageId tenantId",
        long="timeToLive deadline",
        opaque="variables",
    ),
    ValueType.MESSAGE_BATCH: _fields(long="messageKeys"),
    ValueType.MESSAGE_SUBSCRIPTION: _fields(
        keyword="bpmnProcessId messageName correlationKey tenantId",
        long="processInstanceKey elementInstanceKey processDefinitionKey messageKey",
        boolean="interrupting",
        opaque="variables",
    ),
    ValueType.PROCESS_MESSAGE_SUBSCRIPTION: _fields(
        keyword="bpmnProcessId messageName correlationKey elementId tenantId",
        long="processInstanceKey elementInstanceKey processDefinitionKey messageKey",
        boolean="interrupting",
        opaque="variables",
    ),
    ValueType.MESSAGE_START_EVENT_SUBSCRIPTION: _fields(
        keyword="bpmnProcessId startEventId messageName correlationKey tenantId",
        long="processDefinitionKey processInstanceKey messageKey",
        opaque="variables",
    ),
    ValueType.TIMER: _fields(
        keyword="targetElementId tenantId",
        long="elementInstanceKey processInstanceKey processDefinitionKey dueDate",
        integer="repetitions",
    ),
    ValueType.SIGNAL: _fields(keyword="signalName tenantId", opaque="variables"),
    ValueType.VARIABLE: _fields(
        keyword="name value bpmnProcessId tenantId",
        long="scopeKey processInstanceKey processDefinitionKey",
    ),
    ValueType.VARIABLE_DOCUMENT: _fields(
        keyword="updateSemantics tenantId", long="scopeKey", opaque="variables"
    ),
    ValueType.ERROR: _fields(
        text="exceptionMessage stacktrace", long="errorEventPosition processInstanceKey"
    ),
}
"""The fields of each value type."""
