"""A frame that is read without pycapnp.

Every pointer is checked against the end of the frame, and no more is read than there is. What our
own writer would not have written is `Unusual`, and left to pycapnp, which reads or refuses it:
nothing is refused here.
"""

from __future__ import annotations

import struct
from typing import Final

from grevy.protocol import wire
from grevy.protocol.errors import GrevyError
from grevy.protocol.limits import CODEC_IMPRINT_ITEMS_MAX, LIST_ITEMS_MAX

__all__ = ["UNUSUAL", "Source", "Unusual"]

_OFFSET: Final = 0xFFFF_FFFC
_LIST_KIND: Final = 0x7_0000_0003  # of a pointer to a list: all but offset and count
_COUNT_SHIFT: Final = 35
_HEADS_WORDS_MAX: Final = wire.UNION_WORDS * CODEC_IMPRINT_ITEMS_MAX


class Unusual(Exception):
    """A frame that pycapnp has to look at."""


UNUSUAL: Final = (Unusual, GrevyError, LookupError, ValueError, struct.error)
"""What reading an unusual frame raises; what is bad is for pycapnp to say."""


class Source:
    """A frame that is read, up to its byte `end`. `left`: the words that may still be read; fewer
    than none at the end mean that some were read twice.
    """

    __slots__ = ("_end", "frame", "left")

    def __init__(self, frame: bytes, end: int) -> None:
        self.frame: Final = frame
        self._end: Final = end
        self.left = end // wire.WORD

    def data(self, at: int, pointer: int) -> bytes:
        """The bytes that the pointer at a byte points at."""
        if pointer & _LIST_KIND != wire.BYTES_TAG:
            raise Unusual
        size = pointer >> _COUNT_SHIFT
        start = self._target(at, pointer, size + 7 >> 3)
        return self.frame[start : start + size]

    def text(self, at: int, pointer: int) -> str:
        """The text that the pointer at a byte points at."""
        data = self.data(at, pointer)
        if data[-1]:
            raise Unusual
        return data[:-1].decode()

    def documents(self, at: int, pointer: int) -> tuple[bytes, ...]:
        """The list of bytes that the pointer at a byte points at."""
        if not pointer:
            return ()
        count = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != wire.POINTERS_TAG or count > LIST_ITEMS_MAX:
            raise Unusual
        start = self._target(at, pointer, count)
        pointers = struct.unpack_from(f"<{count}Q", self.frame, start)
        places = range(start, start + count * wire.WORD, wire.WORD)
        return tuple(map(self.data, places, pointers))

    def heads(self, at: int, pointer: int) -> tuple[int, bytes]:
        """Of the list of unions that the pointer at a byte points at: where it begins, and its
        heads, or what there is of them. A list that is too long to be known is `Unusual`.
        """
        words = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != wire.STRUCTS_TAG or words > _HEADS_WORDS_MAX:
            raise Unusual
        start = at + wire.WORD + ((pointer & _OFFSET) << 1)
        return start, self.frame[start : start + wire.WORD * (1 + words)]

    def numbers(self, at: int, pointer: int, letter: str) -> tuple[int, ...]:
        """The list of numbers that the pointer at a byte points at; `letter` is theirs in the
        module `struct`.
        """
        count = pointer >> _COUNT_SHIFT
        tag, size = wire.NUMBERS_TAGS[letter]
        if pointer & _LIST_KIND != tag or count > LIST_ITEMS_MAX:
            raise Unusual
        start = self._target(at, pointer, count * size + 7 >> 3)
        return struct.unpack_from(f"<{count}{letter}", self.frame, start)

    def structs(self, at: int, pointer: int, tag: int, words: int) -> tuple[int, int]:
        """Of the list of structs that the pointer at a byte points at, whose items have this tag
        and so many words: where the first begins, and the bytes of all.
        """
        size = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != wire.STRUCTS_TAG:
            raise Unusual
        start = self._target(at, pointer, 1 + size)
        count = size // words
        _, head = wire.struct_list(tag, count, words)
        if size != count * words or count > LIST_ITEMS_MAX:
            raise Unusual
        if self.frame[start : start + wire.WORD] != head.to_bytes(wire.WORD, "little"):
            raise Unusual
        return start + wire.WORD, size * wire.WORD

    def _target(self, at: int, pointer: int, words: int) -> int:
        """Where the words begin, so many, that the pointer at a byte points at. An offset back is
        a huge one here.
        """
        self.left -= words
        start = at + wire.WORD + ((pointer & _OFFSET) << 1)
        if self.left < 0 or start + words * wire.WORD > self._end:
            raise Unusual
        return start
