"""The door: frames become structs here, and what pycapnp says of bad ones ends here.

A frame is one Cap'n Proto message, unpacked, with its segment table. Cap'n Proto has no checksum:
the journal and the links carry one outside. A frame is read once, whole, into frozen structs, by
pycapnp or, where it is like others before, by `imprint.py`; it is written by `frame_writer.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Generic, TypeAlias, TypeVar

from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.forms import check_count
from grevy.protocol.frame_writer import ROOT_AT, FrameWriter
from grevy.protocol.layout import Layout
from grevy.protocol.schemas import Field, KjException, Reader, StructSchema
from grevy.protocol.source import UNUSUAL, Source
from grevy.protocol.tables import TableReader
from grevy.protocol.values_codec import VALUE_CODEC

__all__ = ["BAD_STRUCT", "FrameCodec", "FrameReader"]

W = TypeVar("W")
R = TypeVar("R")
Seen = TypeVar("Seen")

_NESTING_MAX: Final = 32
"""Pointers inside each other; our deepest frame has seven."""

_WORDS_SHIFT: Final = 29
"""A header has the number of words, its own apart, in its upper half."""

Scan: TypeAlias = Callable[[Source, tuple[int, ...], TableReader], R]
"""Reads a root without pycapnp; it is given the words of the frame up to the root's end."""

_BAD_FRAME: Final = (KjException, LookupError, UnicodeDecodeError, ValueError)
"""What reading a bad frame raises: pycapnp's own, a number that no enumeration or table has, a text
that is not UTF-8, a length that is no multiple of eight."""

BAD_STRUCT: Final = (struct.error, OverflowError, UnicodeEncodeError)
"""What writing a bad struct raises: a number that its field cannot hold, half a surrogate pair."""


class FrameReader(Generic[R]):
    """Turns one kind of frame to structs; `name` is what errors call it.

    `read` reads what is between the tables: the root's own fields. `scan` does the same without
    pycapnp, where it can (`imprint.py`). The last `trailer` bytes of a frame are somebody else's.
    """

    __slots__ = (
        "_bytes_max",
        "_documents",
        "_documents_at",
        "_name",
        "_read",
        "_root",
        "_scan",
        "_schema",
        "_tag",
        "_trailer",
        "_values",
        "_values_at",
    )

    def __init__(
        self,
        name: str,
        schema: StructSchema,
        bytes_max: int,
        *,
        read: Callable[[Reader, TableReader], R],
        scan: Scan[R] | None = None,
        trailer: int = 0,
    ) -> None:
        self._name: Final = name
        self._schema: Final = schema
        self._bytes_max: Final = bytes_max
        self._read: Final = read
        self._scan: Final = scan
        self._trailer: Final = trailer
        layout = Layout(schema)
        self._tag: Final = layout.tag
        self._root: Final = struct.Struct(f"<{ROOT_AT + layout.words}Q")
        self._documents_at: Final = ROOT_AT + layout.slots["documents"].word
        self._values_at: Final = ROOT_AT + layout.slots["values"].word
        self._documents: Final[Field] = schema.schema.fields["documents"]
        self._values: Final[Field] = schema.schema.fields["values"]

    def decode(self, frame: bytes) -> R:
        """The struct of a frame; `MalformedFrame` or `LimitExceeded` for any other bytes."""
        content = self.scan(frame)
        return self.decode_by_pycapnp(frame) if content is None else content

    def decode_by_pycapnp(self, frame: bytes) -> R:
        """The same, but more slowly for frames that are known."""
        return self.look(frame, self._read_all)

    def scan(self, frame: bytes) -> R | None:
        """The struct of a frame that is like others before; None when pycapnp has to look."""
        self.check_size(frame)
        scan = self._scan
        if scan is None:
            return None
        try:
            root = self._root.unpack_from(frame)
            size = len(frame) - self._trailer
            header = size - 8 << _WORDS_SHIFT
            if root[0] != header or root[1] != self._tag or size & 7:
                return None
            source = Source(frame, size)
            at = self._documents_at
            documents = source.documents(8 * at, root[at])
            at = self._values_at
            tables = TableReader(documents)
            values = VALUE_CODEC.likes.read(source, 8 * at, root[at], tables)
            content = scan(source, root, TableReader(documents, values))
        except UNUSUAL:
            return None
        return None if source.left < 0 else content

    def look(self, frame: bytes, read: Callable[[Reader], Seen]) -> Seen:
        """What `read` makes of a frame; it may look at a part of it only."""
        self.check_size(frame)
        message = memoryview(frame)[: -self._trailer] if self._trailer else frame
        try:
            # Every word is read once; twice as many may pass for pointers to what is shared.
            with self._schema.from_bytes(
                message, traversal_limit_in_words=len(frame) // 4 + 64, nesting_limit=_NESTING_MAX
            ) as reader:
                return read(reader)
        except _BAD_FRAME:
            raise MalformedFrame(f"bytes that are not {self._name}") from None

    def _read_all(self, reader: Reader) -> R:
        documents = reader._get_by_field(self._documents)
        check_count(documents)
        tables = TableReader(tuple(documents))
        values = VALUE_CODEC.read_list(reader._get_by_field(self._values), tables)
        return self._read(reader, TableReader(tables.documents, values))

    def check_size(self, frame: bytes) -> None:
        """Raises `LimitExceeded` for more bytes than such a frame may have."""
        if len(frame) > self._bytes_max:
            raise LimitExceeded(f"{self._name} of {len(frame)} bytes; at most {self._bytes_max}")


class FrameCodec(FrameReader[R], Generic[W, R]):
    """Turns one kind of frame to (`W`) and from (`R`) structs."""

    __slots__ = ("_writer",)

    def __init__(
        self,
        name: str,
        schema: StructSchema,
        bytes_max: int,
        *,
        writer: FrameWriter[W],
        read: Callable[[Reader, TableReader], R],
        scan: Scan[R] | None = None,
    ) -> None:
        super().__init__(name, schema, bytes_max, read=read, scan=scan)
        self._writer: Final = writer

    def encode(self, content: W) -> bytes:
        """A struct as a frame; `LimitExceeded` when a part or the whole of it is too large."""
        try:
            frame = self._writer.write(content)
        except BAD_STRUCT:
            raise LimitExceeded(f"{self._name} holds what its schema cannot") from None
        self.check_size(frame)
        return frame
