"""The writer of one kind of struct: what its structs have in common on the wire.

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

from collections.abc import Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from msgspec import Struct

from grevy.protocol import wire
from grevy.protocol.cache import Cache
from grevy.protocol.forms import Form, Role
from grevy.protocol.layout import Layout, Slot
from grevy.protocol.limits import CODEC_SHAPE_BYTES_MAX, CODEC_SHAPES_CACHED
from grevy.protocol.shape import Shape
from grevy.protocol.tables import TableWriter

__all__ = ["Part", "Plan", "StructWriter"]

S = TypeVar("S", bound=Struct)


class Part(NamedTuple):
    """A field of the struct, or of one behind its pointers: where it lies, where its item is among
    the items of both, its form.
    """

    slot: Slot
    place: int
    form: Form


class Plan:
    """How the structs of a kind and those behind their pointers lie one behind the other.

    `parts`: their fields. `inner`: places and plans of the structs. `words`, `items`, and `fields`
    without those behind: how many there are. `mask` and `step` are a shape's, as far as they are
    the same for all names.
    """

    __slots__ = ("fields", "inner", "items", "mask", "parts", "step", "words")

    def __init__(
        self, layout: Layout, fields: Sequence[tuple[Slot, Form, StructWriter[Struct] | None]]
    ) -> None:
        self.words = layout.words
        self.fields = self.items = len(fields)
        self.mask = self.step = 0
        self.parts: list[Part] = []
        self.inner: list[tuple[int, Plan]] = []
        for place, (slot, form, writer) in enumerate(fields):
            if writer is None:
                self.parts.append(Part(slot, place, form))
                self.mask |= slot.default % (1 << slot.bits) << slot.at
            else:
                self.mask |= writer.tag + wire.offset(self.words - slot.word - 1) << slot.at
                self.step |= wire.offset(1) << slot.at
                self._embed(place, writer.plan)

    def _embed(self, place: int, plan: Plan) -> None:
        """Put the structs of another kind behind, and their items behind the items."""
        for slot, inner_place, form in plan.parts:
            self.parts.append(Part(slot.moved(self.words), self.items + inner_place, form))
        self.mask |= plan.mask << self.words * wire.WORD_BITS
        self.words += plan.words
        self.items += plan.items
        self.inner.append((place, plan))


class StructWriter(Generic[S]):
    """What there is to know of one kind of struct: how it lies, and its shapes.

    `tag`: the pointer to it. `words`: the size of its body. `numbers`, by rising bits, and `names`:
    its fields, and those of the structs behind its pointers.
    """

    __slots__ = ("_contents", "_places", "_shapes", "names", "numbers", "plan", "tag", "words")

    def __init__(
        self, layout: Layout, fields: Sequence[tuple[Slot, Form, StructWriter[Struct] | None]]
    ) -> None:
        """`fields`: slot and form of each, and the writer of those that are structs."""
        self.tag: Final = layout.tag
        self.words: Final = layout.words
        self.plan: Final = Plan(layout, fields)
        parts = self.plan.parts
        names = (Role.MARK, Role.NAME)
        self.names: Final = [part for part in parts if part.form.role in names]
        self.numbers: Final = sorted(
            [part for part in parts if part.form.role not in names],
            key=lambda part: part.slot.at,
        )
        self._places: Final = tuple([part.slot.number for part in self.numbers])
        self._contents: Final = tuple(
            (rank, part.slot.word)
            for rank, part in enumerate(self.numbers)
            if part.form.role is Role.CONTENT
        )
        self._shapes: Final[Cache[tuple[object, ...], Shape]] = Cache(CODEC_SHAPES_CACHED)

    def shape(self, names: tuple[object, ...]) -> Shape:
        """The shape of structs with these names."""
        return self._shapes.get(names) or self._new_shape(names)

    def _new_shape(self, names: tuple[object, ...]) -> Shape:
        mask, step, end = self.plan.mask, self.plan.step, self.plan.words
        for (slot, _, form), name in zip(self.names, names, strict=True):
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
            numbers=self._places,
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
