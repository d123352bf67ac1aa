"""What a test engine has recorded: typed records, and questions that tests ask of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec
from msgspec import Struct

from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    BpmnElementType,
    ErrorType,
    IncidentIntent,
    Intent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    VariableIntent,
)
from grevy.protocol.json_form import record_dict
from grevy.protocol.record import Entry
from grevy.protocol.text_form import entry_lines
from grevy.protocol.values import IncidentValue, ProcessInstanceValue, Value, VariableValue


class LoggedRecord(Struct, frozen=True, gc=False):
    """A record with its place in the log; `entry` and `index` say where it lies."""

    position: int
    timestamp: int
    record_type: RecordType
    intent: Intent
    key: int
    value: Value
    rejection_type: RejectionType | None
    rejection_reason: str
    entry: Entry
    index: int

    def exported(self) -> dict[str, object]:
        """The record as Zeebe's exporters write it."""
        return record_dict(self.entry, self.index)


class Incident(Struct, frozen=True):
    """An incident that nobody has resolved; `job_key` is -1 where it is not about a job."""

    key: int
    error_type: ErrorType
    message: str
    element_id: str
    process_instance_key: int
    job_key: int


class RecordLog(Sequence[LoggedRecord]):
    """All records of an engine, in the order of the log.

    Entries are decoded when somebody asks for their records.
    """

    def __init__(self) -> None:
        self._encoded: list[bytes] = []
        self._records: list[LoggedRecord] = []

    def append(self, entry: bytes) -> None:
        """Adds a committed entry, as it would lie in the log."""
        self._encoded.append(entry)

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> LoggedRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LoggedRecord]: ...
    def __getitem__(self, index: int | slice) -> LoggedRecord | Sequence[LoggedRecord]:
        return self._all()[index]

    def __iter__(self) -> Iterator[LoggedRecord]:
        return iter(self._all())

    def of(self, *intents: Intent, **fields: object) -> list[LoggedRecord]:
        """Events of any of these intents whose value has these fields.

        `of(JobIntent.CREATED, type="pay")`.
        """
        return [
            record
            for record in self._all()
            if record.intent in intents
            and record.record_type is RecordType.EVENT
            and all(getattr(record.value, name) == wanted for name, wanted in fields.items())
        ]

    def rejections(self) -> list[LoggedRecord]:
        """Commands that were refused, those of the engine itself too."""
        return [r for r in self._all() if r.record_type is RecordType.COMMAND_REJECTION]

    def elements(self, intent: ProcessInstanceIntent, process_instance_key: int) -> list[str]:
        """Ids of an instance's elements (and flows) that something happened to, in order."""
        found = self.of(intent, process_instance_key=process_instance_key)
        return [_instance_value(record).element_id for record in found]

    def completed_elements(self, process_instance_key: int) -> list[str]:
        """Ids of the elements that an instance has completed, in order.

        The last may be the process.
        """
        return self.elements(ProcessInstanceIntent.ELEMENT_COMPLETED, process_instance_key)

    def taken_flows(self, process_instance_key: int) -> list[str]:
        """Ids of the sequence flows that an instance has taken, in order."""
        return self.elements(ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN, process_instance_key)

    def has_completed(self, process_instance_key: int) -> bool:
        """Whether an instance has completed."""
        return self._has_ended(ProcessInstanceIntent.ELEMENT_COMPLETED, process_instance_key)

    def has_terminated(self, process_instance_key: int) -> bool:
        """Whether an instance was terminated."""
        return self._has_ended(ProcessInstanceIntent.ELEMENT_TERMINATED, process_instance_key)

    def instances(self, bpmn_process_id: str = "") -> list[int]:
        """Keys of the instances (of a process) that were ever activated, oldest first."""
        roots = self.of(
            ProcessInstanceIntent.ELEMENT_ACTIVATING, bpmn_element_type=BpmnElementType.PROCESS
        )
        return [r.key for r in roots if bpmn_process_id in ("", _instance_value(r).bpmn_process_id)]

    def active_elements(self, process_instance_key: int) -> list[str]:
        """Ids of the elements that an instance is at, oldest first: activated and not ended."""
        intents = ProcessInstanceIntent
        began = self.of(intents.ELEMENT_ACTIVATED, process_instance_key=process_instance_key)
        active = {
            record.key: _instance_value(record).element_id
            for record in began
            if record.key != process_instance_key
        }
        ended = self.of(
            intents.ELEMENT_COMPLETED,
            intents.ELEMENT_TERMINATED,
            process_instance_key=process_instance_key,
        )
        for record in ended:
            active.pop(record.key, None)
        return list(active.values())

    def variables(self, scope_key: int) -> dict[str, object]:
        """The variables of a process instance's or element instance's own scope: as they are, or
        as they were when it ended.
        """
        set_here = self.of(VariableIntent.CREATED, VariableIntent.UPDATED, scope_key=scope_key)
        values = (record.value for record in set_here)
        return {
            v.name: msgspec.json.decode(v.value) for v in values if isinstance(v, VariableValue)
        }

    def incidents(self, process_instance_key: int | None = None) -> list[Incident]:
        """The incidents (of an instance) that nobody has resolved yet, oldest first."""
        resolved = {record.key for record in self.of(IncidentIntent.RESOLVED)}
        return [
            Incident(
                record.key,
                value.error_type,
                value.error_message,
                value.element_id,
                value.process_instance_key,
                value.job_key,
            )
            for record in self.of(IncidentIntent.CREATED)
            if record.key not in resolved
            and isinstance(value := record.value, IncidentValue)
            and process_instance_key in (None, value.process_instance_key)
        ]

    def text(self) -> str:
        """All records, a line each, for people."""
        self._all()
        entries = {id(record.entry): record.entry for record in self._records}
        return "\n".join(line for entry in entries.values() for line in entry_lines(entry))

    def exported(self) -> list[dict[str, object]]:
        """All records as Zeebe's exporters write them."""
        return [record.exported() for record in self._all()]

    def _has_ended(self, intent: ProcessInstanceIntent, key: int) -> bool:
        return any(record.key == key for record in self.of(intent, process_instance_key=key))

    def _all(self) -> list[LoggedRecord]:
        encoded, self._encoded = self._encoded, []
        for data in encoded:
            self._records.extend(_logged(decode_entry(data)))
        return self._records


def _logged(entry: Entry) -> Iterator[LoggedRecord]:
    for index, record in enumerate(entry.records):
        yield LoggedRecord(
            position=entry.first_position + index,
            timestamp=entry.timestamp,
            record_type=record.record_type,
            intent=record.intent,
            key=record.key,
            value=record.value,
            rejection_type=record.rejection_type,
            rejection_reason=record.rejection_reason,
            entry=entry,
            index=index,
        )


def _instance_value(record: LoggedRecord) -> ProcessInstanceValue:
    assert isinstance(record.value, ProcessInstanceValue), record.value
    return record.value
