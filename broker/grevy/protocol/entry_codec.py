"""The codec of entries."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Packer
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from grevy.protocol import wire
from grevy.protocol.columns import COLUMNS, RECORD_TYPES, scan_records
from grevy.protocol.errors import MalformedFrame
from grevy.protocol.forms import check_count
from grevy.protocol.frame import FrameCodec
from grevy.protocol.frame_writer import ROOT_AT, Course, Drafts, Fields, FrameWriter
from grevy.protocol.intents import INTENTS, RejectionType
from grevy.protocol.layout import Layout, format_of
from grevy.protocol.limits import CODEC_PIECE_ITEMS_MAX, ENTRY_BYTES_MAX
from grevy.protocol.list_codec import ListCodec
from grevy.protocol.mold import Draft
from grevy.protocol.record import Entry, EntryDraft, Record, Reply
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.shape import Content
from grevy.protocol.source import Source
from grevy.protocol.tables import NOTHING, TableReader, TableWriter
from grevy.protocol.values_codec import KIND_OF_INTENT

__all__ = [
    "ENTRIES",
    "ENTRY_WRITER",
    "REJECTION_CODEC",
    "REPLY_CODEC",
    "decode_entry",
    "encode_entry",
    "entry_mask",
    "entry_positions",
]


class Rejection(Struct, frozen=True, gc=False):
    """That a record is a rejection, by its place in the entry."""

    record: int
    type: RejectionType
    reason: str


_ENTRY: Final[dict[str, Field]] = SCHEMAS["Entry"].schema.fields
_SCALARS: Final = (
    "partitionId", "timestamp", "firstPosition", "commandPosition", "keyCounter", "activations"
)  # fmt: skip
_SCALAR_FIELDS: Final = tuple(_ENTRY[name] for name in _SCALARS)
_COLUMNS: Final = tuple(_ENTRY[name] for name in COLUMNS)
_VALUE_TYPES: Final = _ENTRY["valueTypes"]
_REJECTIONS: Final = _ENTRY["rejections"]
_REPLIES: Final = _ENTRY["replies"]

REJECTION_CODEC: Final = ListCodec(Rejection)
REPLY_CODEC: Final = ListCodec(Reply)

_RECORDS_MAX: Final = 2 * CODEC_PIECE_ITEMS_MAX
"""Longer entries are not written whole; two records share a value, and more."""


class EntryWriter(FrameWriter[Entry | EntryDraft]):
    """Writes entries. Nearly all have the same course as many before: which record types, intents
    and places of values follow each other is part of their shape. Those with rejections are written
    as long ones are: hardly anybody causes many of them.
    """

    NUMBERS = (
        "partitionId",
        "timestamp",
        "firstPosition",
        "commandPosition",
        "keyCounter",
        "activations",
        "documents",
    )

    def _split(
        self,
        content: Entry | EntryDraft,
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> Course | None:
        rows = content.rows
        if not 0 < len(rows) <= _RECORDS_MAX or len(content.replies) > 1:
            return None
        types, intents, keys, values, rejections, _ = zip(*rows, strict=True)
        if rejections.count(None) < len(rows):
            return None
        numbers += (
            content.partition_id,
            content.timestamp,
            content.first_position,
            content.command_position,
            content.key_counter,
            content.activations,
            0,
            *keys,
        )
        columns = (types, intents, tuple(tables.places(values)))
        return columns, REPLY_CODEC.writer.split(content.replies, tables, numbers, contents)

    def _draft(self, content: Entry | EntryDraft, course: Course) -> Drafts:
        records = content.records
        columns = _columns(records, TableWriter())
        drafts: Drafts = {"valueTypes": _mask(records)}
        for name in ("recordTypes", "intents", "valueIndexes"):
            pointer, block = columns[name]
            drafts[name] = pointer, Draft(block)
        pointer, block = columns["keys"]
        places = [(at, "q") for at in range(0, len(block), wire.WORD)]
        drafts["keys"] = pointer, Draft(bytes(len(block)), places)
        if content.replies:
            drafts["replies"] = REPLY_CODEC.writer.draft(course[1], content.replies)
        return drafts

    def _fields(self, content: Entry | EntryDraft, tables: TableWriter) -> Fields:
        records = content.records
        check_count(records)
        rejections = [
            Rejection(place, record.rejection_type, record.rejection_reason)
            for place, record in enumerate(records)
            if record.rejection_type is not None
        ]
        return {
            "partitionId": content.partition_id,
            "timestamp": content.timestamp,
            "firstPosition": content.first_position,
            "commandPosition": content.command_position,
            "keyCounter": content.key_counter,
            "activations": content.activations,
            "valueTypes": _mask(records),
            **_columns(records, tables),
            "rejections": REJECTION_CODEC.writer.write(rejections, tables),
            "replies": REPLY_CODEC.writer.write(content.replies, tables),
        }


def _columns(records: Sequence[Record], tables: TableWriter) -> dict[str, wire.Pointer]:
    intents = [record.intent for record in records]
    values = [record.value for record in records]
    kinds = list(map(type, values))
    assert kinds == list(map(KIND_OF_INTENT.__getitem__, intents)), intents
    return {
        "recordTypes": wire.numbers("B", [record.record_type for record in records]),
        "intents": wire.numbers("H", intents),
        "keys": wire.numbers("q", [record.key for record in records]),
        "valueIndexes": wire.numbers("I", tables.places(values)),
    }


def _mask(records: Sequence[Record]) -> int:
    """The bits of the records' value types."""
    mask = 0
    for record in records:
        mask |= 1 << record.value.value_type
    return mask


_LAYOUT: Final = Layout(SCHEMAS["Entry"])
_REJECTIONS_AT: Final = ROOT_AT + _LAYOUT.slots["rejections"].word
_REPLIES_AT: Final = ROOT_AT + _LAYOUT.slots["replies"].word
_NUMBERS: Final = Packer(
    "<" + format_of([_LAYOUT.slots[name].number for name in _SCALARS], _LAYOUT.words * wire.WORD)
)


def _scan_entry(source: Source, root: tuple[int, ...], tables: TableReader) -> Entry:
    partition_id, timestamp, first, command, key_counter, activations = _NUMBERS.unpack_from(
        source.frame, ROOT_AT * wire.WORD
    )
    records = scan_records(source, root, tables)
    at = _REJECTIONS_AT
    if root[at]:
        rejections = REJECTION_CODEC.likes.read(source, at * wire.WORD, root[at], NOTHING)
        records = _reject(list(records), rejections)
    at = _REPLIES_AT
    replies = REPLY_CODEC.likes.read(source, at * wire.WORD, root[at], tables)
    return Entry(
        partition_id, timestamp, first, command, records, replies, key_counter, activations
    )


def _read_entry(reader: Reader, tables: TableReader) -> Entry:
    get = reader._get_by_field
    partition_id, timestamp, first, command, key_counter, activations = map(get, _SCALAR_FIELDS)
    records = _read_records(reader, tables)
    replies = REPLY_CODEC.read_list(get(_REPLIES), tables)
    return Entry(
        partition_id, timestamp, first, command, records, replies, key_counter, activations
    )


def _read_records(reader: Reader, tables: TableReader) -> tuple[Record, ...]:
    columns = tuple(map(reader._get_by_field, _COLUMNS))
    for column in columns:
        check_count(column)
    types, intents, keys, places = columns
    if not len(types) == len(intents) == len(keys) == len(places):
        raise MalformedFrame("an entry whose columns have different lengths")
    intents = tuple(intents)
    by_place: tuple[Any, ...] = (None, *tables.values)
    values = list(map(by_place.__getitem__, places))
    if list(map(type, values)) != list(map(KIND_OF_INTENT.__getitem__, intents)):
        raise MalformedFrame("an entry with a record whose value is not of its value type")
    records = map(
        Record,
        map(RECORD_TYPES.__getitem__, types),
        map(INTENTS.__getitem__, intents),
        keys,
        values,
    )
    rejections = REJECTION_CODEC.read_list(reader._get_by_field(_REJECTIONS), NOTHING)
    return _reject(list(records), rejections) if rejections else tuple(records)


def _reject(records: list[Record], rejections: Sequence[Rejection]) -> tuple[Record, ...]:
    """The records, those at the places of rejections with what these say."""
    for rejection in rejections:
        place = rejection.record
        if place >= len(records):
            raise MalformedFrame("an entry with a rejection of no record")
        records[place] = replace(
            records[place], rejection_type=rejection.type, rejection_reason=rejection.reason
        )
    return tuple(records)


ENTRY_WRITER: Final = EntryWriter(SCHEMAS["Entry"])

ENTRIES: Final = FrameCodec(
    "an entry",
    SCHEMAS["Entry"],
    ENTRY_BYTES_MAX,
    writer=ENTRY_WRITER,
    read=_read_entry,
    scan=_scan_entry,
)


def encode_entry(entry: Entry | EntryDraft) -> bytes:
    """An entry as the log keeps it; `LimitExceeded` when it is larger than a reader takes."""
    return ENTRIES.encode(entry)


def decode_entry(frame: bytes) -> Entry:
    """The entry of a frame; raises `MalformedFrame` or `LimitExceeded`."""
    return ENTRIES.decode(frame)


def entry_mask(frame: bytes) -> int:
    """Which value types an encoded entry has, one bit each; nothing else is read."""
    return ENTRIES.look(frame, _read_mask)


def _read_mask(reader: Reader) -> int:
    mask: int = reader._get_by_field(_VALUE_TYPES)
    return mask


def entry_positions(frame: bytes) -> tuple[int, int]:
    """The positions of an entry's first and last record; nothing else is read."""
    return ENTRIES.look(frame, _read_positions)


def _read_positions(reader: Reader) -> tuple[int, int]:
    first: int = reader._get_by_field(_ENTRY["firstPosition"])
    return first, first + len(reader._get_by_field(_ENTRY["recordTypes"])) - 1
