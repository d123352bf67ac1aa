"""The codec of Raft's words between brokers: lists of `GroupMessage`, the hottest of their frames.

    list = head | bodies | contents of each
    body = partition, term, round | numbers of its kind | kind and flags | pointers of its kind

All kinds are one flat struct and share its words, so that a list is packed and unpacked in few
calls; which words a kind takes is read from the schema, once. Entries are two columns, their terms
and their payloads: an entry's index follows from its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from operator import itemgetter
from struct import Struct, pack
from typing import Any, Final, get_args, get_type_hints

from msgspec.structs import astuple

from grevy.protocol import wire
from grevy.protocol.broker_messages import GroupMessage
from grevy.protocol.errors import MalformedFrame
from grevy.protocol.forms import check_count
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.layout import Slot, slot_of
from grevy.protocol.raft_messages import AppendRequest, GroupMembers, RaftMessage, SnapshotChunk
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.source import Source, Unusual
from grevy.protocol.struct_codec import StructCodec, field_name
from grevy.protocol.tables import NOTHING

__all__ = [
    "HEAD_OF_ONE",
    "LIST_OF_ONE",
    "read_group_messages",
    "scan_group_message",
    "scan_group_messages",
    "write_group_messages",
]

_SCHEMA: Final[Any] = SCHEMAS["GroupMessage"].schema
_FIELDS: Final[dict[str, Field]] = _SCHEMA.fields
_NODE: Final[Any] = _SCHEMA.node.struct
_DATA_WORDS: Final[int] = _NODE.dataWordCount
_WORDS: Final[int] = _DATA_WORDS + _NODE.pointerCount
_TAG: Final = wire.struct_tag(_DATA_WORDS, _NODE.pointerCount)
_FLAGS_WORD, _KIND_SHIFT = divmod(_NODE.discriminantOffset * 16, wire.WORD_BITS)
_KIND_MASK: Final = 0xFFFF
_FORM: Final = f"{_WORDS}Q"
_BODY: Final = Struct("<" + _FORM)
LIST_OF_ONE, HEAD_OF_ONE = wire.struct_list(_TAG, 1, _WORDS)
"""The pointer to a list of one word, and its head."""

_COMMON: Final = ("partition_id", "term", "round")
"""The fields that lie outside of the kinds' groups."""

_MEMBERS: Final = StructCodec(GroupMembers)
_MEMBERS_TAG: Final = wire.struct_tag(0, 3)


class _Kind:
    """One kind of word, and where it has its fields.

    Written, a message is the items (partition, 0, its fields ...): `spread` gives the words of the
    body, `flags` places and bits. Read, it is the items (words ..., flags ..., sender, what is
    behind its pointers): `gather` gives its fields. By pycapnp, `fields` are its numbers, each
    either common or in its `group`, with their words, and `flag_fields` its flags; `lookup` has all
    of the group's.
    """

    __slots__ = (
        "bits",
        "fields",
        "flag_fields",
        "flags",
        "gather",
        "group",
        "lookup",
        "spread",
        "tag",
        "type",
    )

    def __init__(self, kind: type[RaftMessage]) -> None:
        self.type: Final = kind
        field: Any = _FIELDS[_member_name(kind)]
        self.tag: Final[int] = field.proto.discriminantValue << _KIND_SHIFT
        self.group: Final[Field | None] = field if field.proto.which() == "group" else None
        self.lookup: Final[dict[str, Field]] = dict(field.schema.fields) if self.group else {}
        group = self.lookup
        hints = {"partition_id": int} | get_type_hints(kind)
        slots = {
            name: _slot(_FIELDS if name in _COMMON else group, name)
            for name, hint in hints.items()
            if hint in (int, bool) and name != "sender"
        }
        numbers = {name: slot.word for name, slot in slots.items() if hints[name] is int}
        flags = [name for name in slots if hints[name] is bool]
        assert all(slots[name].letter == "Q" for name in numbers), kind
        assert len(set(numbers.values()) - {_FLAGS_WORD}) == len(numbers), kind
        assert len(group) == len(set(slots) - set(_COMMON)) + len(_POINTERS.get(kind, ())), kind

        places = {name: place for place, name in enumerate(kind.__struct_fields__, 2)}
        places["partition_id"] = 0
        of_word = {word: places[name] for name, word in numbers.items()}
        self.spread: Final = itemgetter(*[of_word.get(word, 1) for word in range(_WORDS)])
        self.bits: Final = [1 << slots[name].at - _FLAGS_WORD * wire.WORD_BITS for name in flags]
        self.flags: Final = list(zip([places[name] for name in flags], self.bits, strict=True))

        rest = [name for name in kind.__struct_fields__ if name not in numbers]
        behind = [name for name in rest if name not in flags and name != "sender"]
        read = numbers | {n: _WORDS + rank for rank, n in enumerate([*flags, "sender", *behind])}
        self.gather: Final = itemgetter(*[read[name] for name in kind.__struct_fields__])
        self.fields: Final = [
            (name in _COMMON, _lookup(_FIELDS if name in _COMMON else group, name), word)
            for name, word in numbers.items()
        ]
        self.flag_fields: Final = [_lookup(group, name) for name in flags]


def _member_name(kind: type[RaftMessage]) -> str:
    """The schema's name of a kind."""
    return kind.__name__[0].lower() + kind.__name__[1:]


def _lookup(fields: dict[str, Field], name: str) -> Field:
    return fields[field_name(name)]


def _slot(fields: dict[str, Field], name: str) -> Slot:
    return slot_of(_lookup(fields, name), _DATA_WORDS)


_POINTERS: Final = {
    AppendRequest: ("terms", "sizes", "payloads"),
    SnapshotChunk: ("members", "data"),
}
"""What the kinds have behind pointers."""

_KINDS: Final = {kind: _Kind(kind) for kind in get_args(RaftMessage)}
_BY_NAME: Final = {_member_name(kind.type): kind for kind in _KINDS.values()}
_BY_TAG: Final = {kind.tag: kind for kind in _KINDS.values()}
assert len(_BY_TAG) == _NODE.discriminantCount

_APPEND, _CHUNK = (_KINDS[AppendRequest].lookup, _KINDS[SnapshotChunk].lookup)
_TERMS, _SIZES, _PAYLOADS = [_APPEND[name] for name in _POINTERS[AppendRequest]]
_CHUNK_MEMBERS, _CHUNK_DATA = [_CHUNK[name] for name in _POINTERS[SnapshotChunk]]
_TERMS_WORD, _SIZES_WORD, _PAYLOADS_WORD, _MEMBERS_WORD, _DATA_WORD = [
    slot_of(field, _DATA_WORDS).word
    for field in (_TERMS, _SIZES, _PAYLOADS, _CHUNK_MEMBERS, _CHUNK_DATA)
]


# ── writing ───────────────────────────────────────────────────────────────────────────────────────


def write_group_messages(items: Sequence[GroupMessage]) -> tuple[int, list[bytes]]:
    """A list: the pointer to it, and its blocks, one behind the other."""
    if not items:
        return 0, []
    check_count(items)
    tag, head = wire.struct_list(_TAG, len(items), _WORDS)
    words = [head]
    contents: list[bytes] = []
    end = len(items) * _WORDS
    for at, item in enumerate(items):
        message = item.message
        kind = _KINDS[type(message)]
        fields = (item.partition_id, 0, *astuple(message))
        body = list(kind.spread(fields))
        flags = kind.tag
        for place, bit in kind.flags:
            if fields[place]:
                flags |= bit
        body[_FLAGS_WORD] = flags
        for word, (pointer, block) in _behind(message):
            if pointer:
                body[word] = pointer + wire.offset(end - at * _WORDS - word - 1)
                contents.append(block)
                end += len(block) // wire.WORD
        words += body
    return tag, [pack("<Q" + _FORM * len(items), *words), *contents]


def _behind(message: RaftMessage) -> Sequence[tuple[int, wire.Pointer]]:
    """The pointers of a message, and their words."""
    if type(message) is AppendRequest:
        entries = message.entries
        if not entries:
            return ()
        first = message.previous_index + 1
        assert [entry.index for entry in entries] == list(range(first, first + len(entries)))
        check_count(entries)
        payloads = [entry.payload for entry in entries]
        return (
            (_TERMS_WORD, wire.numbers("Q", [entry.term for entry in entries])),
            (_SIZES_WORD, wire.numbers("I", list(map(len, payloads)))),
            (_PAYLOADS_WORD, wire.data(b"".join(payloads))),
        )
    if type(message) is SnapshotChunk:
        return ((_MEMBERS_WORD, _members(message.members)), (_DATA_WORD, wire.data(message.data)))
    return ()


def _members(members: GroupMembers) -> wire.Pointer:
    lists = (members.voters, members.old_voters, members.learners)
    words, blocks = wire.row([wire.numbers("q", items) for items in lists])
    return _MEMBERS_TAG, b"".join([pack("<3Q", *words), *blocks])


# ── reading ───────────────────────────────────────────────────────────────────────────────────────


def read_group_messages(raw: Sequence[Reader], sender: int) -> tuple[GroupMessage, ...]:
    """The items of a list, by pycapnp. What it raises is its own, or `MalformedFrame`."""
    check_count(raw)
    return tuple([_read(reader, sender) for reader in raw])


def _read(reader: Reader, sender: int) -> GroupMessage:
    kind = _BY_NAME[reader._which_str()]
    group = reader if kind.group is None else reader._get_by_field(kind.group)
    row = [0] * _WORDS
    for is_common, field, word in kind.fields:
        row[word] = (reader if is_common else group)._get_by_field(field)
    flags = [group._get_by_field(field) for field in kind.flag_fields]
    behind: tuple[object, ...] = ()
    if kind.type is AppendRequest:
        terms, sizes = group._get_by_field(_TERMS), group._get_by_field(_SIZES)
        check_count(terms)
        check_count(sizes)
        payloads = group._get_by_field(_PAYLOADS)
        behind = (_entries(row[_PREVIOUS_INDEX_WORD], tuple(terms), tuple(sizes), payloads),)
    elif kind.type is SnapshotChunk:
        members = _MEMBERS.read(group._get_by_field(_CHUNK_MEMBERS), NOTHING)
        behind = (members, group._get_by_field(_CHUNK_DATA))
    return _message(kind, row, (*flags, sender, *behind))


def scan_group_messages(
    source: Source, at: int, pointer: int, sender: int
) -> tuple[GroupMessage, ...]:
    """The items of the list that the pointer at a byte points at, without pycapnp."""
    if not pointer:
        return ()
    start, size = source.structs(at, pointer, _TAG, _WORDS)
    step = _WORDS * wire.WORD
    return tuple(
        [scan_group_message(source, at, sender) for at in range(start, start + size, step)]
    )


def scan_group_message(source: Source, at: int, sender: int) -> GroupMessage:
    """The item whose body is at a byte."""
    row = _BODY.unpack_from(source.frame, at)
    flags = row[_FLAGS_WORD]
    kind = _BY_TAG[flags & _KIND_MASK << _KIND_SHIFT]
    behind: tuple[object, ...] = ()
    if kind.type is AppendRequest:
        behind = (_scan_entries(source, at, row),)
    elif kind.type is SnapshotChunk:
        raise Unusual
    marks = [flags & bit != 0 for bit in kind.bits]
    return _message(kind, row, (*marks, sender, *behind))


def _scan_entries(source: Source, start: int, row: Sequence[int]) -> tuple[JournalEntry, ...]:
    if not row[_TERMS_WORD]:
        if row[_SIZES_WORD] or row[_PAYLOADS_WORD]:
            raise Unusual
        return ()
    terms = source.numbers(start + _TERMS_WORD * wire.WORD, row[_TERMS_WORD], "Q")
    sizes = source.numbers(start + _SIZES_WORD * wire.WORD, row[_SIZES_WORD], "I")
    payloads = source.data(start + _PAYLOADS_WORD * wire.WORD, row[_PAYLOADS_WORD])
    return _entries(row[_PREVIOUS_INDEX_WORD], terms, sizes, payloads)


def _entries(
    previous_index: int, terms: Sequence[int], sizes: Sequence[int], payloads: bytes
) -> tuple[JournalEntry, ...]:
    ends = list(accumulate(sizes))
    if len(terms) != len(sizes) or (ends[-1] if ends else 0) != len(payloads):
        raise MalformedFrame("entries whose sizes are not theirs")
    parts = [payloads[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    indexes = range(previous_index + 1, previous_index + 1 + len(parts))
    return tuple(map(JournalEntry, indexes, terms, parts))


_PREVIOUS_INDEX_WORD: Final = _slot(_APPEND, "previous_index").word


def _message(kind: _Kind, row: Sequence[int], rest: tuple[object, ...]) -> GroupMessage:
    return GroupMessage(row[0], kind.type(*kind.gather((*row, *rest))))
