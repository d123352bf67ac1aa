"""Cap'n Proto's wire format, as far as we write it (https://capnproto.org/encoding.html).

    frame    = u32 0 (one segment), u32 its words, the segment
    segment  = the root pointer, then what it points at
    struct   = its data words, its pointer words; what they point at comes right behind it
    pointer  = one word; NULL is 0

      lsb                      struct pointer                       msb
      | 0 (2) | offset (30)   | data words (16) | pointer words (16) |
      lsb                       list pointer                        msb
      | 1 (2) | offset (30)   | item size (3)   | items (29)         |

An offset counts the words between the pointer and its target. So bytes with all that they point at
behind them mean the same wherever they stand, and a frame is put together from the inside out, each
struct in two or three calls. pycapnp, which reads what this room writes, sets field by field:
measured on the entries of one-task processes, that takes twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, pack
from typing import Final, TypeAlias

__all__ = [
    "NULL",
    "Pointer",
    "data",
    "frame",
    "numbers",
    "pointers",
    "record",
    "structs",
    "tail",
    "text",
]

Pointer: TypeAlias = tuple[int, bytes]
"""The word of a pointer whose offset is 0, and what it points at, in whole words."""

NULL: Final[Pointer] = (0, b"")
"""A pointer to nothing: the field has its default."""

WORD: Final = 8

_LIST: Final = 1
_SIZE_SHIFT: Final = 32
_COUNT_SHIFT: Final = 35
_POINTERS_SHIFT: Final = 48
_ITEM_SIZES: Final = {"B": 2, "b": 2, "H": 3, "h": 3, "I": 4, "i": 4, "Q": 5, "q": 5}
_POINTER_ITEMS: Final = 6
_STRUCT_ITEMS: Final = 7
_BYTES_TAG: Final = _LIST | _ITEM_SIZES["B"] << _SIZE_SHIFT
_PADDING: Final = tuple(bytes(count) for count in range(WORD))
_HEADER: Final = Struct("<IIQ")


def data(item: bytes) -> Pointer:
    """Bytes."""
    size = len(item)
    return (_BYTES_TAG | size << _COUNT_SHIFT, item + _PADDING[-size % WORD]) if size else NULL


def text(item: str) -> Pointer:
    """A text; it ends with a zero byte, which counts."""
    return data(item.encode() + b"\x00") if item else NULL


def numbers(form: str, items: Sequence[int]) -> Pointer:
    """A list of numbers; `form` is their letter in the module `struct`. Raises `struct.error` for a
    number that it cannot hold.
    """
    if not items:
        return NULL
    content = pack(f"<{len(items)}{form}", *items)
    tag = _LIST | _ITEM_SIZES[form] << _SIZE_SHIFT | len(items) << _COUNT_SHIFT
    return tag, content + _PADDING[-len(content) % WORD]


def pointers(items: Sequence[Pointer]) -> Pointer:
    """A list of texts, bytes or lists."""
    if not items:
        return NULL
    return _LIST | _POINTER_ITEMS << _SIZE_SHIFT | len(items) << _COUNT_SHIFT, tail(items)


def record(body: bytes, items: Sequence[Pointer]) -> Pointer:
    """A struct of its data words and its pointers."""
    tag = len(body) // WORD << _SIZE_SHIFT | len(items) << _POINTERS_SHIFT
    return tag, body + tail(items)


def structs(items: Sequence[tuple[bytes, Sequence[Pointer]]]) -> Pointer:
    """A list of structs of one kind, each of its data words and its pointers."""
    if not items:
        return NULL
    body, links = items[0]
    words, count = len(body) // WORD, len(links)
    size = words + count
    total = len(items) * size
    parts = [pack("<Q", len(items) << 2 | words << _SIZE_SHIFT | count << _POINTERS_SHIFT)]
    contents: list[bytes] = []
    target, at = total, 0
    for body, links in items:
        at += words
        row = []
        for tag, content in links:
            at += 1
            row.append(tag + (target - at << 2) if tag else 0)
            if content:
                contents.append(content)
                target += len(content) // WORD
        parts.append(body)
        parts.append(pack(f"<{count}Q", *row))
    tag = _LIST | _STRUCT_ITEMS << _SIZE_SHIFT | total << _COUNT_SHIFT
    return tag, b"".join(parts + contents)


def tail(items: Sequence[Pointer]) -> bytes:
    """Pointers in a row, and what they point at behind them."""
    target = count = len(items)
    row = []
    parts = [b""]
    for at, (tag, content) in enumerate(items, 1):
        if tag:
            row.append(tag + (target - at << 2))
            parts.append(content)
            target += len(content) >> 3
        else:
            row.append(0)
    parts[0] = pack(f"<{count}Q", *row)
    return b"".join(parts)


def frame(root: Pointer) -> bytes:
    """A message of one segment."""
    tag, content = root
    return _HEADER.pack(0, 1 + len(content) // WORD, tag) + content
