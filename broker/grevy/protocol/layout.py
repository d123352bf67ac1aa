"""Where a schema puts the fields of a struct: what the writer of frames has to know of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from grevy.protocol import wire
from grevy.protocol.schemas import Field, StructSchema

__all__ = ["Layout", "Number", "Slot", "format_of", "letter_of", "slot_of"]

Number: TypeAlias = tuple[int, str]
"""Where a number lies, in bytes, and its letter in the module `struct`."""

_FLAG: Final = "?"
_POINTER: Final = "P"
_LETTERS: Final = {
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

_BITS: Final = {_FLAG: 1, "b": 8, "B": 8, "h": 16, "H": 16, "i": 32, "I": 32, "q": 64, "Q": 64}


class Slot(NamedTuple):
    """Where a field lies: its first bit, counted from its struct's begin; its number of bits; the
    letter of its numbers in the module `struct`; its default.
    """

    at: int
    bits: int
    letter: str
    default: int

    @property
    def is_pointer(self) -> bool:
        """Whether the field lies behind a pointer, which is what the slot holds then."""
        return self.letter == _POINTER

    @property
    def number(self) -> Number:
        """The slot of a number, or of a pointer, which is a number too."""
        assert self.letter != _FLAG, self
        return self.at // 8, self.letter.replace(_POINTER, "Q")

    @property
    def word(self) -> int:
        """The word that the field lies in."""
        return self.at // wire.WORD_BITS

    def moved(self, words: int) -> Slot:
        """The slot when its struct begins so many words later."""
        return self._replace(at=self.at + words * wire.WORD_BITS)


class Layout:
    """The data words and pointers of one struct of a schema; none of it is a union's.

    `slots`: the fields, by name. `words`: the size, pointers included. `tag`: the pointer to such a
    struct, with offset 0.
    """

    __slots__ = ("slots", "tag", "words")

    def __init__(self, schema: StructSchema) -> None:
        node = schema.schema.node.struct
        data, pointers = node.dataWordCount, node.pointerCount
        fields: dict[str, Field] = schema.schema.fields
        self.words: Final[int] = data + pointers
        self.tag: Final = wire.struct_tag(data, pointers)
        self.slots: Final = {name: slot_of(field, data) for name, field in fields.items()}


def letter_of(kind: str) -> str:
    """The letter of the module `struct` for a schema's number type."""
    return _LETTERS[kind]


def slot_of(field: Field, data_words: int) -> Slot:
    """The slot of a field in a struct with so many data words."""
    slot: Any = field.proto.slot
    kind = str(slot.type.which())
    if kind == "bool":
        return Slot(slot.offset, 1, _FLAG, int(slot.defaultValue.bool))
    if kind in _LETTERS:
        letter = _LETTERS[kind]
        bits = _BITS[letter]
        return Slot(slot.offset * bits, bits, letter, getattr(slot.defaultValue, kind))
    at = (data_words + slot.offset) * wire.WORD_BITS
    return Slot(at, wire.WORD_BITS, _POINTER, 0)


def format_of(numbers: Iterable[Number], size: int) -> str:
    """The format, in the module `struct`, of so many bytes with these numbers, by rising bytes, and
    zeros where no number is.
    """
    text, end = "", 0
    for at, letter in numbers:
        assert at >= end, (at, letter)
        text += _zeros(at - end) + letter
        end = at + _BITS[letter] // 8
    return text + _zeros(size - end)


def _zeros(size: int) -> str:
    return f"{size}x" if size else ""
