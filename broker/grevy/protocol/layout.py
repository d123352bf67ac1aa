"""Where a schema puts the fields of a struct: what the writer of frames has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct, calcsize
from typing import Any, ClassVar, Final, TypeAlias

from grevy.protocol import wire
from grevy.protocol.schemas import Field, StructSchema

__all__ = ["Fields", "Layout"]

Fields: TypeAlias = dict[str, int | wire.Pointer]
"""The fields of a struct by name: numbers, and what lies behind pointers."""

_BITS: Final = 8


class Layout:
    """The data words and pointers of one struct of a schema.

    `numbers`: names and defaults of the fields in the data words, in the order in which `pack`
    takes them. `pointers`: names of those behind pointers, in order. `tag`: the pointer to such a
    struct. Members of a union are left out: a union is written by whoever knows its members.
    """

    LETTERS: ClassVar[dict[str, str]] = {
        "int8": "b",
        "uint8": "B",
        "int16": "h",
        "uint16": "H",
        "int32": "i",
        "uint32": "I",
        "int64": "q",
        "uint64": "Q",
    }
    """The letters of the module `struct` for the schema's number types."""

    __slots__ = ("numbers", "pack", "pointers", "tag")

    numbers: tuple[tuple[str, int], ...]
    pack: Callable[[Sequence[int]], bytes]
    """Numbers, each with its default's bits turned over, to data words; raises `struct.error` for
    one that its field cannot hold."""

    pointers: tuple[str, ...]

    def __init__(self, schema: StructSchema) -> None:
        node = schema.schema.node.struct
        words, count = node.dataWordCount, node.pointerCount
        self.tag = wire.record(bytes(words * wire.WORD), [wire.NULL] * count)[0]
        slots = [(name, _Slot(field)) for name, field in schema.schema.fields.items()]
        links = sorted((slot.offset, name) for name, slot in slots if slot.letter == "P")
        self.pointers = tuple(name for _, name in links)
        assert [at for at, _ in links] == list(range(count)) or not links, "a gap in the pointers"
        flags = sorted((slot.offset, name, slot) for name, slot in slots if slot.letter == "?")
        plain = sorted(
            (slot.offset * slot.size, name, slot) for name, slot in slots if slot.letter not in "P?"
        )
        bytes_of_flags = sorted({offset // _BITS for offset, _, _ in flags})
        fields = sorted(
            [(at, slot.letter, slot.size) for at, _, slot in plain]
            + [(at, "B", 1) for at in bytes_of_flags]
        )
        packer = Struct(_format(fields, words * wire.WORD))
        self.numbers = tuple((name, slot.default) for _, name, slot in (*plain, *flags))
        if not flags:
            pack = packer.pack
            self.pack = lambda numbers: pack(*numbers)
            return
        order = [at for at, _, _ in plain] + bytes_of_flags
        place = [order.index(at) for at, _, _ in fields]
        bits = [(bytes_of_flags.index(o // _BITS), o % _BITS) for o, _, _ in flags]
        self.pack = _Packer(packer, len(plain), len(bytes_of_flags), place, bits)

    def record(self, fields: Fields) -> wire.Pointer:
        """A struct of all its fields, by name."""
        numbers = [fields[name] ^ default for name, default in self.numbers]  # type: ignore[operator]
        links: list[wire.Pointer] = [fields[name] for name in self.pointers]  # type: ignore[misc]
        return wire.record(self.pack(numbers), links)


class _Packer:
    """Packs a struct that has flags: they are gathered into bytes first."""

    __slots__ = ("_bits", "_bytes", "_order", "_packer", "_plain")

    def __init__(
        self,
        packer: Struct,
        plain: int,
        bytes_count: int,
        order: list[int],
        bits: list[tuple[int, int]],
    ) -> None:
        self._packer = packer
        self._plain = plain
        self._bytes = bytes_count
        self._order = order
        self._bits = bits

    def __call__(self, numbers: Sequence[int]) -> bytes:
        gathered = [0] * self._bytes
        for flag, (byte, bit) in zip(numbers[self._plain :], self._bits, strict=True):
            gathered[byte] |= int(flag) << bit
        items = [*numbers[: self._plain], *gathered]
        return self._packer.pack(*[items[place] for place in self._order])


class _Slot:
    """Where a field lies; `letter` is "P" behind a pointer, "?" for a flag."""

    __slots__ = ("default", "letter", "offset", "size")

    def __init__(self, field: Field) -> None:
        slot: Any = field.proto.slot
        kind = str(slot.type.which())
        self.offset: int = slot.offset
        self.default = 0
        if kind == "bool":
            self.letter, self.size = "?", 1
            self.default = int(slot.defaultValue.bool)
        elif kind in Layout.LETTERS:
            self.letter = Layout.LETTERS[kind]
            self.size = calcsize("<" + self.letter)
            self.default = getattr(slot.defaultValue, kind)
        else:
            self.letter, self.size = "P", wire.WORD


def _format(fields: list[tuple[int, str, int]], size: int) -> str:
    """The format of the data words: letters, and padding where no field lies."""
    text, end = "<", 0
    for at, letter, width in fields:
        text += "x" * (at - end) + letter
        end = at + width
    return text + "x" * (size - end)
