"""The audit trail of a process instance: what the log says of it, told by element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from grevy.broker.demo.trail import element_of
from grevy.protocol.intents import IncidentIntent, JobIntent, RecordType, ValueType
from grevy.protocol.record import Entry, Record
from grevy.protocol.text_form import about, words
from grevy.protocol.values import JobBatchValue, ProcessInstanceCreationValue, VariableValue

_STYLES = {
    IncidentIntent.CREATED: "bold red",
    IncidentIntent.RESOLVED: "bold green",
    JobIntent.FAILED: "red",
    JobIntent.ERROR_THROWN: "yellow",
}


class Happening(msgspec.Struct):
    """A line of the trail: a command, or what happened to one element because of it."""

    first_position: int
    last_position: int
    timestamp: int
    element: str
    what: str
    style: str = ""
    is_command: bool = False


def happenings(entries: Sequence[Entry], instance: int) -> Iterator[Happening]:
    """The trail of a process instance, oldest first."""
    elements: dict[int, str] = {}
    jobs: set[int] = set()
    for entry in entries:
        _learn(entry, instance, elements, jobs)
        lines: dict[str, Happening] = {}
        for place, record in enumerate(entry.records):
            if _concerns(record, instance, jobs):
                _add(lines, entry, place, _element(record, elements))
        if lines:
            yield _command(entry)
            yield from lines.values()


def _learn(entry: Entry, instance: int, elements: dict[int, str], jobs: set[int]) -> None:
    """Which keys are the instance's elements, and which its jobs."""
    for record in entry.records:
        if getattr(record.value, "process_instance_key", -1) == instance:
            if record.value_type is ValueType.PROCESS_INSTANCE:
                elements.setdefault(record.key, element_of(record))
            elif record.value_type is ValueType.JOB:
                jobs.add(record.key)


def _concerns(record: Record, instance: int, jobs: set[int]) -> bool:
    value = record.value
    if record.record_type is not RecordType.EVENT:
        return False
    if isinstance(value, JobBatchValue):
        return not jobs.isdisjoint(value.job_keys)
    return bool(getattr(value, "process_instance_key", -1) == instance)


def _element(record: Record, elements: dict[int, str]) -> str:
    """The element that an event belongs to; variables belong to their scope."""
    if isinstance(record.value, VariableValue):
        return elements.get(record.value.scope_key, "")
    return element_of(record)


def _add(lines: dict[str, Happening], entry: Entry, place: int, element: str) -> None:
    """What happens to an element in one entry stands in one line."""
    record = entry.records[place]
    position = entry.first_position + place
    what = _what(record)
    style = _STYLES.get(record.intent, "")
    line = lines.get(element)
    if line is None:
        lines[element] = Happening(position, position, entry.timestamp, element, what, style)
        return
    line.last_position = position
    line.what += f", {what}"
    line.style = style or line.style


def _command(entry: Entry) -> Happening:
    """The entry's beginning: what was asked for, by a client or by the engine itself."""
    record = entry.records[0]
    if record.record_type is not RecordType.COMMAND:
        what = "what the engine had left to do"
    else:
        what = f"{words(record.intent.name)} {_kind(record)}"
        subject = about(record)
        if isinstance(record.value, ProcessInstanceCreationValue):
            subject = record.value.bpmn_process_id  # its variables follow as events
        what += f": {subject}" if subject else ""
    position = entry.first_position
    return Happening(position, position, entry.timestamp, "", what, "bold cyan", is_command=True)


def _what(record: Record) -> str:
    """An event in a few words; its element stands before them."""
    intent = words(record.intent.name)
    match record.value_type:
        case ValueType.PROCESS_INSTANCE:
            return intent.removeprefix("element ").removeprefix("sequence flow ")
        case ValueType.VARIABLE:
            return about(record)
        case ValueType.INCIDENT if record.intent is IncidentIntent.CREATED:
            return f"incident created: {about(record).partition(': ')[2]}"
        case ValueType.PROCESS_MESSAGE_SUBSCRIPTION | ValueType.MESSAGE_SUBSCRIPTION:
            return f"subscription {intent}"
        case ValueType.JOB_BATCH:
            return "job pushed to a worker"
    return f"{_kind(record)} {intent}"


def _kind(record: Record) -> str:
    """What a record is about, without the words that say nothing to people."""
    name = words(record.value_type.name)
    return (
        name.removesuffix(" creation").removesuffix(" document").replace("process event", "event")
    )
