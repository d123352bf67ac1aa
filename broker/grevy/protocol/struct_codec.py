"""The codec of one struct: a Python struct and its Cap'n Proto twin, paired field by field.

The pairs are made once, at import, from the type hints of the one and the schema of the other.
Numbers, flags and enumerations lie in a struct's data words, all packed in one call; texts, bytes,
lists and structs lie behind pointers. A field's default is the same on both sides: that is checked
at import, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from enum import IntEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import astuple
from msgspec.structs import fields as struct_fields

from grevy.protocol import wire
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import INTENTS, Intent
from grevy.protocol.layout import Layout
from grevy.protocol.limits import CODEC_TEXTS_CACHED, LIST_ITEMS_MAX
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.tables import NOTHING, TableReader, TableWriter
from grevy.protocol.values import Value

__all__ = ["StructCodec", "check_count", "field_name"]

S = TypeVar("S", bound=Struct)


class _Number(NamedTuple):
    """How a field in the data words is written and read, where its number is not itself."""

    write: Callable[[Any, TableWriter], int] | None
    read: Callable[[Any, TableReader], Any]


class _Link(NamedTuple):
    """How a field behind a pointer is written and read; `is_text`: it is made of texts alone."""

    write: Callable[[Any, TableWriter], wire.Pointer]
    read: Callable[[Any, TableReader], Any] | None
    is_text: bool = False


class StructCodec(Generic[S]):
    """Writes and reads one kind of struct.

    `encode`, `parts` and `read` know nothing of frames: who calls them turns what they and pycapnp
    raise into our own errors (`frame.py`).
    """

    __slots__ = (
        "_fields",
        "_kind",
        "_layout",
        "_links",
        "_numbers",
        "_reads",
        "_tails",
        "_transforms",
    )

    def __init__(self, kind: type[S]) -> None:
        self._kind: Final = kind
        schema = SCHEMAS[kind.__name__]
        lookup = schema.schema.fields
        names = [field_name(name) for name in kind.__struct_fields__]
        assert set(names) == set(lookup), f"{kind.__name__}: {set(names) ^ set(lookup)}"
        self._fields: Final[tuple[Field, ...]] = tuple(lookup[name] for name in names)
        self._layout: Final = Layout(schema)

        unset = schema.new_message().as_reader()._get_by_field
        hints = get_type_hints(kind)
        links: dict[str, tuple[int, _Link]] = {}
        reads: list[tuple[int, Callable[[Any, TableReader], Any]]] = []
        transforms: list[tuple[int, Callable[[Any, TableWriter], int]]] = []
        for place, (info, field) in enumerate(zip(struct_fields(kind), self._fields, strict=True)):
            hint, name = hints[info.name], names[place]
            form: _Number | _Link | None
            if name in self._layout.pointers:
                form = _link(hint, field)
                links[name] = (place, form)
            else:
                form = _number(hint, field, b"" if info.default is NODEFAULT else info.default)
                if form is not None and form.write is not None:
                    transforms.append((place, form.write))
            default = unset(field)
            if form is not None and form.read is not None:
                reads.append((place, form.read))
                always = form is _VALUE or _type_of(field) == "struct"
                default = NODEFAULT if always else form.read(default, NOTHING)
            assert info.default in (NODEFAULT, default), f"{kind.__name__}.{info.name}: {default}"
        places = {name: place for place, name in enumerate(names)}
        self._numbers: Final = tuple(
            (places[name], default) for name, default in self._layout.numbers
        )
        self._links: Final = tuple(links[name] for name in self._layout.pointers)
        self._transforms: Final = tuple(transforms)
        self._reads: Final = tuple(reads)
        is_text = all(link.is_text for _, link in self._links)
        self._tails: Final[dict[tuple[object, ...], bytes] | None] = {} if is_text else None

    def encode(self, struct: S, tables: TableWriter) -> wire.Pointer:
        """A struct, for a pointer to it."""
        items = astuple(struct)
        body = self._body(items, tables)
        tails = self._tails
        if tails is None:
            tail = wire.tail([link.write(items[place], tables) for place, link in self._links])
            return self._layout.tag, body + tail
        # The same names come again and again: what is behind the pointers is put together once.
        texts = tuple([items[place] for place, _ in self._links])
        tail_of_texts = tails.get(texts)
        if tail_of_texts is None:
            tail_of_texts = wire.tail(
                [link.write(items[place], tables) for place, link in self._links]
            )
            if len(tails) >= CODEC_TEXTS_CACHED:
                tails.clear()
            if len(tail_of_texts) <= CODEC_TEXTS_CACHED:
                tails[texts] = tail_of_texts
        return self._layout.tag, body + tail_of_texts

    def parts(self, struct: S, tables: TableWriter) -> tuple[bytes, list[wire.Pointer]]:
        """A struct, for a list of its kind."""
        items = astuple(struct)
        links = [link.write(items[place], tables) for place, link in self._links]
        return self._body(items, tables), links

    def read(self, reader: Reader, tables: TableReader) -> S:
        """A struct from its twin, all copied."""
        items = list(map(reader._get_by_field, self._fields))
        for place, read in self._reads:
            items[place] = read(items[place], tables)
        return self._kind(*items)

    def _body(self, items: Sequence[Any], tables: TableWriter) -> bytes:
        """The data words: a number is written as what makes it of its default, bit by bit."""
        if self._transforms:
            items = list(items)
            for place, write in self._transforms:
                items[place] = write(items[place], tables)
        return self._layout.pack([items[place] ^ default for place, default in self._numbers])


def field_name(name: str) -> str:
    """The schema's name of a Python field: `element_id` is `elementId`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def check_count(items: Sized) -> None:
    """Refuse a list before anything is made of it: items without a size cost the sender nothing."""
    if len(items) > LIST_ITEMS_MAX:
        raise LimitExceeded(f"a list of {len(items)} items; at most {LIST_ITEMS_MAX}")


def _type_of(field: Field) -> str:
    return str(field.proto.slot.type.which())


def _members(hint: Any, field: Field) -> dict[int, Any] | None:
    """The members of an enumeration by number, when a field with this type hint holds one."""
    if hint is Intent or (hint is int and _type_of(field) == "uint16"):
        return INTENTS
    kind = _without_none(hint)
    if get_origin(kind) is tuple or not issubclass(kind, IntEnum):
        return None
    members: dict[int, object] = {member.value: member for member in kind}
    return members if kind is hint else members | {-1: None}


def _without_none(hint: Any) -> Any:
    """The `T` of `T | None`."""
    return get_args(hint)[0] if type(None) in get_args(hint) else hint


def _number(hint: Any, field: Field, default: object) -> _Number | None:
    """The form of a field in the data words; None for what is a number or a flag itself."""
    members = _members(hint, field)
    if members is not None:
        return _enum(members)
    kind = _without_none(hint)
    if kind is Value:
        return _VALUE if kind is hint else _OPTIONAL_VALUE
    if kind is bytes:
        return _document(default)
    assert kind in (int, bool), kind
    return None


def _enum(members: dict[int, Any]) -> _Number:
    def write(item: int | None, _tables: TableWriter) -> int:
        return -1 if item is None else item

    def read(raw: int, _tables: TableReader) -> object:
        return members[raw]

    return _Number(write if -1 in members and members[-1] is None else None, read)


def _document(default: object) -> _Number:
    def write(item: bytes, tables: TableWriter) -> int:
        return 0 if item == default else tables.document(item)

    def read(raw: int, tables: TableReader) -> object:
        return tables.documents[raw - 1] if raw else default

    return _Number(write, read)


def _write_value(item: Value, tables: TableWriter) -> int:
    return tables.value(item)


def _write_optional_value(item: Value | None, tables: TableWriter) -> int:
    return 0 if item is None else tables.value(item)


def _read_value(raw: int, tables: TableReader) -> Value:
    return tables.value(raw)


def _read_optional_value(raw: int, tables: TableReader) -> Value | None:
    return tables.value(raw) if raw else None


_VALUE: Final = _Number(_write_value, _read_value)
_OPTIONAL_VALUE: Final = _Number(_write_optional_value, _read_optional_value)


def _link(hint: Any, field: Field) -> _Link:
    """The form of a field behind a pointer."""
    if get_origin(hint) is tuple:
        return _list(get_args(hint)[0], field)
    if hint is str:
        return _TEXT
    if hint is bytes:
        return _DATA
    return _struct(StructCodec(hint))


_TEXT: Final = _Link(lambda item, _tables: wire.text(item), None, is_text=True)
_DATA: Final = _Link(lambda item, _tables: wire.data(item), None)


def _struct(codec: StructCodec[Struct]) -> _Link:
    return _Link(codec.encode, codec.read)


def _list(item_hint: Any, field: Field) -> _Link:
    if issubclass(item_hint, Struct):
        return _struct_list(StructCodec(item_hint))
    kind = str(field.proto.slot.type.list.elementType.which())
    members = _members(item_hint, field)

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

        return _Link(write, read, is_text=kind == "text")
    letter = Layout.LETTERS[kind]

    def write_numbers(items: Sequence[int], _tables: TableWriter) -> wire.Pointer:
        check_count(items)
        return wire.numbers(letter, items)

    return _Link(write_numbers, read)


def _struct_list(codec: StructCodec[Struct]) -> _Link:
    def write(items: Sequence[Struct], tables: TableWriter) -> wire.Pointer:
        check_count(items)
        return wire.structs([codec.parts(item, tables) for item in items])

    def read(raw: Sequence[Reader], tables: TableReader) -> tuple[Struct, ...]:
        check_count(raw)
        return tuple(codec.read(item, tables) for item in raw)

    return _Link(write, read)
