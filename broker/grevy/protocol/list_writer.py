"""The writers of lists of structs, piece by piece: what a piece has in common with others is a
`Mold`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Final, Generic, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import check_count
from grevy.protocol.limits import (
    CODEC_MOLDS_CACHED,
    CODEC_PIECE_ITEMS_MAX,
    CODEC_SPLITTERS_CACHED,
)
from grevy.protocol.mold import Draft, Mold
from grevy.protocol.shape import Content, Shape
from grevy.protocol.splitter import Names, Splitter
from grevy.protocol.struct_writer import StructWriter
from grevy.protocol.tables import TableWriter

__all__ = ["ListWriter", "Split", "StructListWriter", "UnionListWriter"]

S = TypeVar("S", bound=Struct)


Split: TypeAlias = tuple[Splitter[S], Names]
"""What shapes some structs: the splitter of their kinds, and their names."""


class ListWriter(ABC, Generic[S]):
    """Writes lists of structs, `piece_items` at a time. `head_words`: those of an item that differ
    between lists of the same length in more than numbers and names.
    """

    head_words: ClassVar[int]

    def __init__(self, tag: int, words: int, piece_items: int) -> None:
        """`tag`: the pointer to an item; `words`: its size."""
        self._tag: Final = tag
        self._words: Final = words
        self.piece_items: Final = piece_items
        self._splitters: Final[Cache[Hashable, Splitter[S]]] = Cache(CODEC_SPLITTERS_CACHED)
        self._molds: Final[Cache[Split[S], Mold]] = Cache(CODEC_MOLDS_CACHED)

    @abstractmethod
    def _kinds(self, items: Sequence[S]) -> Hashable:
        """Which kinds of structs follow each other."""

    @abstractmethod
    def _writers(self, items: Sequence[S]) -> Sequence[StructWriter[S]]:
        """The writers of some structs."""

    @abstractmethod
    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        """The items without the list's head."""

    @abstractmethod
    def tail_words(self, split: Split[S]) -> int:
        """How many words of names a list ends with."""

    def split(
        self,
        items: Sequence[S],
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> Split[S]:
        """What shapes some structs; their numbers and contents are added to those before."""
        kinds = self._kinds(items)
        splitter = self._splitters.get(kinds) or self._new_splitter(kinds, items)
        return splitter, splitter.split(items, tables, numbers, contents)

    def _new_splitter(self, kinds: Hashable, items: Sequence[S]) -> Splitter[S]:
        splitter = Splitter(self._writers(items))
        self._splitters.keep(kinds, splitter)
        return splitter

    def draft(self, split: Split[S], items: Sequence[S]) -> tuple[int, Draft]:
        """The whole list: the pointer to it, and its mold. There is at least one item, and no more
        than a piece has.
        """
        pointer, head = wire.struct_list(self._tag, len(items), self._words)
        draft = Draft(head.to_bytes(wire.WORD, "little"))
        splitter, names = split
        draft.append(self._draft(splitter.shapes(names), items))
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
        for start in range(0, len(items), self.piece_items):
            self._add(items[start : start + self.piece_items], tables, pieces)
        heads = [head.to_bytes(wire.WORD, "little")]
        if len(pieces) == 1:
            mold, numbers, own = pieces[0]
            heads += mold.pour(numbers, own)
            heads += [block for _, block in own]
            return pointer, b"".join(heads)
        rests: list[bytes] = []
        contents: list[bytes] = []
        later = len(items) * self._words  # words of heads to come
        before, behind = 0, sum([piece.mold.rest_words for piece in pieces])
        contents_words = 0
        for mold, numbers, own in pieces:
            later -= mold.heads
            behind -= mold.rest_words
            parts = mold.pour(numbers, own, later + before, behind + contents_words)
            block = b"".join(parts)
            heads.append(block[: mold.heads * wire.WORD])
            rests.append(block[mold.heads * wire.WORD :])
            blocks = [block for _, block in own]
            contents += blocks
            before += mold.rest_words
            contents_words += sum(map(len, blocks)) // wire.WORD
        return pointer, b"".join(heads + rests + contents)

    def _add(self, items: Sequence[S], tables: TableWriter, pieces: list[_Piece]) -> None:
        """Add a piece, or, if that has no mold and is not worth one, a piece for each item."""
        is_single = len(items) == 1
        kinds = self._kinds(items)
        if is_single or kinds in self._splitters or self._splitters.is_worth(kinds):
            numbers: list[int] = []
            contents: list[Content] = []
            split = self.split(items, tables, numbers, contents)
            mold = self._molds.get(split)
            if mold is None and (is_single or self._molds.is_worth(split)):
                mold = self._new_mold(split, items)
            if mold is not None:
                pieces.append(_Piece(mold, numbers, contents))
                return
        for item in items:
            self._add((item,), tables, pieces)

    def _new_mold(self, split: Split[S], items: Sequence[S]) -> Mold:
        splitter, names = split
        mold = Mold(self._draft(splitter.shapes(names), items))
        if splitter.is_kept(names):
            self._molds.keep(split, mold)
        return mold


class _Piece(NamedTuple):
    """Some neighbours of a list, split."""

    mold: Mold
    numbers: list[int]
    contents: list[Content]


class StructListWriter(ListWriter[S]):
    """Writes lists of one kind of struct."""

    head_words = 0

    def __init__(self, writer: StructWriter[S]) -> None:
        """`writer`: that of the items."""
        # The numbers of all bodies come before those behind them: so, with these, one at a time.
        super().__init__(
            writer.tag, writer.words, 1 if writer.plan.inner else CODEC_PIECE_ITEMS_MAX
        )
        self._writer: Final = writer

    def _kinds(self, items: Sequence[S]) -> Hashable:
        return len(items)

    def _writers(self, items: Sequence[S]) -> Sequence[StructWriter[S]]:
        return [self._writer] * len(items)

    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        return Draft.of_structs(shapes, self._words)

    def tail_words(self, split: Split[S]) -> int:
        """The names of all structs: they come behind all bodies."""
        splitter, names = split
        return sum(splitter.names_words(names))


class UnionListWriter(ListWriter[S]):
    """Writes lists of a struct that is a union of structs and nothing else."""

    head_words = wire.UNION_WORDS

    def __init__(self, members: Mapping[type[S], tuple[int, StructWriter[S]]]) -> None:
        """`members`: the number and the writer of each."""
        super().__init__(wire.UNION_TAG, wire.UNION_WORDS, CODEC_PIECE_ITEMS_MAX)
        self._members: Final = dict(members)

    def _kinds(self, items: Sequence[S]) -> Hashable:
        return tuple(map(type, items))

    def _writers(self, items: Sequence[S]) -> Sequence[StructWriter[S]]:
        return [self._members[type(item)][1] for item in items]

    def _draft(self, shapes: Sequence[Shape], items: Sequence[S]) -> Draft:
        members = [self._members[type(item)] for item in items]
        return Draft.of_union(shapes, [(number, writer.tag) for number, writer in members])

    def tail_words(self, split: Split[S]) -> int:
        """The names of the last struct."""
        splitter, names = split
        return splitter.names_words(names)[-1]
