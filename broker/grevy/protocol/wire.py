"""Cap'n Proto's wire format, as far as we write it (https://capnproto.org/encoding.html).

    frame    = u32 0 (one segment), u32 its words, the segment
    segment  = the root pointer, then what it points at
    struct   = its data words, its pointer words
    list     = its items, then what they point at
    pointer  = one word; NULL is 0

      lsb                      struct pointer                       msb
      | 0 (2) | offset (30)   | data words (16) | pointer words (16) |
      lsb                       list pointer                        msb
      | 1 (2) | offset (30)   | item size (3)   | items (29)         |

An offset counts the words between the pointer and its target. So bytes with all that they point at
behind them, a *block*, mean the same wherever they stand, and a frame is put together from the
inside out.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from functools import lru_cache
from struct import Struct, calcsize, pack
from typing import Final, TypeAlias

__all__ = [
    "BYTES_TAG",
    "NULL",
    "NUMBERS_TAGS",
    "POINTERS_TAG",
    "STRUCTS_TAG",
    "UNION_TAG",
    "UNION_WORDS",
    "WORD",
    "WORD_BITS",
    "Pointer",
    "data",
    "documents",
    "numbers",
    "numbers_tag",
    "offset",
    "packer",
    "pointers",
    "row",
    "struct_list",
    "struct_tag",
    "text",
]

Pointer: TypeAlias = tuple[int, bytes]
"""The word of a pointer whose offset is 0, and the block that it points at, in whole words."""

NULL: Final[Pointer] = (0, b"")
"""A pointer to nothing: the field has its default."""

WORD: Final = 8
WORD_BITS: Final = 64

_LIST: Final = 1
_SIZE_SHIFT: Final = 32
_COUNT_SHIFT: Final = 35
_POINTERS_SHIFT: Final = 48
_ITEM_SIZES: Final = {"B": 2, "b": 2, "H": 3, "h": 3, "I": 4, "i": 4, "Q": 5, "q": 5}
_POINTER_ITEMS: Final = 6
_STRUCT_ITEMS: Final = 7
BYTES_TAG: Final = _LIST | _ITEM_SIZES["B"] << _SIZE_SHIFT
POINTERS_TAG: Final = _LIST | _POINTER_ITEMS << _SIZE_SHIFT
STRUCTS_TAG: Final = _LIST | _STRUCT_ITEMS << _SIZE_SHIFT
"""Pointers to lists of nothing: bytes, pointers, structs."""

NUMBERS_TAGS: Final = {
    letter: (_LIST | size << _SIZE_SHIFT, calcsize("<" + letter))
    for letter, size in _ITEM_SIZES.items()
}
"""The same of numbers, by their letters in the module `struct`, and the bytes of a number."""

_HAS_OUR_WORDS: Final = sys.byteorder == "little" and calcsize("@l") == WORD
_PADDING: Final = tuple(bytes(count) for count in range(WORD))


def struct_tag(data_words: int, pointer_words: int) -> int:
    """The word of a pointer to a struct."""
    return data_words << _SIZE_SHIFT | pointer_words << _POINTERS_SHIFT


UNION_TAG: Final = struct_tag(1, 1)
UNION_WORDS: Final = 2
"""A struct that is a union of structs and nothing else: the member's number, the pointer to it."""


def offset(words: int) -> int:
    """So many words between a pointer and its target, to be added to the pointer."""
    return words << 2


def packer(form: str) -> Struct:
    """What packs numbers, each at a multiple of its size. Python packs the machine's own words in a
    third of the time that the same numbers take by other names.
    """
    if _HAS_OUR_WORDS:
        return Struct("@" + form.replace("q", "l").replace("Q", "L"))
    return Struct("<" + form)


def data(item: bytes) -> Pointer:
    """Bytes."""
    size = len(item)
    return (BYTES_TAG | size << _COUNT_SHIFT, item + _PADDING[-size % WORD]) if size else NULL


def text(item: str) -> Pointer:
    """A text; it ends with a zero byte, which counts."""
    return data(item.encode() + b"\x00") if item else NULL


def numbers(letter: str, items: Sequence[int]) -> Pointer:
    """A list of numbers; `letter` is theirs in the module `struct`. Raises `struct.error` for a
    number that it cannot hold.
    """
    if not items:
        return NULL
    tag, list_packer = _number_list(letter, len(items))
    return tag, list_packer.pack(*items)


def numbers_tag(letter: str) -> int:
    """A pointer to a list of no numbers."""
    return _LIST | _ITEM_SIZES[letter] << _SIZE_SHIFT


@lru_cache(maxsize=1024)
def _number_list(letter: str, count: int) -> tuple[int, Struct]:
    form = f"{count}{letter}"
    tag = numbers_tag(letter) | count << _COUNT_SHIFT
    return tag, packer(f"{form}{-packer(form).size % WORD}x")


def pointers(items: Sequence[Pointer]) -> Pointer:
    """A list of texts, bytes or lists."""
    if not items:
        return NULL
    words, blocks = row(items)
    tag = POINTERS_TAG | len(items) << _COUNT_SHIFT
    return tag, b"".join([pack(f"<{len(items)}Q", *words), *blocks])


def row(items: Sequence[Pointer]) -> tuple[list[int], list[bytes]]:
    """Pointers in a row, and the blocks that come right behind them."""
    offset = len(items) - 1
    words: list[int] = []
    blocks: list[bytes] = []
    for tag, block in items:
        if tag:
            words.append(tag + (offset << 2))
            blocks.append(block)
            offset += (len(block) >> 3) - 1
        else:
            words.append(0)
            offset -= 1
    return words, blocks


def struct_list(tag: int, count: int, words: int) -> tuple[int, int]:
    """A list of `count` structs of so many words each; `tag` is the pointer to one of them: the
    pointer to the list, and its head, a word that comes before the structs.
    """
    return STRUCTS_TAG | count * words << _COUNT_SHIFT, count << 2 | tag


def documents(items: Collection[bytes]) -> Pointer:
    """A list of bytes; what `pointers` would make of them, faster."""
    if not items:
        return NULL
    distance = len(items) - 1
    words: list[int] = []
    blocks: list[bytes] = [b""]
    for item in items:
        size = len(item)
        words.append(BYTES_TAG + (size << _COUNT_SHIFT) + (distance << 2))
        blocks.append(item)
        blocks.append(_PADDING[-size & 7])
        distance += (size + 7 >> 3) - 1
    blocks[0] = pack(f"<{len(items)}Q", *words)
    tag = POINTERS_TAG | len(items) << _COUNT_SHIFT
    return tag, b"".join(blocks)
