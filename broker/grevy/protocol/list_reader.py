"""The reader of lists that are like others before; the others are pycapnp's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.imprint import Imprint, kept_ranks
from grevy.protocol.limits import CODEC_IMPRINT_ITEMS_MAX, CODEC_IMPRINTS_CACHED
from grevy.protocol.list_writer import ListWriter
from grevy.protocol.source import Source, Unusual
from grevy.protocol.tables import TableReader, TableWriter

__all__ = ["ListReader"]

S = TypeVar("S", bound=Struct)

_FULL_PAUSE: Final = 16
"""So many times as many lists as are known go to pycapnp before others are learned in their place:
to learn one costs some ten readings.
"""


class ListReader(Generic[S]):
    """Reads lists that are like others before.

    A list that is not known is `Unusual`: pycapnp reads it, and when its heads, and then its names,
    have come twice, its structs are the example for others.
    """

    __slots__ = ("_head_words", "_imprints", "_known_count", "_missed_count", "_wanted", "_writer")

    def __init__(self, writer: ListWriter[S]) -> None:
        """`writer`: writes such lists."""
        self._writer: Final = writer
        self._head_words: Final = writer.head_words
        self._imprints: Final[Cache[bytes, Imprint[S]]] = Cache(CODEC_IMPRINTS_CACHED)
        self._known_count = 0
        self._missed_count = 0
        self._wanted = b""

    def read(self, source: Source, at: int, pointer: int, tables: TableReader) -> tuple[S, ...]:
        """The structs of the list that the pointer at a byte points at."""
        if not pointer:
            return ()
        start, heads = source.heads(at, pointer, self._head_words)
        imprint = self._imprints.get(heads)
        if imprint is not None and imprint.is_of(pointer):
            structs = imprint.read(source, start, tables)
            if structs is not None:
                return structs
        self._wanted = heads if self._imprints.is_worth(heads) else b""
        raise Unusual

    def learn(self, structs: Sequence[S]) -> None:
        """Structs that pycapnp has read: perhaps those of the list that was not known."""
        heads, self._wanted = self._wanted, b""
        items_max = min(self._writer.piece_items, CODEC_IMPRINT_ITEMS_MAX)
        if not heads or not 0 < len(structs) <= items_max or not self._has_room():
            return
        numbers: list[int] = []
        split = self._writer.split(structs, TableWriter(), numbers, [])
        splitter, names = split
        if not self._imprints.is_worth(split) or not splitter.is_kept(names):
            return
        pointer, draft = self._writer.draft(split, structs)
        # Heads that a refused frame has left here may be cut short: these are nobody's.
        if heads != draft.mask[: wire.WORD * (1 + self._writer.head_words * len(structs))]:
            return
        imprint = self._imprints.get(heads)
        kept = kept_ranks(draft, splitter, numbers)
        if imprint is None or kept - imprint.kept:
            kept |= imprint.kept if imprint else set()
            tail_words = self._writer.tail_words(split)
            imprint = Imprint((pointer, draft), splitter, structs, tail_words=tail_words, kept=kept)
            self._imprints.keep(heads, imprint)
        self._known_count += imprint.learn(draft.mask, numbers, names)

    def forget(self) -> None:
        """Know no list any more."""
        self._imprints.clear()
        self._known_count = self._missed_count = 0

    def _has_room(self) -> bool:
        """Whether one more list may be known; now and then all are forgotten for that."""
        if self._known_count < CODEC_IMPRINTS_CACHED:
            return True
        self._missed_count += 1
        if self._missed_count < _FULL_PAUSE * CODEC_IMPRINTS_CACHED:
            return False
        self.forget()
        return True
