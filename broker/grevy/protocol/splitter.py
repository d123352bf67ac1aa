"""The splitter of some structs in a row, of any kinds: it takes their numbers and names apart.

    structs ──▶ items of all  ──▶ numbers, in the order of the wire
                              └─▶ names

All structs are taken apart at once, so that most of it happens in C: this is the hottest code of
the room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, compress
from operator import itemgetter, ne
from typing import Any, Final, Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol.forms import Form, Role
from grevy.protocol.shape import Content, Shape
from grevy.protocol.struct_writer import Plan, StructWriter
from grevy.protocol.tables import TableWriter

__all__ = ["Names", "Splitter", "getter"]

S = TypeVar("S", bound=Struct)

Names: TypeAlias = tuple[object, ...]
"""The names of some structs: texts, flags, whatever shapes them."""

# Looking up a member of an enumeration takes as long as all else that is done with an item.
_DOCUMENT: Final = Role.DOCUMENT
_VALUE: Final = Role.VALUE
_SPECIAL: Final = (_DOCUMENT, _VALUE, Role.CONTENT)


class Splitter(Generic[S]):
    """Splits structs of certain kinds in a certain order; compared by its identity.

    Among the items of all, `numbers` have these places and forms, `names` these places, and the
    structs behind pointers lie at `inner`.
    """

    __slots__ = (
        "_defaults",
        "_end",
        "_get_names",
        "_get_numbers",
        "_get_specials",
        "_specials",
        "_writers",
        "inner",
        "names",
        "numbers",
    )

    def __init__(self, writers: Sequence[StructWriter[S]]) -> None:
        """`writers`: those of the structs."""
        self._writers: Final = tuple(writers)
        self.inner: Final[list[int]] = []
        self._end = sum([writer.plan.fields for writer in writers])
        self.numbers: Final[list[tuple[int, Form]]] = []
        names: list[int] = []
        specials: list[tuple[int, int, Form]] = []
        first = 0
        for writer in writers:
            places = self._places(writer.plan, first)
            first += writer.plan.fields
            for part in writer.numbers:
                place = places[part.place]
                if part.form.role in _SPECIAL:
                    specials.append((len(self.numbers), place, part.form))
                self.numbers.append((place, part.form))
            names += [places[part.place] for part in writer.names]
        self._specials: Final = tuple(
            [(rank, place, form.role, form.write) for rank, place, form in specials]
        )
        self._defaults: Final = tuple([form.default for _, _, form in specials])
        self.names: Final = names
        # A special item that has its default is the 0 that comes behind all items.
        self._get_numbers: Final = getter(
            [self._end if form.role in _SPECIAL else place for place, form in self.numbers]
        )
        self._get_specials: Final = getter([place for _, place, _ in specials])
        self._get_names: Final = getter(names)

    def _places(self, plan: Plan, first: int) -> list[int]:
        """Where the items of a struct will lie: its own from `first` on, those of the structs
        behind its pointers at the end.
        """
        places = list(range(first, first + plan.fields))
        for place, inner in plan.inner:
            self.inner.append(first + place)
            start = self._end
            self._end += inner.fields
            places += self._places(inner, start)
        return places

    def split(
        self,
        structs: Sequence[S],
        tables: TableWriter,
        numbers: list[Any],
        contents: list[Content],
    ) -> Names:
        """The names of such structs; their numbers and contents are added to those before."""
        items: list[Any] = list(chain.from_iterable(map(astuple, structs)))
        for place in self.inner:
            items += astuple(items[place])
        items.append(0)
        start = len(numbers)
        numbers += self._get_numbers(items)
        documents = tables.documents
        is_special = map(ne, self._get_specials(items), self._defaults)
        for rank, place, role, write in compress(self._specials, is_special):
            item, at = items[place], start + rank
            if role is _DOCUMENT:
                numbers[at] = documents.setdefault(item, len(documents) + 1)
            elif role is _VALUE:
                numbers[at] = tables.value(item)
            else:
                numbers[at], block = write(item, tables)
                contents.append((at, block))
        return self._get_names(items)

    def shapes(self, names: Names) -> tuple[Shape, ...]:
        """The shapes of structs with these names."""
        shapes: list[Shape] = []
        start = 0
        for writer in self._writers:
            end = start + len(writer.names)
            shapes.append(writer.shape(names[start:end]))
            start = end
        return tuple(shapes)

    def names_words(self, names: Names) -> list[int]:
        """How many words of names each of such structs ends with."""
        shapes = self.shapes(names)
        return [
            shape.words - writer.plan.words
            for writer, shape in zip(self._writers, shapes, strict=True)
        ]

    def is_kept(self, names: Names) -> bool:
        """Whether what is made of these names is worth keeping."""
        return all(shape.is_kept for shape in self.shapes(names))


def getter(places: Sequence[int]) -> Callable[[Sequence[object]], tuple[object, ...]]:
    """What gives the items at some places; `itemgetter` gives no tuple of one."""
    if len(places) < 2:
        return lambda items: tuple([items[place] for place in places])
    return itemgetter(*places)
