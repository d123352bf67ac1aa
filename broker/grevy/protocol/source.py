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
_BYTES_TAG: Final = wire.BYTES_TAG
_STRUCTS_TAG: Final = wire.STRUCTS_TAG
_COLUMNS: Final = wire.NUMBERS_TAGS
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
        if pointer & _LIST_KIND != _BYTES_TAG:
            raise Unusual
        size = pointer >> _COUNT_SHIFT
        self.left -= size + 7 >> 3
        # An offset back is a huge one here.
        start = at + 8 + ((pointer & _OFFSET) << 1)
        if self.left < 0 or start + size > self._end:
            raise Unusual
        return self.frame[start : start + size]

    def column(self, at: int, pointer: int, letter: str) -> range:
        """Where the bytes lie of the list of numbers that the pointer at a byte points at; `letter`
        is theirs in the module `struct`. That they have been read is for the caller to count.
        """
        tag, item_bytes = _COLUMNS[letter]
        start = at + 8 + ((pointer & _OFFSET) << 1)
        end = start + (pointer >> _COUNT_SHIFT) * item_bytes
        if pointer & _LIST_KIND != tag or end > self._end:
            raise Unusual
        return range(start, end)

    def numbers(self, at: int, pointer: int, letter: str) -> tuple[int, ...]:
        """The list of numbers that the pointer at a byte points at."""
        tag, item_bytes = _COLUMNS[letter]
        count = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != tag or count > LIST_ITEMS_MAX:
            raise Unusual
        start = self._target(at, pointer, count * item_bytes + 7 >> 3)
        return struct.unpack_from(f"<{count}{letter}", self.frame, start)

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
        start = at + 8 + ((pointer & _OFFSET) << 1)
        pointers = struct.unpack_from(f"<{count}Q", self.frame, start)
        frame, end, left = self.frame, self._end, self.left - count
        found: list[bytes] = []
        for pointer in pointers:  # `data` for each, without its calls
            start += 8
            size = pointer >> _COUNT_SHIFT
            left -= size + 7 >> 3
            first = start + ((pointer & _OFFSET) << 1)
            if pointer & _LIST_KIND != _BYTES_TAG or left < 0 or first + size > end:
                raise Unusual
            found.append(frame[first : first + size])
        self.left = left
        return tuple(found)

    def heads(self, at: int, pointer: int, head_words: int) -> tuple[int, bytes]:
        """Of the list of structs that the pointer at a byte points at: where it begins, and its
        heads, or what there is of them: its first word, and the structs if they are `head_words`
        long, or nothing more for 0. A list that is too long to be known is `Unusual`.
        """
        words = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != _STRUCTS_TAG or words > _HEADS_WORDS_MAX:
            raise Unusual
        start = at + 8 + ((pointer & _OFFSET) << 1)
        return start, self.frame[start : start + (8 * words + 8 if head_words else 8)]

    def structs(self, at: int, pointer: int, tag: int, words: int) -> tuple[int, int]:
        """Of the list of structs that the pointer at a byte points at, whose items have this tag
        and so many words: where the first begins, and the bytes of all.
        """
        size = pointer >> _COUNT_SHIFT
        if pointer & _LIST_KIND != _STRUCTS_TAG:
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
