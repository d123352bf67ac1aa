"""The codec of values: a union member for each value type."""

from __future__ import annotations

from typing import Final, NamedTuple

from grevy.protocol.intents import INTENTS
from grevy.protocol.schemas import SCHEMAS, Builder, Field, Reader
from grevy.protocol.struct_codec import StructCodec, field_name
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values import VALUES, Value

__all__ = ["KIND_OF_INTENT", "read_value", "write_value"]


class _Member(NamedTuple):
    """A member of the union `Value`, and the codec of its struct."""

    field: Field
    codec: StructCodec[Value]


KIND_OF_INTENT: Final = {number: VALUES[intent.value_type] for number, intent in INTENTS.items()}
"""The struct of the values of each intent."""

_FIELDS: Final[dict[str, Field]] = SCHEMAS["Value"].schema.fields
_BY_KIND: Final = {
    kind: _Member(_FIELDS[field_name(value_type.name.lower())], StructCodec(kind))
    for value_type, kind in VALUES.items()
}
_BY_NAME: Final = {
    field_name(kind.value_type.name.lower()): member for kind, member in _BY_KIND.items()
}
assert set(_BY_NAME) == set(_FIELDS), set(_BY_NAME) ^ set(_FIELDS)


def write_value(builder: Builder, value: Value, tables: TableWriter) -> None:
    """Write a value into its member of the union."""
    field, codec = _BY_KIND[type(value)]
    codec.write(builder._init_by_field(field), value, tables)


def read_value(reader: Reader, tables: TableReader) -> Value:
    """The value that a union holds."""
    field, codec = _BY_NAME[reader._which_str()]
    return codec.read(reader._get_by_field(field), tables)
