"""The columns of an entry's records, read without pycapnp.

Entries of one step of a process have the same record types, intents and places of values; only the
keys differ. What such columns mean is their `Course`, looked up by their very bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from struct import Struct as Packer
from struct import unpack
from typing import Any, Final, NamedTuple, TypeAlias

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.frame_writer import ROOT_AT
from grevy.protocol.intents import INTENTS, Intent, RecordType
from grevy.protocol.layout import Layout
from grevy.protocol.limits import CODEC_COURSE_RECORDS_MAX, CODEC_COURSES_CACHED
from grevy.protocol.record import Record
from grevy.protocol.schemas import SCHEMAS
from grevy.protocol.source import Source, Unusual
from grevy.protocol.splitter import getter
from grevy.protocol.tables import TableReader
from grevy.protocol.values_codec import KIND_OF_INTENT

__all__ = ["COLUMNS", "RECORD_TYPES", "scan_records"]

COLUMNS: Final = {"recordTypes": "B", "intents": "H", "keys": "q", "valueIndexes": "I"}
"""The columns, and the letters of their numbers in the module `struct`."""

RECORD_TYPES: Final = {kind.value: kind for kind in RecordType}

_SLOTS: Final = Layout(SCHEMAS["Entry"]).slots
_POINTERS_AT: Final = ROOT_AT + _SLOTS["recordTypes"].word
_POINTERS_END: Final = _POINTERS_AT + len(COLUMNS)
assert [_SLOTS[name].word + ROOT_AT for name in COLUMNS] == [*range(_POINTERS_AT, _POINTERS_END)]


class Place(NamedTuple):
    """Where the columns of an entry lie: what cuts them out of a frame, and brings them into our
    order; their words.
    """

    cut: Callable[[bytes], tuple[bytes, ...]]
    sort: Callable[[tuple[bytes, ...]], tuple[bytes, bytes, bytes, bytes]]
    words: int


_PLACES: Final[Cache[tuple[int, ...], Place]] = Cache(CODEC_COURSES_CACHED)

Key: TypeAlias = tuple[bytes, bytes, bytes, tuple[type, ...]]
"""The columns but for the keys, and the kinds of the frame's values."""


class Course(NamedTuple):
    """What the records of many entries have in common."""

    types: tuple[RecordType, ...]
    intents: tuple[Intent, ...]
    unpack_keys: Callable[[bytes], tuple[int, ...]]
    get_values: Callable[[Any], tuple[Any, ...]]


_COURSES: Final[Cache[Key, Course]] = Cache(CODEC_COURSES_CACHED)


def scan_records(source: Source, root: tuple[int, ...], tables: TableReader) -> tuple[Record, ...]:
    """The records of an entry, without what rejections say of them."""
    pointers = root[_POINTERS_AT:_POINTERS_END]
    place = _PLACES.get(pointers) or _new_place(source, pointers)
    source.left -= place.words
    types, intents, keys, places = place.sort(place.cut(source.frame))
    values = tables.values
    key = types, intents, places, tuple(map(type, values))
    course = _COURSES.get(key) or _new_course(key)
    numbers = course.unpack_keys(keys)
    return tuple(map(Record, course.types, course.intents, numbers, course.get_values(values)))


def _new_place(source: Source, pointers: tuple[int, ...]) -> Place:
    columns = [
        source.column(at * wire.WORD, pointer, letter)
        for at, pointer, letter in zip(
            range(_POINTERS_AT, _POINTERS_END), pointers, COLUMNS.values(), strict=True
        )
    ]
    form, end = "<", 0
    ranks = sorted(range(len(columns)), key=lambda rank: columns[rank].start)
    for rank in ranks:
        column = columns[rank]
        if column.start < end:
            raise Unusual
        form += f"{column.start - end}x{len(column)}s"
        end = column.stop
    words = sum([len(column) + 7 >> 3 for column in columns])
    sort = itemgetter(*map(ranks.index, range(len(columns))))
    place = Place(Packer(form).unpack_from, sort, words)
    if len(columns[0]) <= CODEC_COURSE_RECORDS_MAX and _PLACES.is_worth(pointers):
        _PLACES.keep(pointers, place)
    return place


def _new_course(key: Key) -> Course:
    types, intents, places, kinds = key
    count = len(types)
    numbers = unpack(f"<{count}H", intents)
    ranks = unpack(f"<{count}I", places)
    by_rank = (None, *kinds)
    if [by_rank[rank] for rank in ranks] != [KIND_OF_INTENT[number] for number in numbers]:
        raise Unusual
    course = Course(
        tuple([RECORD_TYPES[number] for number in types]),
        tuple([INTENTS[number] for number in numbers]),
        wire.packer(f"{count}q").unpack,
        getter([rank - 1 for rank in ranks]),
    )
    if len(types) <= CODEC_COURSE_RECORDS_MAX and _COURSES.is_worth(key):
        _COURSES.keep(key, course)
    return course
