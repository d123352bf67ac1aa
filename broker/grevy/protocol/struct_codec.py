"""The codec of one struct: a Python struct and its Cap'n Proto twin, paired field by field.

The pairs are made once, at import, from the type hints of the one and the schema of the other. A
field's default is the same on both sides: that is checked at import, so that the two cannot drift
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo
from msgspec.structs import fields as struct_fields

from grevy.protocol.forms import Form, Role, check_count, form_of
from grevy.protocol.layout import Layout
from grevy.protocol.list_writer import StructListWriter
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.struct_writer import StructWriter
from grevy.protocol.tables import NOTHING, TableReader
from grevy.protocol.values import Value

__all__ = ["StructCodec", "field_name"]

S = TypeVar("S", bound=Struct)


class StructCodec(Generic[S]):
    """Writes and reads one kind of struct.

    `writer` and `read` know nothing of frames: who calls them turns what they and pycapnp raise
    into our own errors (`frame.py`).
    """

    __slots__ = ("_documents", "_enums", "_fields", "_kind", "_reads", "writer")

    def __init__(self, kind: type[S]) -> None:
        self._kind: Final = kind
        schema = SCHEMAS[kind.__name__]
        lookup = schema.schema.fields
        names = [field_name(name) for name in kind.__struct_fields__]
        assert set(names) == set(lookup), f"{kind.__name__}: {set(names) ^ set(lookup)}"
        self._fields: Final[tuple[Field, ...]] = tuple(lookup[name] for name in names)

        unset = schema.new_message().as_reader()._get_by_field
        hints = get_type_hints(kind)
        forms: list[tuple[Form, StructWriter[Struct] | None]] = []
        for info, field in zip(struct_fields(kind), self._fields, strict=True):
            form, writer = _form(info, hints[info.name], field)
            if form.role is not Role.STRUCT and hints[info.name] is not Value:
                default = _default(form, unset(field))
                message = f"{kind.__name__}.{info.name}: {default}"
                assert info.default in (NODEFAULT, default), message
            forms.append((form, writer))
        layout = Layout(schema)
        self.writer: Final[StructWriter[S]] = StructWriter(
            layout, [(layout.slots[name], *form) for name, form in zip(names, forms, strict=True)]
        )
        self._enums: Final = tuple(
            (place, form.members) for place, (form, _) in enumerate(forms) if form.members
        )
        self._documents: Final = tuple(
            (place, form.default)
            for place, (form, _) in enumerate(forms)
            if form.role is Role.DOCUMENT
        )
        self._reads: Final = tuple(
            (place, form.read) for place, (form, _) in enumerate(forms) if form.read is not None
        )

    def read(self, reader: Reader, tables: TableReader) -> S:
        """A struct from its twin, all copied."""
        items = list(map(reader._get_by_field, self._fields))
        for place, members in self._enums:
            items[place] = members[items[place]]
        for place, default in self._documents:
            number = items[place]
            items[place] = tables.documents[number - 1] if number else default
        for place, read in self._reads:
            items[place] = read(items[place], tables)
        return self._kind(*items)

    def read_list(self, raw: Sequence[Reader], tables: TableReader) -> tuple[S, ...]:
        """The structs of a list."""
        check_count(raw)
        return tuple([self.read(item, tables) for item in raw])


def field_name(name: str) -> str:
    """The schema's name of a Python field: `element_id` is `elementId`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _default(form: Form, raw: Any) -> object:
    """What a field that was not written is read as."""
    if form.role is Role.DOCUMENT:
        return form.default
    if form.members is not None:
        return form.members[raw]
    return raw if form.read is None else form.read(raw, NOTHING)


def _form(info: FieldInfo, hint: Any, field: Field) -> tuple[Form, StructWriter[Struct] | None]:
    """The form of a field, and the writer of a field that is a struct."""
    if get_origin(hint) is tuple and issubclass(get_args(hint)[0], Struct):
        items: StructCodec[Struct] = StructCodec(get_args(hint)[0])
        write = StructListWriter(items.writer).write
        return Form(Role.CONTENT, write, items.read_list, default=()), None
    if str(field.proto.slot.type.which()) == "struct":
        codec: StructCodec[Struct] = StructCodec(hint)
        return Form(Role.STRUCT, read=codec.read), codec.writer
    default = b"" if info.default is NODEFAULT else info.default
    return form_of(info.name, hint, field, default), None
