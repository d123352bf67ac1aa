"""What a later version could write that this one must read: the same messages and entries, with a
word of data and a pointer more in their root, which is how Cap'n Proto adds fields.

    segment table, root pointer, … what there was …, root's data, NEW DATA, root's pointers, NEW

What there was stays where it is, the old root too; the new one stands behind it.
"""

from __future__ import annotations

import struct
from typing import Final

from crc32c import crc32c

from grevy.protocol.broker_codec import decode_broker_message

_WORD: Final = 8
_TABLE: Final = struct.Struct("<II")
_POINTER: Final = struct.Struct("<iHH")
_TRAILER: Final = struct.Struct("<I4s")
NEW_DATA: Final = b"LATER..."
_KIND_FAR: Final = 2
_NOTHING: Final = bytes(_WORD)


def widened(frame: bytes) -> bytes:
    """A frame of one segment, as a later version would write it."""
    last_segment, words = _TABLE.unpack_from(frame)
    assert (last_segment, len(frame)) == (0, _WORD * (1 + words)), "one segment, and no more"
    body = frame[_WORD:]
    offset, data_words, pointers = _POINTER.unpack_from(body)
    assert offset & 3 == 0, "the root is a struct"
    root = 1 + (offset >> 2)
    old_pointers = root + data_words
    new_pointers = words + data_words + 1
    data = body[_WORD * root : _WORD * old_pointers] + NEW_DATA
    moved = b"".join(
        _moved(body, old_pointers + number, old_pointers - new_pointers)
        for number in range(pointers)
    )
    head = _POINTER.pack((words - 1) << 2, data_words + 1, pointers + 1)
    whole = head + body[_WORD:] + data + moved + _NOTHING
    return _TABLE.pack(0, len(whole) // _WORD) + whole


def widened_message(frame: bytes) -> bytes:
    """A message between brokers, whose last eight bytes are a checksum and a mark."""
    size = len(frame) - _TRAILER.size
    (_, mark) = _TRAILER.unpack_from(frame, size)
    wide = widened(frame[:size])
    return wide + _TRAILER.pack(crc32c(wide), mark)


def _moved(body: bytes, place: int, by: int) -> bytes:
    """A pointer that stands elsewhere now, to what it was to."""
    pointer = body[_WORD * place : _WORD * (place + 1)]
    if pointer == _NOTHING:
        return pointer
    (low, high) = struct.unpack("<iI", pointer)
    assert low & 3 < _KIND_FAR, "all in one segment"
    return struct.pack("<iI", low + (by << 2), high)


def is_read_alike(frame: bytes) -> bool:
    """Whether a message between brokers means the same when a later version has written it."""
    return decode_broker_message(widened_message(frame)) == decode_broker_message(frame)
