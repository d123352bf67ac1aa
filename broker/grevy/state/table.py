"""Tables, as the engine's rooms use them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from enum import Enum
from itertools import chain, islice
from typing import Final, TypeVar

from grevy.state.keys import AFTER_PREFIX, KeyPart
from grevy.state.layers import Layers, Shared
from grevy.state.order import LayerOrder
from grevy.state.spec import TableSpec

K = TypeVar("K")
V = TypeVar("V")


class _Missing(Enum):
    TOKEN = 0


_MISSING: Final = _Missing.TOKEN


class Table(Layers[K, V]):
    """A typed map from keys to immutable values, in the order of keys if its spec says so; got from
    `State.table`.

    Scans return lists: the caller may write to the table while going through one.
    """

    __slots__ = ("_is_ordered", "_order", "_prefix")

    def __init__(self, spec: TableSpec[K, V], shared: Shared) -> None:
        super().__init__(spec, shared)
        self._is_ordered = spec.ordered
        self._prefix = spec.key.prefix_encoder(spec.number)
        self._order = LayerOrder(self._row)

    def scan(self, *prefix: KeyPart, after: K | None = None, limit: int | None = None) -> list[V]:
        """The values whose keys begin with the parts `prefix`, in the order of keys.

        At most `limit` of them, and only those behind the key `after` (which may be absent).
        """
        low = self._prefix(prefix)
        start = low if after is None else max(low, self._row(after) + b"\x00")
        values = self._between(start, low + AFTER_PREFIX)
        return list(values) if limit is None else list(islice(values, limit))

    def scan_until(self, limit_part: int, max_count: int) -> list[V]:
        """The values whose key's first part, an integer, is at most `limit_part`; in order, at most
        `max_count`.
        """
        values = self._between(self._prefix(()), self._prefix((limit_part,)) + AFTER_PREFIX)
        return list(islice(values, max_count))

    def first(self, *prefix: KeyPart) -> V | None:
        """The value of the first key that begins with the parts `prefix`, or None."""
        low = self._prefix(prefix)
        return next(self._between(low, low + AFTER_PREFIX), None)

    def forget_stored(self) -> None:
        """The transaction of `store` has succeeded."""
        super().forget_stored()
        self._order.reset(self._sealed)

    def _join_step(self) -> dict[K, V | None]:
        step = super()._join_step()
        if self._is_ordered:
            self._order.add_step(step)
        return step

    def _between(self, low: bytes, high: bytes) -> Iterator[V]:
        """The values of the rows from `low` to below `high`: those in the layers, merged with those
        in the backend.
        """
        assert self._is_ordered, "only ordered tables are scanned"
        order, live, shared, decode = self._order, self._live, self._shared, self._decode
        order.refresh(is_step_open=self._step is not None)
        rows, keys = order.rows, order.keys
        at = bisect_left(rows, low)
        end = bisect_left(rows, high, at)
        stored = shared.backend.rows(low) if low <= self._ceiling else ()
        for row, data in chain(stored, ((high, b""),)):
            while at < end and rows[at] < row:
                value = live.get(keys[rows[at]])
                at += 1
                if value is not None:
                    yield value
                else:
                    shared.skipped += 1
            if row >= high:
                break
            seen: V | _Missing | None = _MISSING
            if at < end and rows[at] == row:
                seen = live.get(keys[row], _MISSING)
                at += 1
            if seen is _MISSING:
                yield decode(data)
            elif seen is not None:
                yield seen
            else:
                shared.skipped += 1
