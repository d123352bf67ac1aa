"""The codec of lists of one kind of struct, where these are the same ones again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from grevy.protocol.list_reader import ListReader
from grevy.protocol.list_writer import StructListWriter
from grevy.protocol.schemas import Reader
from grevy.protocol.struct_codec import StructCodec
from grevy.protocol.tables import TableReader

__all__ = ["ListCodec"]

S = TypeVar("S", bound=Struct)


class ListCodec(Generic[S]):
    """Writes and reads lists of a kind. `likes` reads those that are like others before, without
    pycapnp.
    """

    __slots__ = ("_codec", "likes", "writer")

    def __init__(self, kind: type[S]) -> None:
        self._codec: Final = StructCodec(kind)
        self.writer: Final = StructListWriter(self._codec.writer)
        self.likes: Final = ListReader(self.writer)

    def read_list(self, raw: Sequence[Reader], tables: TableReader) -> tuple[S, ...]:
        """The structs of a list."""
        structs = self._codec.read_list(raw, tables)
        self.likes.learn(structs)
        return structs
