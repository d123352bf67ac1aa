"""The codec of entries and of answers that stand alone."""

from __future__ import annotations

from typing import Final

from grevy.protocol import wire
from grevy.protocol.errors import MalformedFrame
from grevy.protocol.frame import FrameCodec
from grevy.protocol.intents import INTENTS, RecordType, RejectionType
from grevy.protocol.layout import Fields, Layout
from grevy.protocol.limits import ENTRY_BYTES_MAX
from grevy.protocol.record import Answer, Entry, Record, Reply
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.struct_codec import StructCodec, check_count
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values_codec import KIND_OF_INTENT

__all__ = [
    "decode_answer",
    "decode_entry",
    "encode_answer",
    "encode_entry",
    "entry_mask",
    "entry_positions",
]

_RECORD_TYPES: Final = {kind.value: kind for kind in RecordType}
_REJECTION_TYPES: Final = {kind.value: kind for kind in RejectionType}

_ENTRY: Final[dict[str, Field]] = SCHEMAS["Entry"].schema.fields
_SCALARS: Final = tuple(
    _ENTRY[name]
    for name in (
        "partitionId", "timestamp", "firstPosition", "commandPosition", "keyCounter", "activations"
    )
)  # fmt: skip
_COLUMNS: Final = tuple(_ENTRY[name] for name in ("recordTypes", "intents", "keys", "valueIndexes"))
_VALUE_TYPES: Final = _ENTRY["valueTypes"]
_REJECTION_LAYOUT: Final = Layout(SCHEMAS["Rejection"])
_REJECTIONS: Final = _ENTRY["rejections"]
_REPLIES: Final = _ENTRY["replies"]
_REJECTION: Final[dict[str, Field]] = SCHEMAS["Rejection"].schema.fields
_RECORD: Final = _REJECTION["record"]
_TYPE: Final = _REJECTION["type"]
_REASON: Final = _REJECTION["reason"]
_ANSWER: Final[Field] = SCHEMAS["AnswerFrame"].schema.fields["answer"]

_REPLY_CODEC: Final = StructCodec(Reply)
_ANSWER_CODEC: Final = StructCodec(Answer)


def _write_entry(entry: Entry, tables: TableWriter) -> Fields:
    records = entry.records
    check_count(records)
    intents = [record.intent for record in records]
    values = [record.value for record in records]
    assert list(map(type, values)) == [KIND_OF_INTENT[intent] for intent in intents], intents
    mask = 0
    for intent in set(intents):
        mask |= 1 << (intent >> 8)
    rejected = [(i, r) for i, r in enumerate(records) if r.rejection_type is not None]
    return {
        "partitionId": entry.partition_id,
        "timestamp": entry.timestamp,
        "firstPosition": entry.first_position,
        "commandPosition": entry.command_position,
        "keyCounter": entry.key_counter,
        "activations": entry.activations,
        "valueTypes": mask,
        "recordTypes": wire.numbers("B", [record.record_type for record in records]),
        "intents": wire.numbers("H", intents),
        "keys": wire.numbers("q", [record.key for record in records]),
        "valueIndexes": wire.numbers("I", list(map(tables.value, values))),
        "rejections": _write_rejections(rejected) if rejected else wire.NULL,
        "replies": _write_replies(entry.replies, tables) if entry.replies else wire.NULL,
    }


def _write_rejections(rejected: list[tuple[int, Record]]) -> wire.Pointer:
    parts = []
    for place, record in rejected:
        assert record.rejection_type is not None
        numbers = {"record": place, "type": record.rejection_type}
        body = _REJECTION_LAYOUT.pack([numbers[name] for name, _ in _REJECTION_LAYOUT.numbers])
        parts.append((body, (wire.text(record.rejection_reason),)))
    return wire.structs(parts)


def _write_replies(replies: tuple[Reply, ...], tables: TableWriter) -> wire.Pointer:
    check_count(replies)
    return wire.structs([_REPLY_CODEC.parts(reply, tables) for reply in replies])


def _read_entry(reader: Reader, tables: TableReader) -> Entry:
    get = reader._get_by_field
    partition_id, timestamp, first, command, key_counter, activations = map(get, _SCALARS)
    replies = get(_REPLIES)
    check_count(replies)
    return Entry(
        partition_id,
        timestamp,
        first,
        command,
        _read_records(reader, tables),
        tuple(_REPLY_CODEC.read(reply, tables) for reply in replies),
        key_counter,
        activations,
    )


def _read_records(reader: Reader, tables: TableReader) -> tuple[Record, ...]:
    columns = tuple(map(reader._get_by_field, _COLUMNS))
    for column in columns:
        check_count(column)
    rejections = _read_rejections(reader)
    records = []
    # `strict`: columns of different lengths are a ValueError.
    for number, (record_type, intent_number, key, place) in enumerate(zip(*columns, strict=True)):
        intent = INTENTS[intent_number]
        value = tables.value(place)
        if type(value) is not KIND_OF_INTENT[intent_number]:
            raise MalformedFrame("an entry with a record whose value is not of its value type")
        rejection_type, reason = rejections.pop(number, (None, "")) if rejections else (None, "")
        records.append(
            Record(_RECORD_TYPES[record_type], intent, key, value, rejection_type, reason)
        )
    if rejections:
        raise MalformedFrame("an entry with a rejection of no record")
    return tuple(records)


def _read_rejections(reader: Reader) -> dict[int, tuple[RejectionType, str]]:
    """Rejection types and reasons, by their records' places."""
    rejections = reader._get_by_field(_REJECTIONS)
    check_count(rejections)
    by_place = {}
    for rejection in rejections:
        get = rejection._get_by_field
        by_place[get(_RECORD)] = (_REJECTION_TYPES[get(_TYPE)], get(_REASON))
    return by_place


def _write_answer(answer: Answer, tables: TableWriter) -> Fields:
    return {"answer": _ANSWER_CODEC.encode(answer, tables)}


def _read_answer(reader: Reader, tables: TableReader) -> Answer:
    return _ANSWER_CODEC.read(reader._get_by_field(_ANSWER), tables)


_ENTRIES: Final = FrameCodec(
    "an entry", SCHEMAS["Entry"], ENTRY_BYTES_MAX, write=_write_entry, read=_read_entry
)
_ANSWERS: Final = FrameCodec(
    "an answer", SCHEMAS["AnswerFrame"], ENTRY_BYTES_MAX, write=_write_answer, read=_read_answer
)


def encode_entry(entry: Entry) -> bytes:
    """An entry as the log keeps it; `LimitExceeded` when it is larger than a reader takes."""
    return _ENTRIES.encode(entry)


def decode_entry(frame: bytes) -> Entry:
    """The entry of a frame; raises `MalformedFrame` or `LimitExceeded`."""
    return _ENTRIES.decode(frame)


def entry_mask(frame: bytes) -> int:
    """Which value types an encoded entry has, one bit each; nothing else is read."""
    return _ENTRIES.look(frame, _read_mask)


def _read_mask(reader: Reader) -> int:
    mask: int = reader._get_by_field(_VALUE_TYPES)
    return mask


def entry_positions(frame: bytes) -> tuple[int, int]:
    """The positions of an entry's first and last record; nothing else is read."""
    return _ENTRIES.look(frame, _read_positions)


def _read_positions(reader: Reader) -> tuple[int, int]:
    first: int = reader._get_by_field(_ENTRY["firstPosition"])
    return first, first + len(reader._get_by_field(_ENTRY["recordTypes"])) - 1


def encode_answer(answer: Answer) -> bytes:
    """An answer alone, as the state remembers it."""
    return _ANSWERS.encode(answer)


def decode_answer(frame: bytes) -> Answer:
    """The answer of a frame; raises `MalformedFrame` or `LimitExceeded`."""
    return _ANSWERS.decode(frame)
