"""Where committed rows are kept: the seam between the state and its key-value store, and the store
in memory.

A backend is disposable: it is made empty or from a checkpoint's image, and what it held is made
again from a checkpoint and the log. It therefore owes its user atomic transactions, and nothing
after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar

from msgspec import msgpack
from sortedcontainers import SortedDict

from grevy.protocol.limits import CHECKPOINT_PIECE_BYTES

T = TypeVar("T")

Row = tuple[bytes, bytes]
"""Key and value."""


class WriteTransaction(Protocol):
    """Changes that become visible together."""

    def replace(self, key: bytes, value: bytes) -> bytes | None:
        """Set a row and return what it held."""
        ...

    def pop(self, key: bytes) -> bytes | None:
        """Delete a row and return what it held."""
        ...

    def insert(self, rows: list[Row]) -> None:
        """Add rows that are known to be absent, in the order of their keys."""
        ...


class Snapshot(Protocol):
    """The rows as they were when it was taken; holds resources until it is closed."""

    def image(self) -> Iterator[bytes]:
        """The content in the backend's `image_format`, in pieces of `CHECKPOINT_PIECE_BYTES` (the
        last may be less).

        May run in another thread while the backend is written to.
        """
        ...

    def close(self) -> None:
        """Let go; closing twice does nothing."""
        ...


class Backend(Protocol):
    """A sorted map of bytes to bytes."""

    @property
    def image_format(self) -> str:
        """The name of the form of its images."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """The row's value."""
        ...

    def rows(self, low: bytes) -> Iterator[Row]:
        """The rows from `low` on, in order; to be consumed before the next write."""
        ...

    def last_below(self, high: bytes) -> bytes | None:
        """The greatest key less than `high`."""
        ...

    def write(self, job: Callable[[WriteTransaction], T]) -> T:
        """Run `job` in one transaction: all of its changes, or none when it raises. It may be run
        more than once.
        """
        ...

    def snapshot(self) -> Snapshot:
        """A consistent view that outlives later writes."""
        ...

    def load(self, image: Iterable[bytes]) -> None:
        """Replace all rows by those of an image; when it raises, the content is undefined. No
        snapshot may be open.
        """
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class MemoryBackend:
    """Rows in a sorted dict: for tests, the test engine and the simulator. Its image is a sequence
    of MessagePack pairs.
    """

    image_format: Final = "rows"

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: SortedDict[bytes, bytes] = SortedDict()

    def get(self, key: bytes) -> bytes | None:
        """The row's value."""
        value: bytes | None = self._rows.get(key)
        return value

    def rows(self, low: bytes) -> Iterator[Row]:
        """The rows from `low` on."""
        rows = self._rows
        return ((key, rows[key]) for key in rows.irange(low))

    def last_below(self, high: bytes) -> bytes | None:
        """The greatest key less than `high`."""
        at = self._rows.bisect_left(high)
        return self._rows.keys()[at - 1] if at else None

    def write(self, job: Callable[[WriteTransaction], T]) -> T:
        """Collect the changes of `job`, then make them."""
        changes = _MemoryTransaction(self._rows)
        result = job(changes)
        changes.apply()
        return result

    def snapshot(self) -> Snapshot:
        """A copy."""
        return _MemorySnapshot(list(self._rows.items()))

    def load(self, image: Iterable[bytes]) -> None:
        """Replace all rows by those of an image."""
        self._rows = SortedDict(msgpack.decode(b"".join(image), type=list[Row]))

    def close(self) -> None:
        """Nothing to give back."""


class _MemoryTransaction:
    __slots__ = ("_changes", "_rows")

    def __init__(self, rows: SortedDict[bytes, bytes]) -> None:
        self._rows = rows
        self._changes: dict[bytes, bytes | None] = {}

    def replace(self, key: bytes, value: bytes) -> bytes | None:
        return self._exchange(key, value)

    def pop(self, key: bytes) -> bytes | None:
        return self._exchange(key, None)

    def insert(self, rows: list[Row]) -> None:
        self._changes.update(rows)

    def _exchange(self, key: bytes, value: bytes | None) -> bytes | None:
        old = self._changes[key] if key in self._changes else self._rows.get(key)
        self._changes[key] = value
        return old

    def apply(self) -> None:
        for key, value in self._changes.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value


class _MemorySnapshot:
    __slots__ = ("_rows",)

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def image(self) -> Iterator[bytes]:
        data = msgpack.encode(self._rows)
        for start in range(0, len(data), CHECKPOINT_PIECE_BYTES):
            yield data[start : start + CHECKPOINT_PIECE_BYTES]

    def close(self) -> None:
        self._rows = []
