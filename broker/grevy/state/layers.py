"""The layers of a table: what its readers see, over writes that are open, sealed, committed or
stored.

What a table holds for a key, newest first:

    open step      what the step in progress has written
    sealed steps   entries that wait for their commit
    unstored       committed, not yet in the backend
    backend        committed

`_live` maps a key to what a reader sees through all layers. It has every key of the three upper
layers, and beside them a cache of what was read or stored lately: a read is one lookup in one dict,
whatever the layer. In all of them None stands for a deleted or absent key.

The two uppermost layers are lists of `Write`s, which all tables share: a write knows what was
visible before it, so that dropping a layer means undoing its writes, newest first, and committing
one means handing each of its writes to its table.

Committed rows stay in memory until there are some thousand, or until some hundred are left when a
commit has made them fewer, and are then stored together: most elements, jobs and variables come,
change and go within milliseconds, and so never reach the backend, nor leave anything in memory.
That is safe because the backend is made again from checkpoint and log after a crash; and what it
holds is always the state at some committed entry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

from xxhash import xxh3_64_intdigest

from grevy.protocol.limits import STATE_CACHE_KEYS_MAX, STATE_CACHED_VALUE_BYTES_MAX
from grevy.state.backend import Backend, Row, WriteTransaction
from grevy.state.keys import AFTER_PREFIX
from grevy.state.order import LayerOrder
from grevy.state.spec import TableSpec

K = TypeVar("K")
V = TypeVar("V")


class Missing(Enum):
    """What a lookup gives where None is a value: the key is in no layer, and not cached."""

    TOKEN = 0


MISSING: Final = Missing.TOKEN

Unstored: TypeAlias = dict[Any, Any]
"""What is committed of a table and not yet stored: a row for each key; None where it is deleted."""

Write: TypeAlias = tuple[Unstored, object, object, object]
"""Where a key and its value go at the commit, the two, and what was visible before (`MISSING`:
nothing was known).
"""


class Layered(Protocol):
    """A table as the state sees it: what happens to its layers."""

    @property
    def commit_deletion(self) -> Callable[..., None]:
        """A deletion of a key is committed."""
        ...

    @property
    def unstored_rows(self) -> int:
        """How many rows are committed and not stored."""
        ...

    @property
    def undo(self) -> Callable[..., None]:
        """Lets readers see for a key (first argument) what was visible before a write that is
        dropped (second).
        """
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

    `writes`: those of the open step. `sealed`: those of each sealed step, oldest first. `tables`:
    by the identity of what is unstored of them. `owned`: what the open step may change in place, a
    dict for each table that allows it. `skipped`: deleted rows that scans have had to pass.
    """

    __slots__ = ("backend", "is_open", "owned", "sealed", "skipped", "tables", "writes")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.is_open = False
        self.writes: list[Write] = []
        self.sealed: deque[Sequence[Write]] = deque()
        self.tables: dict[int, Layered] = {}
        self.owned: list[dict[Any, Any]] = []
        self.skipped = 0

    def uncommitted(self, unstored: Unstored) -> Iterator[object]:
        """The keys that open and sealed steps have written to a table, some of them repeatedly."""
        for writes in (*self.sealed, self.writes):
            for write in writes:
                if write[0] is unstored:
                    yield write[1]


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
        "_ceiling_number",
        "_decode",
        "_encode",
        "_is_tuple",
        "_live",
        "_live_max",
        "_log",
        "_look",
        "_noted",
        "_order",
        "_row",
        "_shared",
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
        self._log = shared.writes.append
        self._row = spec.key.row_encoder(spec.number)
        self._encode = spec.value_encoder()
        self._decode = spec.value_decoder()
        self._live: _Live[K, V] = _Live(self._load)
        self._live_max = STATE_CACHE_KEYS_MAX
        self._look = self._live.get
        self._unstored: dict[K, V | None] = {}
        self._transient: list[K] = []
        self._is_tuple = spec.key.is_tuple
        self._ceiling_number: int | None = 0 if spec.key.begins_with_u64 else None
        self._ceiling = b""
        self._raise_ceiling(_last_row(shared.backend, spec.number))
        self._order: LayerOrder[K] = LayerOrder(self._row, is_tuple=spec.key.is_tuple)
        self._noted = self._order.noted if spec.ordered else None
        self.get = self._live.__getitem__
        shared.tables[id(self._unstored)] = self

    @property
    def unstored_rows(self) -> int:
        """How many rows are committed and not stored."""
        return len(self._unstored)

    def has(self, key: K) -> bool:
        """Whether the key has a value."""
        return self.get(key) is not None

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. The value must not change afterwards, nor what it refers to."""
        assert self._shared.is_open, "writes belong to a step"
        self._log((self._unstored, key, value, self._look(key, MISSING)))
        self._live[key] = value
        if self._noted is not None:
            self._noted[key] = None

    def delete(self, key: K) -> None:
        """Remove a key; one that is absent stays so."""
        assert self._shared.is_open, "writes belong to a step"
        self._log((self._unstored, key, None, self._look(key, MISSING)))
        self._live[key] = None
        if self._noted is not None:
            self._noted[key] = None

    def commit_deletion(self, key: K) -> None:
        """A deletion is committed. What came and went between two stores is as if it had never
        been.
        """
        if self._look(key, MISSING) is not None or not self._is_above(key):
            self._unstored[key] = None
            return
        del self._live[key]
        self._unstored.pop(key, None)
        if self._noted is not None:
            self._order.forget(key)

    def undo(self, key: K, old: V | Missing | None) -> None:
        """Let readers see what was visible before a write that is dropped."""
        if old is MISSING:
            self._live.pop(key, None)
        else:
            self._live[key] = old

    def store(self, txn: WriteTransaction) -> int:
        """Write to the backend what is unstored; return by how much the state hash grows (not cut
        to 64 bits).

        A row behind all that the table ever stored is new: no look at what it replaces is needed.
        """
        encode, to_row, ceiling = self._encode, self._row, self._ceiling
        is_above = self._is_above
        growth = 0
        added: list[Row] = []
        transient: list[K] = []
        for key, value in self._unstored.items():
            old = None
            if value is None:
                transient.append(key)
                if is_above(key):
                    continue
                row = to_row(key)
                if row <= ceiling:
                    old = txn.pop(row)
            else:
                row = to_row(key)
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
            self._raise_ceiling(added[-1][0])
        self._transient = transient
        return growth

    def forget_stored(self) -> None:
        """The transaction of `store` has succeeded; the cache keeps what is likely to be read
        again.

        Where readers still see what was stored, the backend alone can show it: keys of writes that
        are not committed keep their places.
        """
        unstored, look = self._unstored, self._look
        if self._noted is not None:
            for key, value in unstored.items():
                if look(key) is value:
                    self._order.forget(key)
        for key in self._transient:
            if look(key) is unstored[key]:
                self._live.pop(key, None)
        unstored.clear()
        self._transient = []
        if len(self._live) > self._live_max:
            self._trim()

    def _is_above(self, key: K) -> bool:
        """Whether the backend surely has nothing of a key, nor of what comes behind it: its number
        is greater than all that were ever stored, as that of most keys is, which come and go
        between two stores.
        """
        ceiling = self._ceiling_number
        if ceiling is None:
            return False
        first: int = key[0] if self._is_tuple else key  # type: ignore[index,assignment]
        return first > ceiling

    def _raise_ceiling(self, row: bytes) -> None:
        self._ceiling = row
        if self._ceiling_number is not None and row:
            self._ceiling_number = int.from_bytes(row[1:9], "big")

    def _load(self, key: K) -> V | None:
        """What the backend has for a key that is in no layer and not cached."""
        if self._is_above(key):
            return None
        row = self._row(key)
        if row > self._ceiling:
            return None
        data = self._shared.backend.get(row)
        value = None if data is None else self._decode(data)
        if data is None or len(data) <= STATE_CACHED_VALUE_BYTES_MAX:
            if len(self._live) >= self._live_max:
                self._trim()
            self._live[key] = value
        return value

    def _trim(self) -> None:
        """Empty the cache. Simpler than to know what was used least; filling it again costs a
        microsecond a key.
        """
        held = {key: self._live[key] for key in self._unstored}
        uncommitted = cast("Iterator[K]", self._shared.uncommitted(self._unstored))
        held |= {key: self._live[key] for key in uncommitted if key in self._live}
        self._live.clear()
        self._live.update(held)
        self._live_max = len(held) + STATE_CACHE_KEYS_MAX


def _last_row(backend: Backend, table: int) -> bytes:
    """The greatest row of a table, or an empty string, which is less than all rows."""
    last = backend.last_below(bytes((table,)) + AFTER_PREFIX)
    return last if last is not None and last[0] == table else b""
