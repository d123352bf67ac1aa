"""Declarations of tables: what is stored under which key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import msgspec

from grevy.state.keys import Key

K = TypeVar("K")
V = TypeVar("V")

TABLE_NUMBER_MAX: Final = 255
"""A table's number is one byte; 0 is the state's own."""


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[K, V]):
    """A table of the state. `number` names it on disk and in the state hash, so it never changes.

    `value` is a frozen `array_like` struct (a new field goes to the end and has a default), `int`,
    `str` or `bytes`. Only an `ordered` table can be scanned. Values of an `editable` one are
    structs that a step may change while it is open (`EditableTable`).
    """

    number: int
    name: str
    key: Key[K] = field(kw_only=True)
    value: type[V] = field(kw_only=True)
    ordered: bool = field(default=False, kw_only=True)
    editable: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        assert 1 <= self.number <= TABLE_NUMBER_MAX, f"{self.name}: {self.number} is no number"
        if issubclass(self.value, msgspec.Struct):
            config = self.value.__struct_config__
            assert config.array_like, f"{self.name}: values must be array_like"
            assert config.frozen, f"{self.name}: values must be frozen"
        else:
            assert self.value in (int, str, bytes), f"{self.name}: {self.value} is no value type"

    def value_encoder(self) -> Callable[[V], bytes]:
        """The function that writes a value; equal values become equal bytes, whatever the order of
        their dicts.
        """
        return msgspec.msgpack.Encoder(order="deterministic").encode

    def value_decoder(self) -> Callable[[bytes], V]:
        """The function that reads back what `value_encoder` wrote."""
        return msgspec.msgpack.Decoder(self.value).decode
