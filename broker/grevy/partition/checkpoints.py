"""Checkpoints while the partition works, and the log that they make superfluous.

The handle is taken on the loop (it holds a read transaction of the state), the copy is written in a
thread. The log is compacted up to the oldest of: the checkpoints that are kept, and what the
exporters acknowledged; but exporters hold back only so much of it.

A replica that begins with a checkpoint has the log after it, and may lead next: so what an exporter
still needs must come after it too. Therefore, while an exporter is behind the checkpoints that are
kept anyway, the newest one before what it needs stays, with the log from there, and is what other
replicas are sent; and two between them, so that log can go while the exporter goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

from grevy.journal import JournalError
from grevy.partition.checkpoint_folder import (
    CHECKPOINTS,
    all_checkpoints,
    checkpoint_directories,
)
from grevy.partition.storage import PartitionStorage, origin_of
from grevy.ports import Disk
from grevy.state import MANIFEST_FILE, CheckpointHandle, Manifest

_log = logging.getLogger(__name__)

KEPT: Final = 2
"""Checkpoints that stay: the newest, and the one before it, should the newest be damaged."""

KEPT_BETWEEN: Final = 2
"""Checkpoints between what an exporter needs and the newest ones."""

PAUSE_FACTOR: Final = 100
"""A checkpoint that comes before its time waits for so many times as long as the last one took: to
copy a large state is work that the partition feels.
"""


class Checkpoints:
    """Takes a checkpoint now and then."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        storage: PartitionStorage,
        thread: Executor,
        *,
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._executor = thread
        self._storage = storage
        self._on_failed = on_failed
        self._running: asyncio.Future[Manifest] | None = None
        self._last_ns = -1
        self._last_index = storage.state.applied_index
        self._covered_bytes = -storage.journal.bytes_after(self._last_index)
        """Of those that the journal has appended."""
        self._quiet_until_s = 0.0
        self.taken = 0

    def run_if_due(self, now_ns: int) -> None:
        """Begins a checkpoint when the last one is old enough and something has happened since, or
        there is much log since.
        """
        if self._last_ns < 0:
            self._last_ns = now_ns
        period_ns = self._storage.options.checkpoint_period_s * 1e9
        is_old = now_ns - self._last_ns >= period_ns
        if self._running is not None or not (is_old or self._is_log_long()):
            return
        # What is committed can be ahead of this replica's own disk; it waits for the next look.
        if self._storage.state.applied_index > self._storage.journal.last_flushed_index:
            return
        self._last_ns = now_ns
        index = self._storage.state.applied_index
        if index > self._last_index and not self._has(index):
            self.begin()

    def _is_log_long(self) -> bool:
        appended = self._storage.journal.appended_bytes
        return (
            appended - self._covered_bytes >= self._storage.options.checkpoint_log_bytes
            and self._loop.time() >= self._quiet_until_s
        )

    def _has(self, index: int) -> bool:
        """Whether there is one already: it came from a leader."""
        return self._storage.disk.exists(f"{CHECKPOINTS}/{index}/{MANIFEST_FILE}")

    def begin(self) -> asyncio.Future[None]:
        """Begins a checkpoint; the future is done when it is on disk and the log is compacted.

        A checkpoint that fails is told in the log of the program, and the next one is tried anew.
        """
        assert self._running is None, "one checkpoint at a time"
        handle = self._storage.state.checkpoint_handle()
        index = handle.progress.applied_index
        self._covered_bytes, began_s = self._storage.journal.appended_bytes, self._loop.time()
        write = checkpoint_writer(self._storage, handle)
        self._running = self._loop.run_in_executor(self._executor, write)
        done: asyncio.Future[None] = self._loop.create_future()

        def finish(written: asyncio.Future[Manifest]) -> None:
            handle.close()
            self._running = None
            now_s = self._loop.time()
            self._quiet_until_s = now_s + PAUSE_FACTOR * (now_s - began_s)
            self._finish(index, written.exception())
            done.set_result(None)

        self._running.add_done_callback(finish)
        return done

    async def wait_idle(self) -> None:
        """Waits for a checkpoint that is being written."""
        while self._running is not None:
            await asyncio.wait([self._running])

    async def stop(self) -> None:
        """Waits for a checkpoint that is being written, and takes no more."""
        await self.wait_idle()
        self._executor.shutdown(wait=True)

    def _finish(self, index: int, error: BaseException | None) -> None:
        if error is not None:
            _log.error("the checkpoint at index %d failed: %s", index, error)
            return
        self._last_index = index
        self.taken += 1
        try:
            drop_what_is_superfluous(self._storage)
        except (OSError, JournalError) as failure:
            self._on_failed(failure)


def checkpoint_writer(
    storage: PartitionStorage, handle: CheckpointHandle
) -> Callable[[], Manifest]:
    """What writes the checkpoint of a handle; it may be called in another thread."""
    disk, index = storage.disk, handle.progress.applied_index
    origin = origin_of(storage.journal, index)
    notes = storage.exporters.describe()

    def write() -> Manifest:
        disk.mkdir(CHECKPOINTS)
        return handle.write(disk, f"{CHECKPOINTS}/{index}", origin=origin, notes=notes)

    return write


def drop_what_is_superfluous(storage: PartitionStorage) -> None:
    """Removes checkpoints beyond those that are kept, and the log that nobody needs any more."""
    storage.exporters.save()
    found = [index for index, _ in checkpoint_directories(storage.disk)]
    held = held_index(storage)
    kept = kept_checkpoints(found, held)
    for index, directory in all_checkpoints(storage.disk):
        is_arriving = index > storage.state.applied_index
        if index not in kept and not is_arriving:
            _remove_checkpoint(storage.disk, directory)
    # Fewer than are kept: damage to the only one is then made good by the whole log.
    limit = found[-KEPT] if len(found) >= KEPT else 0
    if held is not None and held < limit:
        limit = max((index for index in kept if index <= held), default=0)
    # The entry with the last record stays: it says how far time was.
    limit = min(limit, storage.log.index_of(storage.state.applied_position) - 1)
    limit = min(limit, storage.journal.last_flushed_index)
    if limit >= storage.journal.first_index:
        storage.journal.compact(limit)


def held_index(storage: PartitionStorage) -> int | None:
    """The index after which an exporter still needs the log; None where none is behind, or it is
    behind by more than it may be.
    """
    if storage.journal.statistics().bytes > storage.options.exporter_log_bytes_max:
        return None
    positions = storage.exporters.positions()
    if not positions:
        return None
    name = min(positions, key=positions.__getitem__)
    held = storage.log.index_of(positions[name] + 1) - 1
    newest = [index for index, _ in checkpoint_directories(storage.disk)][-KEPT:]
    if newest and held < newest[0]:
        _log.warning("exporter %s holds the log at position %d", name, positions[name])
    return held


def kept_checkpoints(found: Sequence[int], held: int | None) -> set[int]:
    """Which checkpoints stay, of those that there are, by their indexes, oldest first."""
    newest = list(found[-KEPT:])
    if held is None or not newest or held >= newest[0]:
        return set(newest)
    older = found[:-KEPT]
    base = [index for index in older if index <= held][-1:]
    between = [index for index in older if index > held]
    while len(between) > KEPT_BETWEEN:
        ends = [*base, *between, *newest] if base else [held, *between, *newest]
        # Without which one the others are the least far apart.
        gaps = {mine: ends[number + 2] - ends[number] for number, mine in enumerate(between)}
        between.remove(min(gaps, key=gaps.__getitem__))
    return {*base, *between, *newest}


def checkpoint_to_send(storage: PartitionStorage) -> int:
    """The checkpoint that another replica should begin with: the newest that leaves nothing out
    that an exporter needs; 0 for the newest of all.
    """
    held = held_index(storage)
    first = storage.journal.first_index
    able = [index for index, _ in checkpoint_directories(storage.disk) if index >= first - 1]
    if held is None or not able:
        return 0
    return max((index for index in able if index <= held), default=able[0])


def _remove_checkpoint(disk: Disk, directory: str) -> None:
    """The manifest goes first: a directory that has one is whole."""
    names = disk.list(directory)
    for name in sorted(names, key=lambda name: name != MANIFEST_FILE):
        disk.remove(f"{directory}/{name}")
        disk.fsync_dir(directory)
    disk.rmdir(directory)
