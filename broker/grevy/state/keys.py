"""Keys as bytes: order of bytes is order of keys, and no key's bytes begin another's.

    row   = table number (1 byte), then the key's parts
    U64   = 8 bytes, big-endian
    I64   = 8 bytes, big-endian, after adding 2^63
    BLOB  = its bytes, each 00 written as 00 FF, then 00 01
    TEXT  = its UTF-8 as a BLOB

A BLOB or TEXT whose escaped bytes exceed `STATE_KEY_PART_BYTES_MAX` is cut there and ends with 00
02 and the 16 bytes of its BLAKE2b digest instead: long names keep apart, sort by their beginning,
and stay within what the backend takes as a key. A key can thus not be read back from its bytes,
which is why scans yield values only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Final, Generic, TypeVar, cast, overload

from grevy.protocol.limits import STATE_KEY_PART_BYTES_MAX

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
K = TypeVar("K")

KeyPart = int | str | bytes
RowEncoder = Callable[[K], bytes]
PrefixEncoder = Callable[[tuple[KeyPart, ...]], bytes]

ROW_BYTES_MAX: Final = 511
"""The longest key that LMDB takes."""

AFTER_PREFIX: Final = b"\xff" * (ROW_BYTES_MAX + 1)
"""Put behind a prefix: greater than every row with that prefix, less than the next row without it.
"""

_END: Final = b"\x00\x01"
_DIGEST: Final = b"\x00\x02"
_DIGEST_BYTES: Final = 16
_TEXT_BYTES_MAX: Final = STATE_KEY_PART_BYTES_MAX + len(_DIGEST) + _DIGEST_BYTES
_pack_u64: Final = struct.Struct(">Q").pack


def _encode_i64(value: int) -> bytes:
    return _pack_u64(value + (1 << 63))


def _encode_blob(value: bytes) -> bytes:
    if len(value) > STATE_KEY_PART_BYTES_MAX or 0 in value:
        return _encode_unusual(value)
    return value + _END


def _encode_text(value: str) -> bytes:
    data = value.encode()
    if len(data) > STATE_KEY_PART_BYTES_MAX or 0 in data:
        return _encode_unusual(data)
    return data + _END


def _encode_unusual(data: bytes) -> bytes:
    escaped = data.replace(b"\x00", b"\x00\xff")
    if len(escaped) <= STATE_KEY_PART_BYTES_MAX:
        return escaped + _END
    digest = blake2b(data, digest_size=_DIGEST_BYTES).digest()
    return escaped[:STATE_KEY_PART_BYTES_MAX] + _DIGEST + digest


@dataclass(frozen=True, slots=True)
class _Part:
    """How one part of a key is written, in at most `bytes_max` bytes. `is_u64` parts can be packed
    together.
    """

    encode: Callable[..., bytes]
    bytes_max: int
    is_u64: bool = False


class Key(Generic[K]):
    """The shape of a table's key: one part (the key is the bare value) or several (the key is a
    tuple).
    """

    __slots__ = ("_parts",)

    def __init__(self, *parts: _Part) -> None:
        bytes_max = 1 + sum(part.bytes_max for part in parts)
        assert bytes_max <= ROW_BYTES_MAX, f"a key could take {bytes_max} of {ROW_BYTES_MAX} bytes"
        self._parts = parts

    def row_encoder(self, table: int) -> RowEncoder[K]:
        """The function that writes a key of table number `table` as the bytes of its row.

        Chosen once for each table, since the usual shapes allow shorter ways than joining parts in
        a loop.
        """
        first, *others = self._parts
        head = _head_encoder(table, first)
        if not others:
            return head
        return cast("RowEncoder[K]", _tuple_encoder(table, head, self._parts))

    @property
    def begins_with_u64(self) -> bool:
        """Whether the first part is a number whose order is the order of rows."""
        return self._parts[0].is_u64

    @property
    def is_tuple(self) -> bool:
        """Whether keys are tuples, not bare values."""
        return len(self._parts) > 1

    def prefix_encoder(self, table: int) -> PrefixEncoder:
        """The function that writes the leading parts of a key, from none to all of them."""
        head = _head_encoder(table, self._parts[0])
        tails = [part.encode for part in self._parts[1:]]

        def encode(prefix: tuple[KeyPart, ...]) -> bytes:
            if len(prefix) == 1:
                return head(prefix[0])
            if not prefix:
                return bytes((table,))
            assert len(prefix) <= len(self._parts), "a prefix has no more parts than the key"
            rest = zip(tails, prefix[1:], strict=False)
            return head(prefix[0]) + b"".join([tail(part) for tail, part in rest])

        return encode


def _head_encoder(table: int, first: _Part) -> Callable[..., bytes]:
    """Writes the table number and the first part."""
    if first.is_u64:
        return partial(struct.Struct(">BQ").pack, table)
    prefix, encode = bytes((table,)), first.encode
    return lambda value: prefix + encode(value)


def _tuple_encoder(
    table: int, head: Callable[..., bytes], parts: tuple[_Part, ...]
) -> Callable[[tuple[KeyPart, ...]], bytes]:
    if all(part.is_u64 for part in parts):
        pack = struct.Struct(f">B{len(parts)}Q").pack
        return lambda key: pack(table, *key)
    if len(parts) == 2:
        second = parts[1].encode
        return lambda key: head(key[0]) + second(key[1])
    tails = [part.encode for part in parts[1:]]
    return lambda key: (
        head(key[0]) + b"".join([tail(part) for tail, part in zip(tails, key[1:], strict=True)])
    )


class KeyOf(Key[K]):
    """A key of two to four parts; the table's keys are tuples of their values."""

    __slots__ = ()

    @overload
    def __init__(self: KeyOf[tuple[A, B]], a: Key[A], b: Key[B], /) -> None: ...
    @overload
    def __init__(self: KeyOf[tuple[A, B, C]], a: Key[A], b: Key[B], c: Key[C], /) -> None: ...
    @overload
    def __init__(
        self: KeyOf[tuple[A, B, C, D]], a: Key[A], b: Key[B], c: Key[C], d: Key[D], /
    ) -> None: ...
    def __init__(  # type: ignore[misc]  # the overloads say which keys go together
        self, *keys: Key[A] | Key[B] | Key[C] | Key[D]
    ) -> None:
        super().__init__(*[part for key in keys for part in key._parts])


U64: Final[Key[int]] = Key(_Part(_pack_u64, 8, is_u64=True))
"""An integer from 0 to 2^64-1."""

I64: Final[Key[int]] = Key(_Part(_encode_i64, 8))
"""An integer from -2^63 to 2^63-1, in the order of numbers."""

TEXT: Final[Key[str]] = Key(_Part(_encode_text, _TEXT_BYTES_MAX))
"""A string of any length without lone surrogates, in the order of its code points."""

BLOB: Final[Key[bytes]] = Key(_Part(_encode_blob, _TEXT_BYTES_MAX))
"""Bytes of any length, in their order."""
