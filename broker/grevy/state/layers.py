"""The layers of a table: what its readers see, over writes that are open, sealed, committed or
stored.

What a table holds for a key, newest first:

    open step      what the step in progress has written
    sealed steps   entries that wait for their commit
    unstored       committed, not yet in the backend
    backend        committed

`_live` maps a key to what a reader sees through all layers. It has every key of the three upper
layers, and beside them a cache of what was read or stored lately: a read is one lookup in one dict,
whatever the layer. The layers themselves serve to undo and to store. In all of them None stands for
a deleted or absent key.

Committed writes stay in memory for some thousand writes and are then stored together: most
elements, jobs and variables come, change and go within milliseconds, and so never reach the
backend. That is safe because the backend is made again from checkpoint and log after a crash; and
what it holds is always the state at some committed entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from xxhash import xxh3_64_intdigest

from grevy.protocol.limits import STATE_CACHE_KEYS_MAX, STATE_CACHED_VALUE_BYTES_MAX
from grevy.state.backend import Backend, Row, WriteTransaction
from grevy.state.keys import AFTER_PREFIX
from grevy.state.spec import TableSpec

K = TypeVar("K")
V = TypeVar("V")


class Layered(Protocol):
    """A table as the state sees it: what happens to its layers."""

    def seal(self) -> None:
        """End the open step; its writes wait for their commit."""
        ...

    def roll_back(self) -> None:
        """Drop the writes of the open step."""
        ...

    def commit_oldest(self) -> int:
        """Move the writes of the oldest sealed step to those to be stored; return how many."""
        ...

    def discard_sealed(self) -> None:
        """Drop the writes of all sealed steps."""
        ...

    def store(self, txn: WriteTransaction) -> int:
        """Write to the backend what is unstored; return by how much the state hash grows (not cut
        to 64 bits).
        """
        ...

    def forget_stored(self) -> None:
        """The transaction of `store` has succeeded."""
        ...


class Shared:
    """What the tables of a state have in common.

    `touched`: the tables that the open step has written to. `skipped`: deleted rows that scans have
    had to pass.
    """

    __slots__ = ("backend", "is_open", "skipped", "touched")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.is_open = False
        self.touched: list[Layered] = []
        self.skipped = 0


class _Live(dict[K, V | None]):
    """A dict that asks `load` for what it does not have."""

    __slots__ = ("_load",)

    def __init__(self, load: Callable[[K], V | None]) -> None:
        super().__init__()
        self._load = load

    def __missing__(self, key: K) -> V | None:
        return self._load(key)


class Layers(Generic[K, V]):
    """Reads and writes of single keys, and the life of the writes."""

    __slots__ = (
        "_ceiling",
        "_decode",
        "_encode",
        "_live",
        "_live_max",
        "_row",
        "_sealed",
        "_shared",
        "_step",
        "_transient",
        "_unstored",
        "get",
    )

    get: Callable[[K], V | None]
    """The value of a key as the newest step left it, or None.

    It is the lookup of the `_live` dict itself: a method around it would take twice the time.
    """

    def __init__(self, spec: TableSpec[K, V], shared: Shared) -> None:
        self._shared = shared
        self._row = spec.key.row_encoder(spec.number)
        self._encode = spec.value_encoder()
        self._decode = spec.value_decoder()
        self._live: _Live[K, V] = _Live(self._load)
        self._live_max = STATE_CACHE_KEYS_MAX
        self._step: dict[K, V | None] | None = None
        self._sealed: deque[dict[K, V | None]] = deque()
        self._unstored: dict[K, V | None] = {}
        self._transient: list[K] = []
        self._ceiling = _last_row(shared.backend, spec.number)
        self.get = self._live.__getitem__

    def has(self, key: K) -> bool:
        """Whether the key has a value."""
        return self.get(key) is not None

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. The value must not change afterwards, nor what it refers to."""
        step = self._step
        if step is None:
            step = self._join_step()
        step[key] = self._live[key] = value

    def delete(self, key: K) -> None:
        """Remove a key; one that is absent stays so."""
        step = self._step
        if step is None:
            step = self._join_step()
        step[key] = self._live[key] = None

    def seal(self) -> None:
        """End the open step; its writes wait for their commit."""
        assert self._step is not None, "the table is part of the step"
        self._sealed.append(self._step)
        self._step = None

    def roll_back(self) -> None:
        """Drop the writes of the open step."""
        step, self._step = self._step, None
        assert step is not None, "the table is part of the step"
        self._restore(step)

    def commit_oldest(self) -> int:
        """Move the writes of the oldest sealed step to those to be stored; return how many."""
        step = self._sealed.popleft()
        self._unstored.update(step)
        return len(step)

    def discard_sealed(self) -> None:
        """Drop the writes of all sealed steps."""
        discarded = list(self._sealed)
        self._sealed.clear()
        for step in discarded:
            self._restore(step)

    def store(self, txn: WriteTransaction) -> int:
        """Write to the backend what is unstored; return by how much the state hash grows (not cut
        to 64 bits).

        A row behind all that the table ever stored is new: no look at what it replaces is needed.
        """
        encode, to_row, ceiling = self._encode, self._row, self._ceiling
        growth = 0
        added: list[Row] = []
        transient: list[K] = []
        for key, value in self._unstored.items():
            row = to_row(key)
            old = None
            if value is None:
                transient.append(key)
                if row <= ceiling:
                    old = txn.pop(row)
            else:
                data = encode(value)
                growth += xxh3_64_intdigest(row + data)
                if len(data) > STATE_CACHED_VALUE_BYTES_MAX:
                    transient.append(key)
                if row <= ceiling:
                    old = txn.replace(row, data)
                else:
                    added.append((row, data))
            if old is not None:
                growth -= xxh3_64_intdigest(row + old)
        if added:
            added.sort()
            txn.insert(added)
            self._ceiling = added[-1][0]
        self._transient = transient
        return growth

    def forget_stored(self) -> None:
        """The transaction of `store` has succeeded; the cache keeps what is likely to be read
        again.
        """
        self._unstored = {}
        if self._transient:
            held: set[K] = set().union(*self._sealed)
            for key in self._transient:
                if key not in held:
                    self._live.pop(key, None)
            self._transient = []
        if len(self._live) > self._live_max:
            self._trim()

    def _join_step(self) -> dict[K, V | None]:
        """The first write of the open step to this table."""
        assert self._shared.is_open, "writes belong to a step"
        self._shared.touched.append(self)
        step: dict[K, V | None] = {}
        self._step = step
        return step

    def _load(self, key: K) -> V | None:
        """What the backend has for a key that is in no layer and not cached."""
        row = self._row(key)
        data = self._shared.backend.get(row) if row <= self._ceiling else None
        value = None if data is None else self._decode(data)
        if data is None or len(data) <= STATE_CACHED_VALUE_BYTES_MAX:
            if len(self._live) >= self._live_max:
                self._trim()
            self._live[key] = value
        return value

    def _restore(self, keys: Iterable[K]) -> None:
        """Let readers see the newest layer again, after one was dropped."""
        layers = (*reversed(self._sealed), self._unstored)
        for key in keys:
            for layer in layers:
                if key in layer:
                    self._live[key] = layer[key]
                    break
            else:
                self._live.pop(key, None)

    def _trim(self) -> None:
        """Empty the cache. Simpler than to know what was used least; filling it again costs a
        microsecond a key.
        """
        layers = (self._unstored, *self._sealed, self._step or {})
        held = {key: self._live[key] for layer in layers for key in layer}
        self._live.clear()
        self._live.update(held)
        self._live_max = len(held) + STATE_CACHE_KEYS_MAX


def _last_row(backend: Backend, table: int) -> bytes:
    """The greatest row of a table, or an empty string, which is less than all rows."""
    last = backend.last_below(bytes((table,)) + AFTER_PREFIX)
    return last if last is not None and last[0] == table else b""
