"""Reading what was written with a mold: the way of `mold.py` and `splitter.py` backwards.

    list ──▶ constants, the same as in the mold
         └─▶ runs ──▶ numbers ─┐
                      names ───┴─▶ items of all structs ──▶ structs

pycapnp reads field by field. Here a list is read as its like was before, and most of that happens
in C.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Packer
from struct import calcsize
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import Role
from grevy.protocol.limits import (
    CODEC_IMPRINT_ITEMS_MAX,
    CODEC_IMPRINTS_ALIKE_MAX,
    CODEC_IMPRINTS_CACHED,
)
from grevy.protocol.list_writer import Split, UnionListWriter
from grevy.protocol.mold import Draft, Mold
from grevy.protocol.source import Source, Unusual
from grevy.protocol.splitter import getter
from grevy.protocol.tables import TableReader, TableWriter

__all__ = ["Imprint", "ListReader"]

S = TypeVar("S", bound=Struct)

_ALIKE_PAUSE: Final = 16
"""When all places for lists with the same heads are taken, one list in so many takes another's: to
learn one costs some ten readings.
"""


class Imprint(Mold, Generic[S]):
    """Reads lists that differ from a known one in numbers and contents only."""

    __slots__ = (
        "_bytes",
        "_constants",
        "_contents_at",
        "_cut_all",
        "_documents",
        "_enums",
        "_gaps",
        "_get_items",
        "_inner",
        "_names",
        "_structs",
        "_values",
    )

    def __init__(self, draft: Draft, split: Split[S], structs: Sequence[S]) -> None:
        """`draft`: that of the known list; `split`, `structs`: what is in it."""
        super().__init__(draft)
        splitter, self._names = split
        self._bytes: Final = len(draft.mask)
        self._constants: Final = tuple(self._parts[::2])
        self._cut_all: Final = Packer("".join([f"{len(p)}s" for p in self._parts])).unpack
        free = bytearray(b"\xff" * len(draft.mask))
        for at, letter in draft.numbers:
            free[at : at + calcsize("=" + letter)] = bytes(calcsize("=" + letter))
        self._gaps: Final = int.from_bytes(b"".join(self._cut_all(free)[1::2]), "little")

        ranks = {place: rank for rank, (place, _) in enumerate(splitter.numbers)}
        ranks |= {place: len(ranks) + rank for rank, place in enumerate(splitter.names)}
        numbers = [(place, form, form.role) for place, form in splitter.numbers]
        self._enums: Final = [(place, form.members) for place, form, _ in numbers if form.members]
        self._documents: Final = [(p, f.default) for p, f, role in numbers if role is Role.DOCUMENT]
        self._values: Final = [
            (place, form.read) for place, form, role in numbers if role is Role.VALUE and form.read
        ]
        fields = [(*splitter.numbers[rank], word) for rank, word in draft.pointers.items()]
        self._contents_at: Final = [
            (place, word * wire.WORD, form.default, form.fetch or _leave)
            for place, form, word in fields
        ]

        items: list[Any] = []
        self._structs: Final = [_add(struct, items) for struct in structs]
        self._inner: Final = [(place, *_add(items[place], items)) for place in splitter.inner]
        self._inner.reverse()  # those inside others are made first
        self._get_items: Final = getter([ranks.get(place, 0) for place in range(len(items))])

    def read(self, source: Source, start: int, tables: TableReader) -> tuple[S, ...] | None:
        """The structs of the list that begins at a byte; None when it is not like this."""
        block = source.frame[start : start + self._bytes]
        if len(block) < self._bytes:
            return None
        parts = self._cut_all(block)
        if parts[::2] != self._constants:
            return None
        runs = int.from_bytes(b"".join(parts[1::2]), "little") ^ self._mask
        if runs & self._gaps:
            return None
        source.left -= self.words
        numbers = self._packer.unpack(runs.to_bytes(self._size, "little"))
        items: list[Any] = list(self._get_items(numbers + self._names))
        for place, members in self._enums:
            items[place] = members[items[place]]
        for place, default in self._documents:
            number = items[place]
            items[place] = tables.documents[number - 1] if number else default
        for place, at, default, fetch in self._contents_at:
            pointer = items[place]
            items[place] = fetch(source, start + at, pointer) if pointer else default
        for place, read in self._values:
            number = items[place]
            items[place] = tables.values[number - 1] if number else read(0, tables)
        for place, kind, first, end in self._inner:
            items[place] = kind(*items[first:end])
        return tuple([kind(*items[first:end]) for kind, first, end in self._structs])


def _add(struct: S, items: list[Any]) -> tuple[type[S], int, int]:
    """Add a struct's items; what it is, and where they begin and end."""
    first = len(items)
    items += astuple(struct)
    return type(struct), first, len(items)


def _leave(_source: Source, _at: int, _pointer: int) -> object:
    """Contents that are lists are left to pycapnp."""
    raise Unusual


class ListReader(Generic[S]):
    """Reads lists of unions that are like others before.

    A list that is not known is `Unusual`: pycapnp reads it, and when its heads, and then its names,
    have come twice, its structs are the example for others. Lists with the same heads and other
    names are known by heads and place, from 0.
    """

    __slots__ = ("_known", "_unplaced", "_wanted", "_writer")

    def __init__(self, writer: UnionListWriter[S]) -> None:
        """`writer`: writes such lists."""
        self._writer: Final = writer
        self._known: Final[Cache[tuple[bytes, int], Imprint[S]]] = Cache(CODEC_IMPRINTS_CACHED)
        self._wanted = b""
        self._unplaced = 0

    def read(self, source: Source, at: int, pointer: int, tables: TableReader) -> tuple[S, ...]:
        """The structs of the list that the pointer at a byte points at."""
        if not pointer:
            return ()
        start, heads = source.heads(at, pointer)
        for place in range(CODEC_IMPRINTS_ALIKE_MAX):
            imprint = self._known.get((heads, place))
            if imprint is None:
                break
            structs = imprint.read(source, start, tables)
            if structs is not None:
                return structs
        self._wanted = heads if self._known.is_worth(heads) else b""
        raise Unusual

    def learn(self, structs: Sequence[S]) -> None:
        """Structs that pycapnp has read: perhaps those of the list that was not known."""
        heads, self._wanted = self._wanted, b""
        if not heads or not 0 < len(structs) <= CODEC_IMPRINT_ITEMS_MAX:
            return
        place = self._place(heads)
        if place is None:
            return
        split = self._writer.split(structs, TableWriter(), [], [])
        splitter, names = split
        if not self._known.is_worth(split) or not splitter.is_kept(names):
            return
        _, draft = self._writer.draft(split, structs)
        # Heads that a refused frame has left here may be cut short: these are nobody's.
        if heads == draft.mask[: wire.WORD * (1 + wire.UNION_WORDS * len(structs))]:
            self._known.keep((heads, place), Imprint(draft, split, structs))

    def _place(self, heads: bytes) -> int | None:
        """Where the next list with these heads belongs; None: there is no place for it."""
        for place in range(CODEC_IMPRINTS_ALIKE_MAX):
            if (heads, place) not in self._known:
                return place
        self._unplaced += 1
        turn, rest = divmod(self._unplaced, _ALIKE_PAUSE)
        return None if rest else turn % CODEC_IMPRINTS_ALIKE_MAX
