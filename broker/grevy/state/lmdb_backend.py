"""Rows in LMDB, in a directory that is no more than a cache of checkpoint and log.

Nothing is synchronised to the disk: after a crash the directory is wiped and made again, so its
pages may reach the disk when the kernel likes. Reads share one read transaction, which is renewed
after each write.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import lmdb

from grevy.protocol.limits import CHECKPOINT_PIECE_BYTES, STATE_MAP_BYTES
from grevy.state.backend import Row, Snapshot, WriteTransaction

T = TypeVar("T")

_DATA_FILE: Final = "data.mdb"
_COPY_FILE: Final = "copy.mdb"


class LmdbBackend:
    """An LMDB environment with one database, open in one process."""

    image_format: Final = "lmdb"

    __slots__ = ("_env", "_map_bytes", "_path", "_read", "_snapshots")
    _read: lmdb.Transaction[bytes]

    def __init__(self, path: Path, *, map_bytes: int = STATE_MAP_BYTES) -> None:
        """Wipe the directory `path` and open it empty. The map grows beyond `map_bytes` when it
        must.
        """
        self._path = path
        self._map_bytes = map_bytes
        self._snapshots: list[_LmdbSnapshot] = []
        path.mkdir(parents=True, exist_ok=True)
        self._wipe()
        self._open()

    def get(self, key: bytes) -> bytes | None:
        """The row's value."""
        return self._read.get(key)

    def rows(self, low: bytes) -> Iterator[Row]:
        """The rows from `low` on."""
        cursor = self._read.cursor()
        return cursor.iternext() if cursor.set_range(low) else iter(())

    def last_below(self, high: bytes) -> bytes | None:
        """The greatest key less than `high`."""
        cursor = self._read.cursor()
        found = cursor.prev() if cursor.set_range(high) else cursor.last()
        return cursor.key() if found else None

    def write(self, job: Callable[[WriteTransaction], T]) -> T:
        """Run `job` in one transaction; where the map is too small, double it and run `job` again.

        The map cannot move under an open snapshot: `lmdb.MapFullError` then.
        """
        while True:
            try:
                with self._env.begin(write=True) as txn:
                    result = job(_LmdbTransaction(txn))
            except lmdb.MapFullError:
                if self._has_snapshots():
                    raise
                self._map_bytes *= 2
                self._env.set_mapsize(self._map_bytes)
            else:
                break
        self._read.abort()
        self._read = self._env.begin()
        return result

    def snapshot(self) -> Snapshot:
        """A read transaction; LMDB does not reuse pages that it sees until it is closed."""
        snapshot = _LmdbSnapshot(self._env, self._path / _COPY_FILE)
        self._snapshots.append(snapshot)
        return snapshot

    def load(self, image: Iterable[bytes]) -> None:
        """Replace all rows by those of an image."""
        assert not self._has_snapshots(), "a snapshot is open"
        self._env.close()
        self._wipe()
        with (self._path / _DATA_FILE).open("wb") as file:
            for piece in image:
                file.write(piece)
            self._map_bytes = max(self._map_bytes, 2 * file.tell())
        self._open()

    def close(self) -> None:
        """Close the environment."""
        assert not self._has_snapshots(), "a snapshot is open"
        self._env.close()

    def _wipe(self) -> None:
        for file in self._path.glob("*.mdb"):
            file.unlink()

    def _open(self) -> None:
        self._env = lmdb.open(
            str(self._path), map_size=self._map_bytes, sync=False, metasync=False, readahead=False
        )
        self._read = self._env.begin()

    def _has_snapshots(self) -> bool:
        self._snapshots = [snapshot for snapshot in self._snapshots if snapshot.is_open]
        return bool(self._snapshots)


class _LmdbTransaction:
    __slots__ = ("_txn", "pop", "replace")

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self._txn = txn
        self.replace: Callable[[bytes, bytes], bytes | None] = txn.replace
        self.pop: Callable[[bytes], bytes | None] = txn.pop

    def insert(self, rows: list[Row]) -> None:
        """A third of the time of putting one by one."""
        added = self._txn.cursor().putmulti(rows, overwrite=False)[1]
        assert added == len(rows), "inserted rows were absent"


class _LmdbSnapshot:
    """Read transactions of py-lmdb are not bound to a thread, and copying runs without the
    interpreter's lock.
    """

    __slots__ = ("_copy_path", "_env", "_txn", "is_open")

    def __init__(self, env: lmdb.Environment, copy_path: Path) -> None:
        self._env = env
        self._copy_path = copy_path
        self._txn = env.begin()
        self.is_open = True

    def image(self) -> Iterator[bytes]:
        """LMDB writes files, not streams: the copy goes to a file without a name and is read
        back.
        """
        copy = os.open(self._copy_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._copy_path.unlink()
            self._env.copyfd(copy, compact=True, txn=self._txn)
            offset = 0
            while piece := os.pread(copy, CHECKPOINT_PIECE_BYTES, offset):
                yield piece
                offset += len(piece)
        finally:
            os.close(copy)

    def close(self) -> None:
        self._txn.abort()
        self.is_open = False
