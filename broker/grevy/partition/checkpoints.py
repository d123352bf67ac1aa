"""Checkpoints while the partition works, and the log that they make superfluous.

The handle is taken on the loop (it holds a read transaction of the state), the copy is written in a
thread. The log is compacted up to the oldest of: the checkpoint, and what the exporters
acknowledged; but exporters hold back only so much of it.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from grevy.partition.storage import CHECKPOINTS, PartitionStorage, checkpoint_directories
from grevy.state import Manifest

_log = logging.getLogger(__name__)

KEPT: Final = 2
"""Checkpoints that stay: the newest, and the one before it."""


class Checkpoints:
    """Takes a checkpoint now and then."""

    def __init__(self, loop: asyncio.AbstractEventLoop, storage: PartitionStorage) -> None:
        self._loop = loop
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="grevy-checkpoint")
        self._storage = storage
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
        self._last_ns = now_ns
        if self._storage.state.applied_index > self._last_index:
            self.begin()

    def begin(self) -> asyncio.Future[object]:
        """Begins a checkpoint; the future is done when it is on disk and the log is compacted."""
        assert self._running is None, "one checkpoint at a time"
        handle = self._storage.state.checkpoint_handle()
        index = handle.progress.applied_index
        disk = self._storage.disk
        disk.mkdir(CHECKPOINTS)
        directory = f"{CHECKPOINTS}/{index}"
        running = self._loop.run_in_executor(self._executor, handle.write, disk, directory)
        self._running = running
        done: asyncio.Future[object] = self._loop.create_future()

        def finish(written: asyncio.Future[Manifest]) -> None:
            handle.close()
            self._running = None
            error = written.exception()
            if error is not None:
                _log.error("the checkpoint at index %d failed: %s", index, error)
                done.set_result(None)
                return
            self._last_index = index
            self.taken += 1
            self._compact(index)
            done.set_result(None)

        running.add_done_callback(finish)
        return done

    async def stop(self) -> None:
        """Waits for a checkpoint that is being written."""
        while self._running is not None:
            await asyncio.wait([self._running])
        self._executor.shutdown(wait=True)

    def _compact(self, index: int) -> None:
        storage = self._storage
        storage.exporters.save()
        for _, directory in checkpoint_directories(storage.disk)[:-KEPT]:
            for name in storage.disk.list(directory):
                storage.disk.remove(f"{directory}/{name}")
        limit = index
        if storage.journal.statistics().bytes <= storage.options.exporter_log_bytes_max:
            for name, position in storage.exporters.positions().items():
                held = storage.log.index_of(position + 1) - 1
                if held < limit:
                    _log.warning("exporter %s holds the log at position %d", name, position)
                    limit = held
        if limit >= storage.journal.first_index:
            storage.journal.compact(limit)
