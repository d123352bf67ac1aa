"""The state of one partition: steps, their commit, the state hash, and how far the log is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar, cast

from xxhash import xxh3_64_intdigest

from grevy.ports import Disk
from grevy.protocol.limits import (
    STATE_LEFT_ROWS_MAX,
    STATE_SKIPPED_ROWS_MAX,
    STATE_UNSTORED_BYTES_MAX,
    STATE_UNSTORED_ROWS_MAX,
)
from grevy.state.backend import Backend, WriteTransaction
from grevy.state.checkpoint import CheckpointHandle, restore
from grevy.state.editable import EditableTable
from grevy.state.layers import Layered, Shared, Write
from grevy.state.progress import PROGRESS_KEY, Progress, encode_progress, read_progress
from grevy.state.spec import TableSpec
from grevy.state.table import Table

K = TypeVar("K")
V = TypeVar("V")

_FIRST_TABLE_ROW: Final = b"\x01"
_HASH_MASK: Final = (1 << 64) - 1


class WriteSet:
    """The writes of one sealed step."""

    __slots__ = ("writes",)

    def __init__(self, writes: Sequence[Write]) -> None:
        self.writes: Final = writes


class State:
    """Tables over a backend, written in steps, one step for each entry of the log.

    A step is open from `begin` to `seal` or `rollback`. What is sealed can be read at once, and is
    either committed in the order of sealing or discarded as a whole. Committed writes reach the
    backend together with `applied_index` and `applied_position`, in one transaction, when enough of
    them have come together.
    """

    __slots__ = (
        "_applied_index",
        "_applied_position",
        "_backend",
        "_rows_before",
        "_shared",
        "_specs",
        "_stored",
        "_tables",
        "_unstored_bytes",
        "_unstored_rows_max",
    )

    def __init__(
        self, backend: Backend, *, unstored_rows_max: int = STATE_UNSTORED_ROWS_MAX
    ) -> None:
        """Go on from what `backend` holds. With `unstored_rows_max` 0 every commit is stored at
        once.
        """
        self._backend = backend
        self._stored = read_progress(backend)
        self._applied_index = self._stored.applied_index
        self._applied_position = self._stored.applied_position
        self._shared = Shared(backend)
        self._specs: dict[int, object] = {}
        self._tables: dict[int, Layered] = {}
        self._unstored_rows_max = unstored_rows_max
        self._unstored_bytes = 0
        self._rows_before = 0

    @property
    def applied_index(self) -> int:
        """Raft index of the last committed entry; 0 before the first."""
        return self._applied_index

    @property
    def applied_position(self) -> int:
        """Position of the last committed record; 0 before the first."""
        return self._applied_position

    @property
    def hash(self) -> int:
        """64 bits that depend on the committed content of all tables, and on nothing else: no
        order, no backend.

        The sum, modulo 2^64, of the XXH3-64 of each row and its value. Reading it stores what is
        unstored, so it costs some milliseconds where commits are many: ask every some thousand
        entries, not after each.
        """
        self._store()
        return self._stored.state_hash

    def table(self, spec: TableSpec[K, V]) -> Table[K, V]:
        """The table that `spec` declares; the same object each time."""
        number = spec.number
        if number not in self._tables:
            self._specs[number] = spec
            kind = EditableTable if spec.editable else Table
            self._tables[number] = kind(spec, self._shared)
        assert self._specs[number] is spec, f"{spec.name}: table number {number} is taken"
        return cast("Table[K, V]", self._tables[number])

    def editable_table(self, spec: TableSpec[K, V]) -> EditableTable[K, V]:
        """The table that `spec` declares as editable."""
        table = self.table(spec)
        assert isinstance(table, EditableTable), f"{spec.name} is not declared as editable"
        return table

    def begin(self) -> None:
        """Open a step; none may be open."""
        assert not self._shared.is_open, "a step is open already"
        self._shared.is_open = True

    def rollback(self) -> None:
        """Drop the writes of the open step."""
        self._undo(self._end_step())

    def seal(self) -> WriteSet:
        """End the open step; its writes stay readable and wait for `commit`."""
        writes = self._end_step()
        self._shared.sealed.append(writes)
        return WriteSet(writes)

    def commit(
        self,
        write_sets: Sequence[WriteSet],
        applied_index: int,
        applied_position: int,
        *,
        entry_bytes: int = 0,
    ) -> None:
        """Make the oldest sealed steps, which `write_sets` must be in order, part of the committed
        state.

        `applied_index` and `applied_position` are those of the last of them. `entry_bytes`, the
        size of their entries, bounds the memory that large values take until they are stored.
        """
        assert not self._shared.is_open, "commits happen between steps"
        assert applied_index >= self._applied_index, "the applied index never goes back"
        assert applied_position >= self._applied_position, "the applied position never goes back"
        sealed, tables = self._shared.sealed, self._shared.tables
        for write_set in write_sets:
            writes = write_set.writes
            assert sealed.popleft() is writes, "steps are committed in the order of sealing"
            for unstored, key, value, _ in writes:
                if value is not None:
                    unstored[key] = value
                else:
                    tables[id(unstored)].commit_deletion(key)
        self._unstored_bytes += entry_bytes
        self._applied_index = applied_index
        self._applied_position = applied_position
        rows, rows_before = self._unstored_rows(), self._rows_before
        self._rows_before = rows
        if (
            rows >= self._unstored_rows_max
            or STATE_LEFT_ROWS_MAX <= rows < rows_before
            or self._unstored_bytes > STATE_UNSTORED_BYTES_MAX
            or self._shared.skipped > STATE_SKIPPED_ROWS_MAX
        ):
            self._store()

    def unseal(self, write_set: WriteSet) -> None:
        """Drop the newest sealed step, whose write set this is."""
        assert not self._shared.is_open, "a step is open"
        writes = self._shared.sealed.pop()
        assert writes is write_set.writes, "steps are dropped in the reverse order of sealing"
        self._undo(writes)

    def discard_uncommitted(self) -> None:
        """Drop all sealed steps, as a leader does that steps down; their write sets can be
        committed no more.
        """
        assert not self._shared.is_open, "a step is open"
        sealed = self._shared.sealed
        while sealed:
            self._undo(sealed.pop())

    def recompute_hash(self) -> int:
        """The hash from a scan of the whole committed content, for audits: `hash` must equal it."""
        self._store()
        total = 0
        for row, data in self._backend.rows(_FIRST_TABLE_ROW):
            total += xxh3_64_intdigest(row + data)
        return total & _HASH_MASK

    def checkpoint_handle(self) -> CheckpointHandle:
        """The committed state as it is now, to be written as a checkpoint while this one goes on;
        to be closed.
        """
        self._store()
        return CheckpointHandle(self._backend.snapshot(), self._backend.image_format, self._stored)

    def close(self) -> None:
        """Close the backend. What is not in a checkpoint or in the log is gone."""
        self._backend.close()

    def _end_step(self) -> Sequence[Write]:
        shared = self._shared
        assert shared.is_open, "no step is open"
        shared.is_open = False
        writes = shared.writes.copy()
        shared.writes.clear()
        for owned in shared.owned:
            owned.clear()
        return writes

    def _undo(self, writes: Sequence[Write]) -> None:
        tables = self._shared.tables
        for unstored, key, _, old in reversed(writes):
            tables[id(unstored)].undo(key, old)

    def _unstored_rows(self) -> int:
        return sum([table.unstored_rows for table in self._tables.values()])

    def _store(self) -> None:
        """Write to the backend what was committed since the last time."""
        assert not self._shared.is_open, "storing happens between steps"
        if self._unstored_rows() == 0 and self._stored.applied_index == self._applied_index:
            return
        self._stored = self._backend.write(self._write)
        for table in self._tables.values():
            table.forget_stored()
        self._unstored_bytes = 0
        self._rows_before = 0
        self._shared.skipped = 0

    def _write(self, txn: WriteTransaction) -> Progress:
        growth = sum([table.store(txn) for table in self._tables.values()])
        state_hash = (self._stored.state_hash + growth) & _HASH_MASK
        progress = Progress(self._applied_index, self._applied_position, state_hash)
        txn.replace(PROGRESS_KEY, encode_progress(progress))
        return progress


def open_checkpoint(
    disk: Disk,
    directory: str,
    backend: Backend,
    *,
    unstored_rows_max: int = STATE_UNSTORED_ROWS_MAX,
) -> State:
    """The state that a checkpoint holds, in `backend`, whose content it replaces.

    Raises `CheckpointCorrupted` for a checkpoint that is damaged or unfinished; `backend` is of no
    use then.
    """
    restore(disk, directory, backend)
    return State(backend, unstored_rows_max=unstored_rows_max)
