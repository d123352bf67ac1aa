"""The forms of fields: what a struct's field is on the wire, and how it is written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple, get_args, get_origin

from grevy.protocol import wire
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import INTENTS, Intent
from grevy.protocol.layout import letter_of
from grevy.protocol.limits import LIST_ITEMS_MAX
from grevy.protocol.schemas import Field
from grevy.protocol.source import Source
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values import Value

__all__ = ["Form", "Role", "check_count", "form_of"]


class Role(Enum):
    """What a field is to the writer of its struct (`struct_writer.py`)."""

    NUMBER = "a number as it is"
    MARK = "a flag, or an enumeration with None: a number, yet part of the shape"
    NAME = "a text, or texts, that come again and again: part of the shape"
    STRUCT = "a struct behind a pointer: it lies inside its owner's shape"
    DOCUMENT = "a place in the frame's documents: a number"
    VALUE = "a place in the frame's values: a number"
    CONTENT = "anything else behind a pointer"


def _write_plain(item: object, _tables: TableWriter) -> object:
    return item


class Form(NamedTuple):
    """How a field is written and read.

    `write` makes a number of a mark, a pointer and a block of a name or a content, and is not asked
    for the others. What pycapnp gives of an enumeration is looked up in `members`, of a
    document in the frame's table, unless it is 0 for the `default`; of all else, `read` makes the
    item, or it is the item. `fetch` gives a content without pycapnp, where a pointer at a byte is
    not 0 for the `default`.
    """

    role: Role
    write: Callable[[Any, TableWriter], Any] = _write_plain
    read: Callable[[Any, TableReader], Any] | None = None
    members: Mapping[int, object] | None = None
    default: object = None
    fetch: Callable[[Source, int, int], object] | None = None


_OWN_TEXTS: Final = frozenset(
    {
        "correlation_key",
        "error_message",
        "evaluation_failure_message",
        "exception_message",
        "message",
        "message_id",
        "reason",
        "rejection_reason",
        "stacktrace",
    }
)
"""Fields whose texts rarely come twice: they are contents, not names."""


def form_of(name: str, hint: Any, field: Field, default: object) -> Form:
    """The form of a field that holds no structs, by its Python name and type hint."""
    kind = str(field.proto.slot.type.which())
    if get_origin(hint) is tuple:
        return _list(get_args(hint)[0], field)
    if hint is str:
        return Form(
            Role.CONTENT if name in _OWN_TEXTS else Role.NAME,
            _write_text,
            default="",
            fetch=Source.text,
        )
    if hint is bytes and kind == "data":
        return Form(Role.CONTENT, _write_data, default=b"", fetch=Source.data)
    if hint is bytes:
        return Form(Role.DOCUMENT, default=default)
    if hint is bool:
        return Form(Role.MARK)
    if (members := members_of(hint, kind)) is not None:
        if members.get(-1, members) is None:
            return Form(Role.MARK, _write_optional, members=members)
        return Form(Role.NUMBER, members=members)
    if _without_none(hint) is Value:
        return _VALUE if hint is Value else _OPTIONAL_VALUE
    assert hint is int, hint
    return Form(Role.NUMBER)


def check_count(items: Sized) -> None:
    """Refuse a list before anything is made of it: items without a size cost the sender nothing."""
    if len(items) > LIST_ITEMS_MAX:
        raise LimitExceeded(f"a list of {len(items)} items; at most {LIST_ITEMS_MAX}")


def members_of(hint: Any, kind: str) -> dict[int, Any] | None:
    """The members of an enumeration by number, when a field with this type hint holds one."""
    if hint is Intent or (hint is int and kind == "uint16"):
        return INTENTS
    member = _without_none(hint)
    if not issubclass(member, IntEnum):
        return None
    members: dict[int, object] = {item.value: item for item in member}
    return members if member is hint else members | {-1: None}


def _without_none(hint: Any) -> Any:
    """The `T` of `T | None`."""
    return get_args(hint)[0] if type(None) in get_args(hint) else hint


def _write_text(item: str, _tables: TableWriter) -> wire.Pointer:
    return wire.text(item)


def _write_data(item: bytes, _tables: TableWriter) -> wire.Pointer:
    return wire.data(item)


def _write_optional(item: int | None, _tables: TableWriter) -> int:
    return -1 if item is None else item


def _read_value(raw: int, tables: TableReader) -> Value:
    return tables.value(raw)


def _read_optional_value(raw: int, tables: TableReader) -> Value | None:
    return tables.value(raw) if raw else None


_VALUE: Final = Form(Role.VALUE, read=_read_value)
_OPTIONAL_VALUE: Final = Form(Role.VALUE, read=_read_optional_value)


def _list(item_hint: Any, field: Field) -> Form:
    kind = str(field.proto.slot.type.list.elementType.which())
    members = members_of(item_hint, kind)

    def read(raw: Sequence[Any], _tables: TableReader) -> tuple[object, ...]:
        if not len(raw):
            return ()
        check_count(raw)
        if members is None:
            return tuple(raw)
        return tuple(members[item] for item in raw)

    if kind in ("text", "data"):
        write_item = wire.text if kind == "text" else wire.data

        def write(items: Sequence[Any], _tables: TableWriter) -> wire.Pointer:
            check_count(items)
            return wire.pointers([write_item(item) for item in items])

        fetch = Source.documents if kind == "data" else None
        return Form(Role.NAME if kind == "text" else Role.CONTENT, write, read, None, (), fetch)
    letter = letter_of(kind)

    def write_numbers(items: Sequence[int], _tables: TableWriter) -> wire.Pointer:
        check_count(items)
        return wire.numbers(letter, items)

    def fetch_numbers(source: Source, at: int, pointer: int) -> tuple[object, ...]:
        numbers = source.numbers(at, pointer, letter)
        return numbers if members is None else tuple([members[number] for number in numbers])

    return Form(Role.CONTENT, write_numbers, read, default=(), fetch=fetch_numbers)
