"""Tables, as the engine's rooms use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

from grevy.state.keys import AFTER_PREFIX, KeyPart
from grevy.state.layers import MISSING, Layers, Missing, Shared
from grevy.state.spec import TableSpec

K = TypeVar("K")
V = TypeVar("V")


class Table(Layers[K, V]):
    """A typed map from keys to immutable values, in the order of keys if its spec says so; got from
    `State.table`.

    Scans return lists: the caller may write to the table while going through one.
    """

    __slots__ = ("_is_ordered", "_prefix")

    def __init__(self, spec: TableSpec[K, V], shared: Shared) -> None:
        super().__init__(spec, shared)
        self._is_ordered = spec.ordered
        self._prefix = spec.key.prefix_encoder(spec.number)

    def scan(self, *prefix: KeyPart, after: K | None = None, limit: int | None = None) -> list[V]:
        """The values whose keys begin with the parts `prefix`, in the order of keys.

        At most `limit` of them, and only those behind the key `after` (which may be absent).
        """
        if after is None and self._is_group_above(prefix):
            return list(islice(self._of_group(prefix[0]), limit))
        low = self._prefix(prefix)
        start = low if after is None else max(low, self._row(after) + b"\x00")
        values = self._between(self._keys_in_layers(prefix), start, low + AFTER_PREFIX)
        return list(values) if limit is None else list(islice(values, limit))

    def scan_until(self, limit_part: int, max_count: int) -> list[V]:
        """The values whose key's first part, an integer, is at most `limit_part`; in order, at most
        `max_count`.
        """
        high = self._prefix((limit_part,)) + AFTER_PREFIX
        return list(
            islice(self._between(self._order.until(limit_part), self._prefix(()), high), max_count)
        )

    def first(self, *prefix: KeyPart) -> V | None:
        """The value of the first key that begins with the parts `prefix`, or None."""
        if self._is_group_above(prefix):
            return next(self._of_group(prefix[0]), None)
        low = self._prefix(prefix)
        return next(self._between(self._keys_in_layers(prefix), low, low + AFTER_PREFIX), None)

    def _is_group_above(self, prefix: tuple[KeyPart, ...]) -> bool:
        ceiling = self._ceiling_number
        return ceiling is not None and len(prefix) == 1 and prefix[0] > ceiling  # type: ignore[operator]

    def _of_group(self, first: KeyPart) -> Iterator[V]:
        """The values of a group that the backend has nothing of, as most groups are."""
        assert self._is_ordered, "only ordered tables are scanned"
        look, shared = self._look, self._shared
        for key in self._order.group(first):
            value = look(key)
            if value is not None:
                yield value
            else:
                shared.skipped += 1

    def _keys_in_layers(self, prefix: tuple[KeyPart, ...]) -> Iterable[K]:
        """The keys of the upper layers that come into question, in order."""
        return self._order.group(prefix[0]) if prefix else self._order.all()

    def _between(self, keys: Iterable[K], low: bytes, high: bytes) -> Iterator[V]:
        """The values of the rows from `low` to below `high`: those in the layers (`keys`), merged
        with those in the backend.
        """
        assert self._is_ordered, "only ordered tables are scanned"
        shared, live = self._shared, self._live
        inner = self._with_rows(keys, low, high)
        stored = shared.backend.rows(low) if low <= self._ceiling else ()
        mine = next(inner, None)
        for row, data in chain(stored, ((high, b""),)):
            while mine is not None and mine[0] < row:
                value = live.get(mine[1])
                mine = next(inner, None)
                if value is not None:
                    yield value
                else:
                    shared.skipped += 1
            if row >= high:
                break
            seen: V | Missing | None = MISSING
            if mine is not None and mine[0] == row:
                seen = live.get(mine[1], MISSING)
                mine = next(inner, None)
            if seen is MISSING:
                yield self._decode(data)
            elif seen is not None:
                yield seen
            else:
                shared.skipped += 1

    def _with_rows(self, keys: Iterable[K], low: bytes, high: bytes) -> Iterator[tuple[bytes, K]]:
        to_row = self._row
        for key in keys:
            row = to_row(key)
            if low <= row < high:
                yield row, key
