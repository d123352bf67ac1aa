"""The codec of one struct: a Python struct and its Cap'n Proto twin, paired field by field.

The pairs are made once, at import, from the type hints of the one and the schema of the other. Most
fields (numbers, texts, flags) go over as they are, enumerations as their numbers; the few others
(documents, lists, structs) have a `_Form`, which says how. A field at its default is not written,
and the default is what the schema gives for a field that was not written: the two cannot drift
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from enum import IntEnum
from typing import Any, Final, Generic, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import astuple
from msgspec.structs import fields as struct_fields

from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import INTENTS, Intent
from grevy.protocol.limits import LIST_ITEMS_MAX
from grevy.protocol.schemas import SCHEMAS, Builder, Field, Reader
from grevy.protocol.tables import NOTHING, TableReader, TableWriter
from grevy.protocol.values import Value

__all__ = ["StructCodec", "check_count", "field_name"]

S = TypeVar("S", bound=Struct)


class _Form(NamedTuple):
    """How a field that does not go over as it is is written and read."""

    write: Callable[[Builder, Field, Any, TableWriter], None]
    read: Callable[[Any, TableReader], Any]


class StructCodec(Generic[S]):
    """Writes and reads one kind of struct.

    `write` and `read` know nothing of frames: who calls them turns what pycapnp raises into our own
    errors (`frame.py`).
    """

    __slots__ = ("_enums", "_fields", "_kind", "_plain", "_specials")

    def __init__(self, kind: type[S]) -> None:
        self._kind: Final = kind
        schema = SCHEMAS[kind.__name__]
        lookup = schema.schema.fields
        names = [field_name(name) for name in kind.__struct_fields__]
        assert set(names) == set(lookup), f"{kind.__name__}: {set(names) ^ set(lookup)}"
        self._fields: Final[tuple[Field, ...]] = tuple(lookup[name] for name in names)

        unset = schema.new_message().as_reader()._get_by_field
        hints = get_type_hints(kind)
        plain: list[tuple[int, Field, object]] = []
        enums: list[tuple[int, Field, object, dict[int, Any]]] = []
        specials: list[tuple[int, Field, object, _Form]] = []
        for place, (info, field) in enumerate(zip(struct_fields(kind), self._fields, strict=True)):
            hint = hints[info.name]
            default = unset(field)
            if members := _members(hint, field):
                default = members[default]
                enums.append((place, field, default, members))
            elif form := _form_of(hint, field, b"" if info.default is NODEFAULT else info.default):
                always = form is _VALUE or _type_of(field) == "struct"
                default = _ALWAYS if always else form.read(default, NOTHING)
                specials.append((place, field, default, form))
            else:
                plain.append((place, field, default))
            assert info.default in (NODEFAULT, default), f"{kind.__name__}.{info.name}: {default}"
        self._plain: Final = tuple(plain)
        self._enums: Final = tuple(enums)
        self._specials: Final = tuple(specials)

    def write(self, builder: Builder, struct: S, tables: TableWriter) -> None:
        """Write a struct into its twin."""
        set_field = builder._set_by_field
        items = astuple(struct)
        for place, field, default in self._plain:
            item = items[place]
            if item != default:
                set_field(field, item)
        for place, field, default, _ in self._enums:
            item = items[place]
            if item != default:
                set_field(field, item.real)  # pycapnp takes nothing but plain ints
        for place, field, default, form in self._specials:
            item = items[place]
            if item != default:
                form.write(builder, field, item, tables)

    def read(self, reader: Reader, tables: TableReader) -> S:
        """A struct from its twin, all copied."""
        items = list(map(reader._get_by_field, self._fields))
        for place, _, _, members in self._enums:
            items[place] = members[items[place]]
        for place, _, _, form in self._specials:
            items[place] = form.read(items[place], tables)
        return self._kind(*items)


_ALWAYS: Final = object()
"""A default that no field has: what must be there is always written."""


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


def _form_of(hint: Any, field: Field, default: object) -> _Form | None:
    """The form of a field with this type hint; None for what goes over as it is."""
    if get_origin(hint) is tuple:
        return _list_form(get_args(hint)[0], field)
    kind = _without_none(hint)
    if kind is Value:
        return _VALUE if kind is hint else _OPTIONAL_VALUE
    if issubclass(kind, Struct):
        return _struct_form(StructCodec(kind))
    if kind is bytes and _type_of(field) == "uint32":
        return _document_form(default)
    assert kind in (int, str, bool, bytes), kind
    return None


def _without_none(hint: Any) -> Any:
    """The `T` of `T | None`."""
    return get_args(hint)[0] if type(None) in get_args(hint) else hint


def _document_form(default: object) -> _Form:
    def write(builder: Builder, field: Field, item: bytes, tables: TableWriter) -> None:
        builder._set_by_field(field, tables.document(item))

    def read(raw: int, tables: TableReader) -> object:
        return tables.documents[raw - 1] if raw else default

    return _Form(write, read)


def _write_value(builder: Builder, field: Field, item: Value, tables: TableWriter) -> None:
    builder._set_by_field(field, tables.value(item))


def _read_value(raw: int, tables: TableReader) -> Value:
    return tables.value(raw)


def _read_optional_value(raw: int, tables: TableReader) -> Value | None:
    return tables.value(raw) if raw else None


_VALUE: Final = _Form(_write_value, _read_value)
_OPTIONAL_VALUE: Final = _Form(_write_value, _read_optional_value)


def _struct_form(codec: StructCodec[Struct]) -> _Form:
    def write(builder: Builder, field: Field, item: Struct, tables: TableWriter) -> None:
        codec.write(builder._init_by_field(field), item, tables)

    return _Form(write, codec.read)


def _list_form(item_hint: Any, field: Field) -> _Form:
    if issubclass(item_hint, Struct):
        return _struct_list_form(StructCodec(item_hint))
    members = _members(item_hint, field)
    name: str = field.proto.name

    def write(builder: Builder, field: Field, items: Sequence[Any], tables: TableWriter) -> None:
        check_count(items)
        builder._set(name, list(map(int, items)) if members else list(items))

    def read(raw: Sequence[Any], tables: TableReader) -> tuple[object, ...]:
        if not len(raw):
            return ()
        check_count(raw)
        if members is None:
            return tuple(raw)
        return tuple(members[item] for item in raw)

    return _Form(write, read)


def _struct_list_form(codec: StructCodec[Struct]) -> _Form:
    def write(builder: Builder, field: Field, items: Sequence[Struct], tables: TableWriter) -> None:
        check_count(items)
        slots = builder._init_by_field(field, len(items))
        for place, item in enumerate(items):
            codec.write(slots[place], item, tables)

    def read(raw: Sequence[Reader], tables: TableReader) -> tuple[Struct, ...]:
        check_count(raw)
        return tuple(codec.read(item, tables) for item in raw)

    return _Form(write, read)
