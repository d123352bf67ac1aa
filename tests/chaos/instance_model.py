"""A small sequential model of process instances: what may follow what, by the order of the log.

It knows less than the engine and shares nothing with it: elements, jobs and variables, each as a
table of what may come next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec
from tests.chaos.effects import Place, events_of, mark_of
from tests.chaos.history import MARK

from grevy.protocol.intents import (
    BpmnElementType,
    Intent,
    JobBatchIntent,
    JobIntent,
    ProcessInstanceIntent,
    VariableDocumentIntent,
    VariableIntent,
)
from grevy.protocol.keys import partition_of
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    JobBatchValue,
    JobValue,
    ProcessInstanceValue,
    VariableDocumentValue,
    VariableValue,
)

_Pi = ProcessInstanceIntent
ELEMENT_NEXT: Final[dict[Intent | None, frozenset[Intent]]] = {
    None: frozenset({_Pi.ELEMENT_ACTIVATING}),
    _Pi.ELEMENT_ACTIVATING: frozenset({_Pi.ELEMENT_ACTIVATED, _Pi.ELEMENT_TERMINATING}),
    _Pi.ELEMENT_ACTIVATED: frozenset({_Pi.ELEMENT_COMPLETING, _Pi.ELEMENT_TERMINATING}),
    _Pi.ELEMENT_COMPLETING: frozenset({_Pi.ELEMENT_COMPLETED, _Pi.ELEMENT_TERMINATING}),
    _Pi.ELEMENT_TERMINATING: frozenset({_Pi.ELEMENT_TERMINATED}),
    _Pi.ELEMENT_COMPLETED: frozenset(),
    _Pi.ELEMENT_TERMINATED: frozenset(),
}
"""What may happen to an element instance after what has happened to it last."""


class JobState(Enum):
    """Who has a job."""

    NOBODY = "with nobody"
    WORKER = "with a worker"
    GONE = "gone"


JOB_AFTER: Final[dict[Intent, JobState]] = {
    JobIntent.TIMED_OUT: JobState.NOBODY,
    JobIntent.FAILED: JobState.NOBODY,
    JobIntent.YIELDED: JobState.NOBODY,
    JobIntent.ERROR_THROWN: JobState.NOBODY,  # where nothing catches it, it may be had again
    JobIntent.COMPLETED: JobState.GONE,
    JobIntent.CANCELED: JobState.GONE,
}
"""Where an event of a job leaves it; any other leaves it where it was."""


@dataclass(frozen=True, slots=True)
class Misstep:
    """An event that cannot be, where it is."""

    place: Place
    what: str

    def __str__(self) -> str:
        partition, position = self.place
        return f"{self.what} (partition {partition}, position {position})"


def missteps(entries: Iterable[Entry]) -> list[Misstep]:
    """What cannot be, of all instances whose beginnings are in the log."""
    log = list(entries)
    model = _Model()
    for place, record in events_of(log):
        model.take(place, record)
    return model.found + [found for entry in log for found in _changes_without_effect(entry)]


class _Model:
    def __init__(self) -> None:
        self.found: list[Misstep] = []
        self._elements: dict[int, Intent] = {}
        self._gone: set[int] = set()
        self._jobs: dict[int, JobState] = {}
        self._variables: set[tuple[int, str]] = set()

    def take(self, place: Place, record: Record) -> None:
        """The next event of the log."""
        value = record.value
        if isinstance(value, ProcessInstanceValue):
            if record.intent is not ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN:
                self._element(place, record, value)
        elif isinstance(value, JobValue):
            self._living(place, value.process_instance_key, f"{_name(record)}, job {record.key}")
            self._job(place, record)
        elif record.intent is JobBatchIntent.ACTIVATED:
            assert isinstance(value, JobBatchValue)
            for key in value.job_keys:
                self._activated(place, key)
        elif isinstance(value, VariableValue):
            what = f"{_name(record)}, variable {value.name} of {value.scope_key}"
            self._living(place, value.process_instance_key, what)
            self._variable(place, record.intent, value)

    def _misstep(self, place: Place, what: str) -> None:
        self.found.append(Misstep(place, what))

    def _living(self, place: Place, instance: int, what: str) -> None:
        if instance in self._gone:
            self._misstep(place, f"{what}: its process instance {instance} has ended")
        if instance > 0 and partition_of(instance) != place[0]:
            self._misstep(place, f"{what}: process instance {instance} is of another partition")

    def _element(self, place: Place, record: Record, value: ProcessInstanceValue) -> None:
        what = f"{_name(record)}, {value.element_id} {record.key}"
        self._living(place, value.process_instance_key, what)
        before = self._elements.get(record.key)
        if record.intent not in ELEMENT_NEXT[before]:
            came = "nothing" if before is None else before.name
            self._misstep(place, f"{what}: after {came}")
        self._elements[record.key] = record.intent
        is_process = value.bpmn_element_type is BpmnElementType.PROCESS
        if is_process and not ELEMENT_NEXT[record.intent]:
            self._gone.add(record.key)

    def _job(self, place: Place, record: Record) -> None:
        what = f"{_name(record)}, job {record.key}"
        state = self._jobs.get(record.key)
        if record.intent is JobIntent.CREATED:
            if state is not None:
                self._misstep(place, f"{what}: it is there already")
            self._jobs[record.key] = JobState.NOBODY
        elif state is None or state is JobState.GONE:
            self._misstep(place, f"{what}: it is {'gone' if state else 'not there'}")
        else:
            self._jobs[record.key] = JOB_AFTER.get(record.intent, state)

    def _activated(self, place: Place, key: int) -> None:
        state = self._jobs.get(key)
        if state is not JobState.NOBODY:
            where = "not there" if state is None else state.value
            self._misstep(place, f"JOB_BATCH.ACTIVATED, job {key}: it is {where}")
        if state is JobState.NOBODY:
            self._jobs[key] = JobState.WORKER

    def _variable(self, place: Place, intent: Intent, value: VariableValue) -> None:
        which = (value.scope_key, value.name)
        is_new = intent is VariableIntent.CREATED
        if is_new == (which in self._variables):
            what = f"VARIABLE.{intent.name}, {value.name} of {value.scope_key}"
            self._misstep(place, f"{what}: it is {'there already' if is_new else 'not there'}")
        self._variables.add(which)


def _changes_without_effect(entry: Entry) -> list[Misstep]:
    """Changes of the marked variable whose entry does not have its new value."""
    changed = {
        msgspec.json.decode(record.value.value)
        for record in entry.records
        if isinstance(record.value, VariableValue) and record.value.name == MARK
    }
    return [
        Misstep(place, f"VARIABLE_DOCUMENT.UPDATED, {mark}: no variable has that value")
        for place, record in events_of([entry])
        if record.intent is VariableDocumentIntent.UPDATED
        and isinstance(record.value, VariableDocumentValue)
        and (mark := mark_of(record.value.variables))
        and mark not in changed
    ]


def _name(record: Record) -> str:
    return f"{record.value_type.name}.{record.intent.name}"
