"""The writers of lists of structs, piece by piece: what a piece has in common with others is a
`Mold`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import check_count
from grevy.protocol.limits import CODEC_MOLDS_CACHED, CODEC_PIECE_ITEMS_MAX
from grevy.protocol.mold import Draft, Mold
from grevy.protocol.shape import Content, Shape
from grevy.protocol.struct_writer import StructWriter
from grevy.protocol.tables import TableWriter

__all__ = ["StructListWriter", "UnionListWriter"]

S = TypeVar("S", bound=Struct)


class ListWriter(ABC, Generic[S]):
    """Writes lists of structs."""

    def __init__(self, tag: int, words: int, piece_items: int) -> None:
        """`tag`: the pointer to an item; `words`: its size; `piece_items`: how many at a time."""
        self._tag: Final = tag
        self._words: Final = words
        self._piece_items: Final = piece_items
        self._molds: Final[Cache[tuple[Shape, ...], Mold]] = Cache(CODEC_MOLDS_CACHED)

    @abstractmethod
    def split(
        self,
        items: Sequence[S],
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> tuple[Shape, ...]:
        """The shapes of some structs; their numbers and contents are added to those before."""

    @abstractmethod
    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        """The items without the list's head."""

    def draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> tuple[int, Draft]:
        """The whole list: the pointer to it, and its mold. There is at least one item, and no more
        than a piece has.
        """
        pointer, head = wire.struct_list(self._tag, len(items), self._words)
        draft = Draft("8x", head.to_bytes(wire.WORD, "little"))
        draft.append(self._draft(shapes, items))
        return pointer, draft

    def write(self, items: Sequence[S], tables: TableWriter) -> wire.Pointer:
        """A list of structs, piece by piece: first all heads, then what is behind each, then the
        contents, so that the bytes are the same whatever the pieces are.
        """
        if not items:
            return wire.NULL
        check_count(items)
        pointer, head = wire.struct_list(self._tag, len(items), self._words)
        pieces: list[_Piece] = []
        for start in range(0, len(items), self._piece_items):
            self._add(items[start : start + self._piece_items], tables, pieces)
        heads = [head.to_bytes(wire.WORD, "little")]
        if len(pieces) == 1:
            mold, numbers, own = pieces[0]
            return pointer, b"".join(heads + mold.pour(numbers, own))
        rests: list[bytes] = []
        contents: list[bytes] = []
        later = len(items) * self._words  # words of heads to come
        before, behind = 0, sum([piece.mold.rest_words for piece in pieces])
        contents_words = 0
        for mold, numbers, own in pieces:
            later -= mold.heads
            behind -= mold.rest_words
            block, *blocks = mold.pour(numbers, own, later + before, behind + contents_words)
            heads.append(block[: mold.heads * wire.WORD])
            rests.append(block[mold.heads * wire.WORD :])
            contents += blocks
            before += mold.rest_words
            contents_words += sum(map(len, blocks)) // wire.WORD
        return pointer, b"".join(heads + rests + contents)

    def _add(self, items: Sequence[S], tables: TableWriter, pieces: list[_Piece]) -> None:
        """Add a piece, or, if that has no mold and is not worth one, a piece for each item."""
        numbers: list[int] = []
        contents: list[Content] = []
        shapes = self.split(items, tables, numbers, contents)
        mold = self._molds.get(shapes)
        if mold is None and (len(items) == 1 or self._molds.is_worth(shapes)):
            mold = self._new_mold(shapes, items)
        if mold is not None:
            pieces.append(_Piece(mold, numbers, contents))
            return
        blocks = dict(contents)
        start = 0
        for item, shape in zip(items, shapes, strict=True):
            ranks = [rank for rank, _ in shape.contents if start + rank in blocks]
            own = [(rank, blocks[start + rank]) for rank in ranks]
            end = start + shape.numbers
            mold = self._molds.get((shape,)) or self._new_mold((shape,), (item,))
            pieces.append(_Piece(mold, numbers[start:end], own))
            start = end

    def _new_mold(self, shapes: tuple[Shape, ...], items: Sequence[S]) -> Mold:
        mold = Mold(self._draft(shapes, items))
        if all(shape.is_kept for shape in shapes):
            self._molds.keep(shapes, mold)
        return mold


class _Piece(NamedTuple):
    """Some neighbours of a list, split."""

    mold: Mold
    numbers: list[int]
    contents: list[Content]


class StructListWriter(ListWriter[S]):
    """Writes lists of one kind of struct."""

    def __init__(self, writer: StructWriter[S]) -> None:
        """`writer`: that of the items."""
        # The numbers of all bodies come before those behind them: so, with these, one at a time.
        super().__init__(
            writer.tag, writer.words, 1 if writer.plan.inner else CODEC_PIECE_ITEMS_MAX
        )
        self._writer: Final = writer

    def split(
        self,
        items: Sequence[S],
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> tuple[Shape, ...]:
        """See `ListWriter`."""
        split = self._writer.split
        return tuple([split(item, tables, numbers, contents) for item in items])

    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        return Draft.of_structs(shapes, self._words)


class UnionListWriter(ListWriter[S]):
    """Writes lists of a struct that is a union of structs and nothing else."""

    def __init__(self, members: Mapping[type[S], tuple[int, StructWriter[S]]]) -> None:
        """`members`: the number and the writer of each."""
        super().__init__(wire.UNION_TAG, wire.UNION_WORDS, CODEC_PIECE_ITEMS_MAX)
        self._splits: Final = {kind: writer.split for kind, (_, writer) in members.items()}
        self._members: Final = {kind: (n, writer.tag) for kind, (n, writer) in members.items()}

    def split(
        self,
        items: Sequence[S],
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> tuple[Shape, ...]:
        """See `ListWriter`."""
        splits = self._splits
        return tuple([splits[type(item)](item, tables, numbers, contents) for item in items])

    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        return Draft.of_union(shapes, [self._members[type(item)] for item in items])
