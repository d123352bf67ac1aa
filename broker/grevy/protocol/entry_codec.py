"""The codec of entries."""

from __future__ import annotations

from typing import Final

from grevy.protocol.errors import MalformedFrame
from grevy.protocol.frame import FrameCodec
from grevy.protocol.intents import INTENTS, RecordType, RejectionType
from grevy.protocol.limits import ENTRY_BYTES_MAX
from grevy.protocol.record import Entry, Record, Reply
from grevy.protocol.schemas import SCHEMAS, Builder, Field, Reader
from grevy.protocol.struct_codec import StructCodec, check_count
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values_codec import KIND_OF_INTENT

__all__ = [
    "decode_entry",
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
_REJECTIONS: Final = _ENTRY["rejections"]
_REPLIES: Final = _ENTRY["replies"]
_REJECTION: Final[dict[str, Field]] = SCHEMAS["Rejection"].schema.fields
_RECORD: Final = _REJECTION["record"]
_TYPE: Final = _REJECTION["type"]
_REASON: Final = _REJECTION["reason"]

_REPLY_CODEC: Final = StructCodec(Reply)


def _write_entry(builder: Builder, entry: Entry, tables: TableWriter) -> None:
    set_field = builder._set_by_field
    scalars = (
        entry.partition_id,
        entry.timestamp,
        entry.first_position,
        entry.command_position,
        entry.key_counter,
        entry.activations,
    )
    for field, number in zip(_SCALARS, scalars, strict=True):
        set_field(field, number)
    set_field(_VALUE_TYPES, _write_columns(builder, entry.records, tables))
    rejected = [(i, r) for i, r in enumerate(entry.records) if r.rejection_type is not None]
    if rejected:
        _write_rejections(builder, rejected)
    if entry.replies:
        check_count(entry.replies)
        slots = builder._init_by_field(_REPLIES, len(entry.replies))
        for place, reply in enumerate(entry.replies):
            _REPLY_CODEC.write(slots[place], reply, tables)


def _write_columns(builder: Builder, records: tuple[Record, ...], tables: TableWriter) -> int:
    """Write the records but for their rejections; the mask of their value types."""
    check_count(records)
    # pycapnp takes nothing but plain ints; `real` is the one inside an IntEnum.
    intents = [record.intent.real for record in records]
    values = [record.value for record in records]
    assert list(map(type, values)) == [KIND_OF_INTENT[intent] for intent in intents], intents
    set_list = builder._set
    set_list("recordTypes", [record.record_type.real for record in records])
    set_list("intents", intents)
    set_list("keys", [record.key for record in records])
    set_list("valueIndexes", list(map(tables.value, values)))
    mask = 0
    for intent in set(intents):
        mask |= 1 << (intent >> 8)
    return mask


def _write_rejections(builder: Builder, rejected: list[tuple[int, Record]]) -> None:
    slots = builder._init_by_field(_REJECTIONS, len(rejected))
    for i, (place, record) in enumerate(rejected):
        assert record.rejection_type is not None
        set_field = slots[i]._set_by_field
        set_field(_RECORD, place)
        set_field(_TYPE, record.rejection_type.real)
        set_field(_REASON, record.rejection_reason)


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


_ENTRIES: Final = FrameCodec(
    "an entry", SCHEMAS["Entry"], ENTRY_BYTES_MAX, write=_write_entry, read=_read_entry
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
