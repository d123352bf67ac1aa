"""Records as lines for people: what `grevy log tail`, the demo and failing tests show.

Not a contract, unlike `json_form`: it may say more tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from grevy.protocol.intents import INTENTS, BpmnElementType, RecordType
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    EMPTY_DOCUMENT,
    CommandDistributionValue,
    DecisionEvaluationValue,
    DecisionRequirementsValue,
    DecisionValue,
    DeploymentValue,
    ErrorValue,
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessEventValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    ProcessValue,
    ResourceDeletionValue,
    SignalValue,
    TimerValue,
    Value,
    VariableDocumentValue,
    VariableValue,
)

TEXT_CHARS_MAX: Final = 200
"""Of a variable or a message; the rest stands in the record."""


_KINDS: Final = {
    RecordType.EVENT: "event",
    RecordType.COMMAND: "command",
    RecordType.COMMAND_REJECTION: "rejection",
}


def entry_lines(entry: Entry, from_place: int = 0) -> Iterator[str]:
    """A line for each record of an entry, from one of them on, in columns."""
    moment = datetime.fromtimestamp(entry.timestamp / 1000, UTC).astimezone()
    time = moment.strftime("%H:%M:%S.") + f"{entry.timestamp % 1000:03}"
    for place, record in enumerate(entry.records[from_place:], from_place):
        yield (
            f"{entry.first_position + place:>8} {time} {_KINDS[record.record_type]:<9} "
            f"{record.value_type.name:<28} {record.intent.name:<20} {record.key:>19} "
            f"{about(record)}"
        )


def words(name: str) -> str:
    """PROCESS_INSTANCE as people write it."""
    return name.lower().replace("_", " ")


def about(record: Record) -> str:
    """What a record is about: names, values, reasons; not its key, nor what happened."""
    text = _describe(record.value)
    if record.record_type is RecordType.COMMAND_REJECTION:
        text = f"{text}: {record.rejection_reason}" if text else record.rejection_reason
    return _short(text)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TEXT_CHARS_MAX else line[:TEXT_CHARS_MAX] + "…"


def _job(job: JobValue) -> str:
    where = f"{job.type} for {job.element_id}" if job.element_id else job.type
    result = "" if job.variables == EMPTY_DOCUMENT else _text(job.variables)
    parts = (where, job.error_code, job.error_message, result)
    return ", ".join(part for part in parts if part)


def _incident(incident: IncidentValue) -> str:
    if not incident.element_id:
        return ""  # a command names its incident by key
    job = f" (job {incident.job_key})" if incident.job_key > 0 else ""
    kind = words(incident.error_type.name)
    return f"{incident.element_id}{job}: {kind}: {incident.error_message}"


def _timer(timer: TimerValue) -> str:
    due = datetime.fromtimestamp(timer.due_date / 1000, UTC).astimezone()
    return f"{timer.target_element_id}, due {due.isoformat(' ', 'milliseconds')}"


def _element(element: ProcessInstanceValue) -> str:
    if element.bpmn_element_type is BpmnElementType.UNSPECIFIED:
        return element.element_id
    return f"{words(element.bpmn_element_type.name)} {element.element_id}"


def _creation(creation: ProcessInstanceCreationValue) -> str:
    version = f" version {creation.version}" if creation.version > 0 else ""
    return f"{creation.bpmn_process_id}{version}, {_text(creation.variables)}"


def _keyed(name: str, correlation_key: str) -> str:
    return f"{name} for '{correlation_key}'" if correlation_key else name


def _deployment(deployment: DeploymentValue) -> str:
    if deployment.resources:
        return ", ".join(file.resource_name for file in deployment.resources)
    processes = [f"{p.bpmn_process_id} {p.version}" for p in deployment.processes_metadata]
    decisions = [f"{d.decision_id} {d.version}" for d in deployment.decisions_metadata]
    return ", ".join(processes + decisions)


def _evaluation(evaluation: DecisionEvaluationValue) -> str:
    decision = evaluation.decision_id or str(evaluation.decision_key)
    if evaluation.evaluation_failure_message:
        return f"{decision}: {evaluation.evaluation_failure_message}"
    if evaluation.evaluated_decisions:
        return f"{decision} = {_text(evaluation.decision_output)}"
    return f"{decision}, {_text(evaluation.variables)}"


def _distribution(distribution: CommandDistributionValue) -> str:
    intent = INTENTS[distribution.intent]
    command = f"{words(intent.value_type.name)} {intent.name.lower()}"
    return f"{command}, partition {distribution.partition_id}"


def _text(document: bytes) -> str:
    return document.decode(errors="replace")


def _describe(value: Value) -> str:
    """The line for a value; nothing for kinds that only count."""
    match value:
        case ProcessInstanceValue():
            return _element(value)
        case JobValue():
            return _job(value)
        case VariableValue():
            return f"{value.name} = {_text(value.value)}"
        case VariableDocumentValue():
            return _text(value.variables)
        case IncidentValue():
            return _incident(value)
        case TimerValue():
            return _timer(value)
        case ProcessInstanceCreationValue():
            return _creation(value)
        case MessageValue():
            return _keyed(value.name, value.correlation_key)
        case MessageSubscriptionValue() | ProcessMessageSubscriptionValue():
            return _keyed(value.message_name, value.correlation_key)
        case MessageStartEventSubscriptionValue():
            return f"{value.message_name} starts {value.bpmn_process_id}"
        case ProcessEventValue():
            return value.target_element_id
        case JobBatchValue():
            return f"{value.type} for worker {value.worker}"
        case ProcessValue():
            return f"{value.bpmn_process_id} version {value.version}"
        case DeploymentValue():
            return _deployment(value)
        case DecisionValue():
            return f"{value.decision_id} version {value.version}"
        case DecisionRequirementsValue():
            id_, version = value.decision_requirements_id, value.decision_requirements_version
            return f"{id_} version {version}"
        case DecisionEvaluationValue():
            return _evaluation(value)
        case ResourceDeletionValue():
            return f"{value.resource_key}"
        case CommandDistributionValue():
            return _distribution(value)
        case SignalValue():
            return value.signal_name
        case ErrorValue():
            return value.exception_message
    return ""
