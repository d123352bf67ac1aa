"""Reading what was written with a mold: the way of `mold.py` and `splitter.py` backwards.

    list ──▶ constants ──▶ names ──┐
         └─▶ numbers ──────────────┴─▶ items of all structs ──▶ structs

pycapnp reads field by field. Here a list is read as its like was before, and most of that happens
in C.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from struct import Struct as Packer
from struct import calcsize, pack_into, unpack_from
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol import wire
from grevy.protocol.forms import Form, Role
from grevy.protocol.layout import Number, format_of
from grevy.protocol.mold import Draft
from grevy.protocol.source import Source, Unusual
from grevy.protocol.splitter import Names, Splitter, getter
from grevy.protocol.tables import TableReader

__all__ = ["Imprint", "kept_ranks"]

S = TypeVar("S", bound=Struct)

_SIZES_SHIFT: Final = 32
"""Of a pointer, all but the offset and the kind."""

_INVERTED: Final = bytes(range(255, -1, -1))
"""The wire has numbers XOR their defaults, most of which are 0 or -1: all numbers of a list that
have -1 are turned at once.
"""


class Imprint(Generic[S]):
    """Reads lists that differ in numbers, contents and names only: all that have the same heads.

    Names are known by all that is constant before those of the last struct, which says too how long
    these are; and by these, the *tail*. Numbers of enumerations are as good as names here, and so
    are those that had their default in all lists so far: the other ones are `kept`, by their ranks.
    """

    __slots__ = (
        "_bytes",
        "_constants_from",
        "_contents_at",
        "_defaults",
        "_documents",
        "_fixed",
        "_inner",
        "_inverted_from",
        "_is_left",
        "_known",
        "_plain_from",
        "_sizes",
        "_structs",
        "_values",
        "kept",
    )

    def __init__(
        self,
        example: tuple[int, Draft],
        splitter: Splitter[S],
        structs: Sequence[S],
        *,
        tail_words: int,
        kept: Set[int],
    ) -> None:
        """`example`: one such list, the pointer to it and its draft; `splitter`, `structs`: of what
        is in it; `tail_words`: how long its tail is.
        """
        pointer, draft = example
        self._sizes: Final = pointer >> _SIZES_SHIFT
        self.kept: Final = kept
        self._bytes: Final = len(draft.mask) - tail_words * wire.WORD
        defaults = _defaults(draft)
        plain = [rank for rank in sorted(kept) if defaults[rank] != -1]
        inverted = [rank for rank in sorted(kept) if defaults[rank] == -1]
        ranks = plain + inverted
        gaps = _gaps([draft.numbers[rank] for rank in sorted(kept)], self._bytes)
        self._constants_from: Final = Packer(gaps).unpack_from
        self._plain_from: Final = self._packer(draft, plain).unpack_from
        self._inverted_from: Final = self._packer(draft, inverted).unpack
        self._defaults: Final = [
            (spot, defaults[rank]) for spot, rank in enumerate(plain) if defaults[rank]
        ]
        self._known: Final[dict[tuple[bytes, ...], tuple[int, dict[bytes, Names]]]] = {}
        self._fixed: Final = [
            (rank, form, *draft.numbers[rank])
            for rank, (_, form) in enumerate(splitter.numbers)
            if rank not in kept
        ]

        # The pool: numbers and names, and then what is made of these.
        places = [splitter.numbers[rank][0] for rank in ranks] + splitter.names
        places += [splitter.numbers[rank][0] for rank, *_ in self._fixed]
        spots = {place: spot for spot, place in enumerate(places)}
        forms = [(spot, splitter.numbers[rank][1]) for spot, rank in enumerate(ranks)]
        self._documents: Final = [
            (spot, form.default) for spot, form in forms if form.role is Role.DOCUMENT
        ]
        self._values: Final = [
            (spot, form.read) for spot, form in forms if form.role is Role.VALUE and form.read
        ]
        words = {ranks.index(rank): at for rank, at in draft.pointers.items() if rank in kept}
        self._contents_at: Final = [
            (spot, words[spot] * wire.WORD, form.default, form.fetch or _leave)
            for spot, form in forms
            if spot in words
        ]
        self._is_left: Final = any(form.fetch is None for spot, form in forms if spot in words)

        items: list[Any] = []
        outer = [_add(struct, items) for struct in structs]
        inner = [(place, _add(items[place], items)) for place in splitter.inner]
        inner.reverse()  # those inside others are made first
        spots |= {place: len(spots) + count for count, (place, _) in enumerate(inner)}
        self._inner: Final = [
            (kind, getter([spots[place] for place in places])) for _, (kind, places) in inner
        ]
        self._structs: Final = [
            (kind, getter([spots[place] for place in places])) for kind, places in outer
        ]

    def is_of(self, pointer: int) -> bool:
        """Whether a pointer is one to such a list: these have the same number of words."""
        return pointer >> _SIZES_SHIFT == self._sizes

    def _packer(self, draft: Draft, ranks: Sequence[int]) -> Packer:
        return wire.packer(format_of([draft.numbers[rank] for rank in ranks], self._bytes))

    def learn(self, mask: bytes, numbers: Sequence[int], names: Names) -> bool:
        """Know a list from now on, by its mask, numbers and names; whether that can be."""
        block = bytearray(mask)
        for rank, form, at, letter in self._fixed:
            (default,) = unpack_from("=" + letter, block, at)
            pack_into("=" + letter, block, at, numbers[rank] ^ default)
            names += (_fixed_item(form, numbers[rank]),)
        tail = bytes(block[self._bytes :])
        size, tails = self._known.setdefault(self._constants_from(block), (len(tail), {}))
        if size == len(tail):
            tails[tail] = names
        return size == len(tail)

    def read(self, source: Source, start: int, tables: TableReader) -> tuple[S, ...] | None:
        """The structs of the list that begins at a byte; None when its names are not known."""
        if self._is_left:
            raise Unusual
        frame = source.frame
        size, tails = self._known.get(self._constants_from(frame, start), _UNKNOWN)
        end = start + self._bytes
        names = tails.get(frame[end : end + size])
        if names is None:
            return None
        source.left -= (self._bytes + size) // wire.WORD
        inverted = frame[start:end].translate(_INVERTED)
        pool: list[Any] = [*self._plain_from(frame, start), *self._inverted_from(inverted), *names]
        for spot, number in self._defaults:
            pool[spot] ^= number
        documents = tables.documents
        for spot, default in self._documents:
            number = pool[spot]
            pool[spot] = documents[number - 1] if number else default
        for spot, at, default, fetch in self._contents_at:
            pointer = pool[spot]
            pool[spot] = fetch(source, start + at, pointer) if pointer else default
        for spot, read in self._values:
            number = pool[spot]
            pool[spot] = tables.values[number - 1] if number else read(0, tables)
        for kind, get in self._inner:
            pool.append(kind(*get(pool)))
        return tuple([kind(*get(pool)) for kind, get in self._structs])


_UNKNOWN: Final[tuple[int, dict[bytes, Names]]] = (0, {})


def _defaults(draft: Draft) -> tuple[int, ...]:
    """The defaults of a draft's numbers."""
    return Packer("<" + format_of(draft.numbers, len(draft.mask))).unpack(draft.mask)


def kept_ranks(draft: Draft, splitter: Splitter[S], numbers: Sequence[int]) -> Set[int]:
    """The ranks of the numbers that a list is not known by."""
    defaults = _defaults(draft)
    return {
        rank
        for rank, (_, form) in enumerate(splitter.numbers)
        if form.members is None and (numbers[rank] != defaults[rank] or form.role is Role.VALUE)
    }


def _fixed_item(form: Form, number: int) -> object:
    """The item of a number that a list is known by."""
    if form.members is not None:
        return form.members[number]
    return number if form.role is Role.NUMBER else form.default


def _gaps(numbers: Sequence[Number], size: int) -> str:
    """The format, in the module `struct`, of what is between the numbers of so many bytes."""
    text, end = "<", 0
    for at, letter in (*numbers, (size, "")):
        text += f"{at - end}s" if at > end else ""
        text += f"{calcsize('=' + letter)}x"
        end = at + calcsize("=" + letter)
    return text


def _add(struct: S, items: list[Any]) -> tuple[type[S], range]:
    """Add a struct's items; what it is, and their places."""
    first = len(items)
    items += astuple(struct)
    return type(struct), range(first, len(items))


def _leave(_source: Source, _at: int, _pointer: int) -> object:
    """Contents that are lists of structs are left to pycapnp, and so are all lists with the same
    heads as one that has such.
    """
    raise Unusual
