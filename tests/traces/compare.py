"""Compares the records of a run with a recorded trace.

A trace is a scenario (files, steps with their answers) and what Zeebe's engine recorded: `[step,
valueType, intent, key, fields]`, keys as labels. A run is given as its answers, one a step (`{"ok":
...}` or `{"error": "NOT_FOUND"}`), and its records in the form that exporters write, each with the
number of its step. Neither keys nor clocks agree between two runs, so keys become names that say
what they are of, and times become spans.

Levels: `flow` compares answers and the order of element states; `effects` also compares what they
do, in lanes (one for each value type and element instance); `strict` compares the whole log, record
by record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

Fields: TypeAlias = dict[str, Any]
Line: TypeAlias = tuple[int, str, str, Any, Fields]
"""(step, valueType, intent, key or "REJECTION", fields)."""

Level: TypeAlias = Literal["flow", "effects", "strict"]
LEVELS: Final[tuple[Level, ...]] = ("flow", "effects", "strict")

KEPT: Final = frozenset(
    [
        "PROCESS_INSTANCE",
        "JOB",
        "VARIABLE",
        "INCIDENT",
        "TIMER",
        "MESSAGE",
        "MESSAGE_SUBSCRIPTION",
        "PROCESS_MESSAGE_SUBSCRIPTION",
        "MESSAGE_START_EVENT_SUBSCRIPTION",
        "SIGNAL",
        "SIGNAL_SUBSCRIPTION",
        "ESCALATION",
        "DECISION_EVALUATION",
        "PROCESS_EVENT",
        "USER_TASK",
        "COMPENSATION_SUBSCRIPTION",
        "PROCESS",
        "DEPLOYMENT",
        "DECISION",
        "DECISION_REQUIREMENTS",
        "FORM",
        "RESOURCE",
        "VARIABLE_DOCUMENT",
        "PROCESS_INSTANCE_CREATION",
        "PROCESS_INSTANCE_MODIFICATION",
        "PROCESS_INSTANCE_MIGRATION",
        "PROCESS_INSTANCE_RESULT",
        "RESOURCE_DELETION",
        "AD_HOC_SUB_PROCESS_INSTRUCTION",
        "MESSAGE_CORRELATION",
        "RUNTIME_INSTRUCTION",
    ]
)
"""Value types that traces hold."""

DROPPED: Final = frozenset(
    [
        "tenantId",
        "resource",
        "resources",
        "checksum",
        "errorMessage",
        "rejectionReason",
        "rootProcessInstanceKey",
        "elementInstancePath",
        "processDefinitionPath",
        "callingElementPath",
        "authorizations",
        "requestId",
        "requestStreamId",
        "brokerVersion",
        "formData",
        "evaluationFailureMessage",
        "creationTimestamp",
        "tenantFilter",
        "jobToUserTaskMigration",
        "duplicatesOnly",
        "deploymentKey",
        "changedAttributesProp",
        "tags",
        "isJobLeaseEnabled",
    ]
)
"""Fields that traces leave out."""

TIMES: Final = frozenset({"deadline", "dueDate", "timestamp", "recurringTime"})
VALUES: Final = frozenset({"variables", "value", "decisionOutput", "customHeaders", "variable"})

EFFECTS: Final[Mapping[str, tuple[str, ...]]] = {
    kind: tuple(fields.split())
    for kind, fields in {
        "VARIABLE": "name value scopeKey",
        "JOB": "type retries elementId elementInstanceKey jobKind jobListenerEventType "
        "customHeaders variables errorCode",
        "INCIDENT": "errorType elementId elementInstanceKey jobKey variableScopeKey",
        "TIMER": "targetElementId repetitions dueDate elementInstanceKey",
        "MESSAGE": "name correlationKey messageId timeToLive variables",
        "MESSAGE_SUBSCRIPTION": "messageName correlationKey interrupting elementInstanceKey",
        "PROCESS_MESSAGE_SUBSCRIPTION": "messageName correlationKey interrupting elementId "
        "elementInstanceKey variables",
        "MESSAGE_START_EVENT_SUBSCRIPTION": "messageName startEventId bpmnProcessId correlationKey",
        "SIGNAL": "signalName variables",
        "SIGNAL_SUBSCRIPTION": "signalName catchEventId bpmnProcessId catchEventInstanceKey",
        "ESCALATION": "escalationCode throwElementId catchElementId",
        "USER_TASK": "elementId elementInstanceKey assignee candidateGroupsList "
        "candidateUsersList dueDate followUpDate priority action variables changedAttributes",
        "COMPENSATION_SUBSCRIPTION": "compensableActivityId throwEventId compensationHandlerId",
        "DECISION_EVALUATION": "decisionId decisionOutput failedDecisionId decisionVersion",
        "PROCESS": "bpmnProcessId version versionTag resourceName",
        "DECISION": "decisionId version decisionName",
        "DECISION_REQUIREMENTS": "decisionRequirementsId decisionRequirementsVersion "
        "decisionRequirementsName",
        "FORM": "formId version",
        "PROCESS_INSTANCE_CREATION": "bpmnProcessId version processInstanceKey startInstructions",
        "PROCESS_INSTANCE_MODIFICATION": "processInstanceKey",
        "PROCESS_INSTANCE_MIGRATION": "processInstanceKey",
        "RESOURCE_DELETION": "",
    }.items()
}
"""What the level "effects" compares: the fields of each value type that users see."""

ANSWERS: Final = frozenset({"deploy", "activate", "evaluate"})
"""Steps whose whole answer is compared; of the others only whether it was refused, and how."""

FLOW: Final = (
    "elementId",
    "bpmnElementType",
    "bpmnEventType",
    "bpmnProcessId",
    "version",
    "flowScopeKey",
    "processInstanceKey",
    "parentProcessInstanceKey",
    "parentElementInstanceKey",
)


def differences(
    trace: Fields,
    answers: Sequence[Fields],
    records: Iterable[tuple[int, Fields]],
    level: Level = "effects",
) -> list[str]:
    """Sentences that say where a run differs from its trace; none when it agrees."""
    expected = [_line(record) for record in trace["records"]]
    actual = normalise(records)
    found = _answers(trace["steps"], answers)
    if level == "strict":
        return found + _first("log", _strict(expected), _strict(actual))
    found += _first("flow", _flow(expected), _flow(actual))
    if level == "effects" and not found:
        e, a = _lanes(expected), _lanes(actual)
        for lane in sorted(set(e) | set(a), key=str):
            found += _first(" ".join(map(str, lane)), e.get(lane, []), a.get(lane, []))
    return found


def normalise(records: Iterable[tuple[int, Fields]]) -> list[Line]:
    """Exported records in the form of a trace; what is empty or -1 is absent."""
    lines: list[Line] = []
    for step, record in records:
        kind, intent = record["valueType"], record["intent"]
        if kind not in KEPT or record["recordType"] == "COMMAND":
            continue
        if record["recordType"] == "COMMAND_REJECTION":
            fields = {"rejectionType": record["rejectionType"]}
            lines.append((step, kind, intent, "REJECTION", fields))
        else:
            fields = _clean(record["value"], record["timestamp"])
            key = record["key"] if record["key"] > 0 else None
            lines.append((step, kind, intent, key, fields))
    return lines


def _line(record: list[Any]) -> Line:
    step, kind, intent, key, fields = record
    return step, kind, intent, key, fields


def _clean(value: Any, stamp: int) -> Any:
    if isinstance(value, list):
        return [_clean(item, stamp) for item in value]
    if not isinstance(value, dict):
        return value
    fields = {}
    for name, field in value.items():
        if name in DROPPED or (name == "variables" and not field):
            continue
        if name in VALUES or name.endswith("Output"):
            fields[name] = field
            continue
        kept = _clean_field(name, field, stamp)
        if kept not in (None, "", -1, [], {}):
            fields[name] = kept
    return fields


def _clean_field(name: str, field: Any, stamp: int) -> Any:
    if name in TIMES and isinstance(field, int):  # seconds from now; what is past is left out
        return (round((field - stamp) / 1000) or None) if field > stamp else None
    return field if name.endswith(("Key", "Keys")) else _clean(field, stamp)


def _names(lines: list[Line]) -> dict[Any, str]:
    """Names for keys that do not depend on how the log interleaves records of different kinds."""
    names: dict[Any, str] = {}
    counts: dict[tuple[str, Any], int] = {}

    def name(key: Any, kind: str, lane: Any) -> None:
        if key not in names:
            counts[kind, lane] = counts.get((kind, lane), 0) + 1
            names[key] = f"{kind}:{lane}:{counts[kind, lane]}"

    for _, kind, _, key, v in lines:  # element instances first: all else hangs on them
        is_element = v.get("bpmnElementType") != "SEQUENCE_FLOW"
        if kind == "PROCESS_INSTANCE" and key != "REJECTION" and is_element:
            name(key, "element", v.get("elementId"))
    for _, kind, _, key, v in lines:
        if key != "REJECTION":
            owner = v.get("elementInstanceKey", v.get("scopeKey"))
            name(key, kind, names.get(owner, v.get("bpmnProcessId", "")))
    return names


def _fields(
    fields: Fields, wanted: tuple[str, ...], names: dict[Any, str], intent: str = "CREATED"
) -> Fields:
    kept = {}
    for name in wanted:
        if name in fields and (name not in TIMES or intent == "CREATED"):
            # times are compared at creation only: later on, the recording's real clock shows
            value = fields[name]
            is_key = name.endswith("Key") and name != "correlationKey"
            kept[name] = names.get(value, "?") if is_key else value
    return kept


def _flow(lines: list[Line]) -> list[object]:
    names = _names(lines)
    return [
        (step, intent, tuple(sorted(_fields(v, FLOW, names).items())))
        for step, kind, intent, key, v in lines
        if kind == "PROCESS_INSTANCE" and key != "REJECTION"
    ]


def _lanes(lines: list[Line]) -> dict[tuple[object, ...], list[object]]:
    names = _names(lines)
    lanes: dict[tuple[object, ...], list[object]] = {}
    for step, kind, intent, key, v in lines:
        if key == "REJECTION":
            rejection = (kind, intent, v.get("rejectionType"))
            lanes.setdefault(("rejections", step), []).append(rejection)
        elif kind in EFFECTS:
            effect = (step, intent, _fields(v, EFFECTS[kind], names, intent))
            lanes.setdefault((kind, names.get(key, "?")), []).append(effect)
    return lanes


class _Labels:
    """Keys as labels by first appearance, through whole values."""

    def __init__(self) -> None:
        self._labels: dict[Any, str] = {}

    def of(self, key: Any) -> str:
        return self._labels.setdefault(key, f"#{len(self._labels) + 1}")

    def walk(self, value: Any, intent: str) -> Any:
        if isinstance(value, list):
            return [self.walk(item, intent) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self._field(name, field, intent)
            for name, field in value.items()
            if name not in TIMES or intent == "CREATED"
        }

    def _field(self, name: str, field: Any, intent: str) -> Any:
        if not name.endswith(("Key", "Keys")) or name == "correlationKey":
            return self.walk(field, intent)
        return [self.of(key) for key in field] if isinstance(field, list) else self.of(field)


def _strict(lines: list[Line]) -> list[object]:
    labels = _Labels()
    return [
        (step, kind, intent, key if key == "REJECTION" else labels.of(key), labels.walk(v, intent))
        for step, kind, intent, key, v in lines
    ]


def _first(label: str, expected: list[object], actual: list[object]) -> list[str]:
    for n, (e, a) in enumerate(zip(expected, actual, strict=False)):
        if e != a:
            return [f"{label}, record {n}: expected {e}, got {a}"]
    if len(expected) != len(actual):
        is_short = len(expected) > len(actual)
        longer, what = (expected, "missing") if is_short else (actual, "too many")
        n = min(len(expected), len(actual))
        return [f"{label}: {what}, from record {n}: {longer[n]}"]
    return []


def _answers(steps: Sequence[Fields], answers: Sequence[Fields]) -> list[str]:
    found = []
    for n, (step, answer) in enumerate(zip(steps, answers, strict=False)):
        want, where = step["answer"], f"answer of step {n} ({step['do']})"
        if want.get("error") != answer.get("error"):
            found.append(f"{where}: expected {want}, got {answer}")
        elif "ok" in want and _is_compared(step) and _plain(want["ok"]) != _plain(answer["ok"]):
            found.append(f"{where}: expected {want['ok']}, got {answer['ok']}")
    return found


def _is_compared(step: Fields) -> bool:
    return step["do"] in ANSWERS or bool(step.get("with_result"))


def _plain(answer: Any) -> Any:
    if isinstance(answer, dict) and "output" in answer:
        return {**answer, "output": json.loads(answer["output"] or "null")}
    return answer
