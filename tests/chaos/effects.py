"""What a log says has happened, in the words of a history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec
from tests.chaos.history import MARK, Kind

from grevy.protocol.intents import (
    BpmnElementType,
    Intent,
    JobIntent,
    MessageIntent,
    MessageStartEventSubscriptionIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    VariableDocumentIntent,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    MessageStartEventSubscriptionValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    VariableDocumentValue,
)

Place: TypeAlias = tuple[int, int]
"""Partition and position of a record."""

JOB_ENDS: Final[frozenset[Intent]] = frozenset(
    {JobIntent.COMPLETED, JobIntent.CANCELED, JobIntent.ERROR_THROWN}
)


@dataclass(frozen=True, slots=True)
class Effect:
    """What an operation of this kind and subject would leave; `key` is what its answer names."""

    kind: Kind
    subject: str
    key: int
    place: Place


@dataclass(slots=True)
class Effects:
    """All that a log has of what the rules speak of. `ended` has jobs and process instances that
    are gone, `correlations` the places by message key and process id.
    """

    every: list[Effect] = field(default_factory=list)
    instances: dict[int, Place] = field(default_factory=dict)
    ended: dict[int, Place] = field(default_factory=dict)
    correlations: dict[tuple[int, str], list[Place]] = field(default_factory=dict)


def events_of(entries: Iterable[Entry]) -> Iterator[tuple[Place, Record]]:
    """The events, each with its place."""
    for entry in entries:
        for offset, record in enumerate(entry.records):
            if record.record_type is RecordType.EVENT:
                yield (entry.partition_id, entry.first_position + offset), record


def effects_of(entries: Iterable[Entry]) -> Effects:
    """What the events say."""
    effects = Effects()
    for place, record in events_of(entries):
        _take(effects, place, record)
    return effects


def _take(effects: Effects, place: Place, record: Record) -> None:
    intent, key, value = record.intent, record.key, record.value
    if intent in JOB_ENDS:
        effects.ended.setdefault(key, place)
        if intent is JobIntent.COMPLETED:
            effects.every.append(Effect(Kind.COMPLETE, str(key), 0, place))
    elif isinstance(value, ProcessInstanceValue):
        if value.bpmn_element_type is BpmnElementType.PROCESS:
            _take_process(effects, place, record)
    elif intent is MessageIntent.PUBLISHED:
        assert isinstance(value, MessageValue)
        if value.message_id:
            effects.every.append(Effect(Kind.PUBLISH, value.message_id, key, place))
    elif intent is ProcessInstanceCreationIntent.CREATED:
        assert isinstance(value, ProcessInstanceCreationValue)
        subject = mark_of(value.variables)
        instance = value.process_instance_key
        effects.every.append(Effect(Kind.CREATE, subject, instance, place))
    elif intent is VariableDocumentIntent.UPDATED:
        assert isinstance(value, VariableDocumentValue)
        effects.every.append(Effect(Kind.SET, mark_of(value.variables), key, place))
    elif intent in (
        ProcessMessageSubscriptionIntent.CORRELATED,
        MessageStartEventSubscriptionIntent.CORRELATED,
    ):
        assert isinstance(
            value, ProcessMessageSubscriptionValue | MessageStartEventSubscriptionValue
        )
        who = (value.message_key, value.bpmn_process_id)
        effects.correlations.setdefault(who, []).append(place)


def _take_process(effects: Effects, place: Place, record: Record) -> None:
    ended = (ProcessInstanceIntent.ELEMENT_COMPLETED, ProcessInstanceIntent.ELEMENT_TERMINATED)
    if record.intent is ProcessInstanceIntent.ELEMENT_ACTIVATING:
        effects.instances.setdefault(record.key, place)
    elif record.intent is ProcessInstanceIntent.ELEMENT_TERMINATING:
        effects.every.append(Effect(Kind.CANCEL, str(record.key), 0, place))
    elif record.intent in ended:
        effects.ended.setdefault(record.key, place)


def mark_of(document: bytes) -> str:
    """The value of the variable `MARK`; empty where there is none."""
    variables = msgspec.json.decode(document, type=Mapping[str, object])
    return str(variables.get(MARK, ""))
