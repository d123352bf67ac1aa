"""The writer of one kind of struct: it splits structs into numbers and a shape.

    struct = body | bodies of the structs behind its pointers | names
             (data words and pointer words)

Structs of a kind that carry the same names (ids of processes and elements, job types) differ in
their numbers only: pointers, texts, flags and defaults are the same, byte for byte. All that is
their `Shape`, made once for each combination of names. The struct on the wire is its numbers, with
zeros where no number lies, XOR its shape; Cap'n Proto writes a number XOR its default anyway.

What rarely comes twice (a correlation key, an error message, a list of keys) is no name but a
`Content`: it comes further behind, and the pointer to it is one more number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import Form, Role
from grevy.protocol.layout import Layout, Slot, format_of
from grevy.protocol.limits import CODEC_SHAPE_BYTES_MAX, CODEC_SHAPES_CACHED
from grevy.protocol.shape import Content, Shape
from grevy.protocol.tables import TableWriter

__all__ = ["Splitter", "StructWriter"]

S = TypeVar("S", bound=Struct)

Splitter: TypeAlias = Callable[[S, TableWriter, list[int], list[Content]], Shape]
"""Gives the shape of a struct, and adds its numbers and contents to those that are there."""


class _Part(NamedTuple):
    """A field of the struct, or of one behind its pointers: where it lies, where its item is among
    the items of both, its form.
    """

    slot: Slot
    place: int
    form: Form


class _Plan:
    """How the structs of a kind and those behind their pointers lie one behind the other.

    `parts`: their fields. `inner`: places and plans of the structs. `words` and `items`: how many
    there are. `mask` and `step` are a shape's, as far as they are the same for all names.
    """

    __slots__ = ("inner", "items", "mask", "parts", "step", "words")

    def __init__(
        self, layout: Layout, fields: Sequence[tuple[Slot, Form, StructWriter[Struct] | None]]
    ) -> None:
        self.words = layout.words
        self.items = len(fields)
        self.mask = self.step = 0
        self.parts: list[_Part] = []
        self.inner: list[tuple[int, _Plan]] = []
        for place, (slot, form, writer) in enumerate(fields):
            if writer is None:
                self.parts.append(_Part(slot, place, form))
                self.mask |= slot.default % (1 << slot.bits) << slot.at
            else:
                self.mask |= writer.tag + wire.offset(self.words - slot.word - 1) << slot.at
                self.step |= wire.offset(1) << slot.at
                self._embed(place, writer.plan)

    def _embed(self, place: int, plan: _Plan) -> None:
        """Put the structs of another kind behind, and their items behind the items."""
        for slot, inner_place, form in plan.parts:
            self.parts.append(_Part(slot.moved(self.words), self.items + inner_place, form))
        self.mask |= plan.mask << self.words * wire.WORD_BITS
        self.words += plan.words
        self.items += plan.items
        self.inner.append((place, plan))

    def items_of(self, struct: Struct) -> tuple[Any, ...]:
        """All that is in a struct and in those behind its pointers."""
        items = astuple(struct)
        for place, plan in self.inner:
            items += plan.items_of(items[place])
        return items


class StructWriter(Generic[S]):
    """Splits one kind of struct; `tag` is the pointer to it, `words` the size of its body."""

    __slots__ = (
        "_contents",
        "_form",
        "_named",
        "_numbers",
        "_shapes",
        "plan",
        "split",
        "tag",
        "words",
    )

    def __init__(
        self, layout: Layout, fields: Sequence[tuple[Slot, Form, StructWriter[Struct] | None]]
    ) -> None:
        """`fields`: slot and form of each, and the writer of those that are structs."""
        self.tag: Final = layout.tag
        self.words: Final = layout.words
        self.plan: Final = _Plan(layout, fields)
        parts = self.plan.parts
        names = (Role.MARK, Role.NAME)
        self._named: Final = [part for part in parts if part.form.role in names]
        self._numbers: Final = sorted(
            [part for part in parts if part.form.role not in names],
            key=lambda part: part.slot.at,
        )
        self._form: Final = format_of([part.slot for part in self._numbers], self.plan.words)
        self._contents: Final = tuple(
            (rank, part.slot.word)
            for rank, part in enumerate(self._numbers)
            if part.form.role is Role.CONTENT
        )
        self._shapes: Final[Cache[tuple[object, ...], Shape]] = Cache(CODEC_SHAPES_CACHED)
        self.split: Final[Splitter[S]] = self._make_split()

    def _make_split(self) -> Splitter[S]:
        """The hottest code of the room, hence closures: they are faster than methods."""
        get_numbers = _getter([part.place for part in self._numbers])
        get_names = _getter([part.place for part in self._named])
        find_shape, new_shape = self._shapes.get, self._new_shape
        items_of = self.plan.items_of if self.plan.inner else astuple
        forms = [(rank, part.form) for rank, part in enumerate(self._numbers)]
        documents_at = [(rank, f.default) for rank, f in forms if f.role is Role.DOCUMENT]
        values_at = [rank for rank, f in forms if f.role is Role.VALUE]
        contents_at = [(rank, f.write) for rank, f in forms if f.role is Role.CONTENT]

        def split_numbers(
            struct: S, _tables: TableWriter, numbers: list[int], _contents: list[Content]
        ) -> Shape:
            items = astuple(struct)
            numbers += get_numbers(items)
            names = get_names(items)
            return find_shape(names) or new_shape(names)

        def split(
            struct: S, tables: TableWriter, numbers: list[Any], contents: list[Content]
        ) -> Shape:
            items = items_of(struct)
            start = len(numbers)
            numbers += get_numbers(items)
            documents = tables.documents
            for rank, default in documents_at:
                item = numbers[start + rank]
                place = 0 if item == default else documents.setdefault(item, len(documents) + 1)
                numbers[start + rank] = place
            for rank in values_at:
                item = numbers[start + rank]
                numbers[start + rank] = 0 if item is None else tables.value(item)
            for rank, write in contents_at:
                if item := numbers[start + rank]:
                    numbers[start + rank], block = write(item, tables)
                    contents.append((start + rank, block))
                else:
                    numbers[start + rank] = 0
            names = get_names(items)
            return find_shape(names) or new_shape(names)

        is_plain = not (self.plan.inner or documents_at or values_at or contents_at)
        return split_numbers if is_plain else split

    def _new_shape(self, names: tuple[object, ...]) -> Shape:
        mask, step, end = self.plan.mask, self.plan.step, self.plan.words
        for (slot, _, form), name in zip(self._named, names, strict=True):
            written = form.write(name, _NO_TABLES)
            if form.role is Role.MARK:
                mask ^= written % (1 << slot.bits) << slot.at
                continue
            tag, block = written
            if tag:
                mask |= tag + wire.offset(end - slot.word - 1) << slot.at
                mask |= int.from_bytes(block, "little") << end * wire.WORD_BITS
                step |= wire.offset(1) << slot.at if slot.word < self.words else 0
                end += len(block) // wire.WORD
        shape = Shape(
            form=self._form,
            numbers=len(self._numbers),
            packed_words=self.plan.words,
            words=end,
            mask=mask,
            step=step,
            contents=self._contents,
            is_kept=end * wire.WORD <= CODEC_SHAPE_BYTES_MAX,
        )
        if shape.is_kept:
            self._shapes.keep(names, shape)
        return shape


_NO_TABLES: Final = TableWriter()


def _getter(places: Sequence[int]) -> Callable[[Sequence[object]], Any]:
    """What gives the items at some places; a slice, for `itemgetter` gives no tuple of one."""
    if len(places) < 2:
        first = places[0] if places else 0
        return itemgetter(slice(first, first + len(places)))
    return itemgetter(*places)
