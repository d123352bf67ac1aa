"""The codec of values, and of other unions: a member for each kind of struct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from grevy.protocol.forms import check_count
from grevy.protocol.intents import INTENTS
from grevy.protocol.list_reader import ListReader
from grevy.protocol.list_writer import UnionListWriter
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.struct_codec import StructCodec, field_name
from grevy.protocol.struct_writer import StructWriter
from grevy.protocol.tables import TableReader
from grevy.protocol.values import VALUES, Value

__all__ = ["KIND_OF_INTENT", "VALUE_CODEC", "UnionCodec"]

Member = TypeVar("Member", bound=Struct)


class UnionCodec(Generic[Member]):
    """The codec of lists whose items are a struct with nothing but a union of structs.

    `likes` reads those that are like others before, without pycapnp.
    """

    __slots__ = ("_by_name", "likes", "writer")

    def __init__(self, union: str, kinds: Mapping[str, type[Member]]) -> None:
        """`kinds`: the members by their names in the schema's struct `union`."""
        schema = SCHEMAS[union].schema
        fields: dict[str, Field] = schema.fields
        assert set(kinds) == set(fields), set(kinds) ^ set(fields)
        node = schema.node.struct
        assert (node.dataWordCount, node.pointerCount, node.discriminantOffset) == (1, 1, 0), union
        writers: dict[type[Member], tuple[int, StructWriter[Member]]] = {}
        self._by_name: Final[dict[str, tuple[Field, StructCodec[Member]]]] = {}
        for name, kind in kinds.items():
            field, codec = fields[name], StructCodec(kind)
            writers[kind] = (field.proto.discriminantValue, codec.writer)
            self._by_name[name] = (field, codec)
        self.writer: Final = UnionListWriter(writers)
        self.likes: Final = ListReader(self.writer)

    def read(self, reader: Reader, tables: TableReader) -> Member:
        """One item."""
        field, codec = self._by_name[reader._which_str()]
        return codec.read(reader._get_by_field(field), tables)

    def read_list(self, raw: Sequence[Reader], tables: TableReader) -> tuple[Member, ...]:
        """The items of a list."""
        check_count(raw)
        items = tuple([self.read(item, tables) for item in raw])
        self.likes.learn(items)
        return items


KIND_OF_INTENT: Final = {number: VALUES[intent.value_type] for number, intent in INTENTS.items()}
"""The struct of the values of each intent."""

VALUE_CODEC: Final[UnionCodec[Value]] = UnionCodec(
    "Value", {field_name(kind.name.lower()): value for kind, value in VALUES.items()}
)
