"""Checkpoints while the partition works, and the log that they make superfluous.

The handle is taken on the loop (it holds a read transaction of the state), the copy is written in a
thread. The log is compacted up to the oldest of: the checkpoints that are kept, and what the
exporters acknowledged; but exporters hold back only so much of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
        self.taken = 0

    def run_if_due(self, now_ns: int) -> None:
        """Begins a checkpoint when the last one is old enough and something has happened since."""
        if self._last_ns < 0:
            self._last_ns = now_ns
        period_ns = self._storage.options.checkpoint_period_s * 1e9
        if now_ns - self._last_ns < period_ns or self._running is not None:
            return
        # What is committed can be ahead of this replica's own disk; it waits for the next look.
        if self._storage.state.applied_index > self._storage.journal.last_flushed_index:
            return
        self._last_ns = now_ns
        index = self._storage.state.applied_index
        if index > self._last_index and not self._has(index):
            self.begin()

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
        write = checkpoint_writer(self._storage, handle)
        self._running = self._loop.run_in_executor(self._executor, write)
        done: asyncio.Future[None] = self._loop.create_future()

        def finish(written: asyncio.Future[Manifest]) -> None:
            handle.close()
            self._running = None
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

    def write() -> Manifest:
        disk.mkdir(CHECKPOINTS)
        return handle.write(disk, f"{CHECKPOINTS}/{index}", origin=origin)

    return write


def drop_what_is_superfluous(storage: PartitionStorage) -> None:
    """Removes checkpoints beyond those that are kept, and the log that nobody needs any more."""
    storage.exporters.save()
    kept = checkpoint_directories(storage.disk)[-KEPT:]
    for index, directory in all_checkpoints(storage.disk):
        is_arriving = index > storage.state.applied_index
        if directory not in [name for _, name in kept] and not is_arriving:
            _remove_checkpoint(storage.disk, directory)
    # Fewer than are kept: damage to the only one is then made good by the whole log.
    limit = kept[0][0] if len(kept) == KEPT else 0
    if storage.journal.statistics().bytes <= storage.options.exporter_log_bytes_max:
        for name, position in storage.exporters.positions().items():
            held = storage.log.index_of(position + 1) - 1
            if held < limit:
                _log.warning("exporter %s holds the log at position %d", name, position)
                limit = held
    # The entry with the last record stays: it says how far time was.
    limit = min(limit, storage.log.index_of(storage.state.applied_position) - 1)
    limit = min(limit, storage.journal.last_flushed_index)
    if limit >= storage.journal.first_index:
        storage.journal.compact(limit)


def _remove_checkpoint(disk: Disk, directory: str) -> None:
    """The manifest goes first: a directory that has one is whole."""
    names = disk.list(directory)
    for name in sorted(names, key=lambda name: name != MANIFEST_FILE):
        disk.remove(f"{directory}/{name}")
        disk.fsync_dir(directory)
    disk.rmdir(directory)
