"""The commit pipeline: entries through raft and journal to disk, and back when they are committed.

One flush at a time runs in a thread (the GIL is free meanwhile); what is proposed in that time is
appended at once and flushed next, all of it together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

from grevy.journal import FlushHandle
from grevy.ports import Entropy
from grevy.raft import RaftConfig, RaftStorage

REPLAY_BYTES: Final = 1024 * 1024
"""Log read at once when entries are committed that were not made here."""


class OnCommitted(Protocol):
    """Takes committed payloads; `is_settled` says that the leader answers for the log from now
    on.
    """

    def __call__(self, payloads: list[bytes], last_index: int, *, is_settled: bool) -> None:
        """Entries are committed, the last one at an index."""


class CommitPipeline:
    """Drives the raft core of one partition over its storage."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        storage: RaftStorage,
        *,
        entropy: Entropy,
        applied_index: int,
        on_committed: OnCommitted,
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._loop = loop
        self._storage = storage
        self._journal = storage.journal
        self._node = storage.make_node(RaftConfig(node_id=1, voters=(1,)), entropy)
        self._applied_index = applied_index
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="grevy-flush")
        self._proposed: deque[bytes] = deque()
        self._is_flushing = False
        self._idle = asyncio.Event()
        self._has_failed = False

    @property
    def commit_index(self) -> int:
        """How far the log is committed."""
        return self._node.commit_index

    @property
    def term(self) -> int:
        """The current term."""
        return self._node.term

    def start(self) -> None:
        """Stands for election; what the log holds is committed again soon after."""
        self._node.campaign()
        self.advance()

    def propose(self, payload: bytes) -> None:
        """Hands an entry to raft; `advance` sends it on its way."""
        self._node.propose(payload)
        self._proposed.append(payload)

    def advance(self) -> None:
        """Does what raft asks for: writes, and gives out what is committed; begins a flush if the
        disk is free. After a failure nothing happens any more.
        """
        if self._has_failed:
            return
        try:
            while (ready := self._node.ready()) is not None:
                self._storage.write(ready)
                self._node.advance(ready)
                if ready.committed_index > self._applied_index:
                    self._give_out(ready.committed_index)
            self._flush()
        except Exception as error:  # noqa: BLE001 - disk, state or a broken invariant: it is the end
            self._fail(error)

    async def stop(self) -> None:
        """Waits until everything that was proposed is committed, or the disk has failed."""
        self.advance()
        while self._is_flushing and not self._has_failed:
            await self._idle.wait()
        self._executor.shutdown(wait=True)
        self._storage.close()

    def _flush(self) -> None:
        journal = self._journal
        if self._is_flushing or journal.last_index == journal.last_flushed_index:
            return
        self._idle.clear()
        self._is_flushing = True
        self._executor.submit(self._sync, journal.flush_handle())

    def _sync(self, handle: FlushHandle) -> None:
        """In the thread: it tells the loop itself, which two futures on the way would do later."""
        failure: Exception | None = None
        try:
            handle.sync()
        except Exception as error:  # noqa: BLE001 - raised in the loop, by `_flushed`
            failure = error
        self._loop.call_soon_threadsafe(self._flushed, handle, failure)

    def _flushed(self, handle: FlushHandle, failure: Exception | None) -> None:
        self._is_flushing = False
        try:
            if failure is not None:
                raise failure
            self._journal.flushed(handle)
            self._node.persisted(handle.index, handle.term)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            return
        self.advance()
        if not self._is_flushing:
            self._idle.set()

    def _fail(self, error: Exception) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        self._idle.set()
        self._on_failed(error)

    def _give_out(self, committed_index: int) -> None:
        """Entries that were proposed here are at hand; older ones are read from the log."""
        in_memory = self._node.last_index - len(self._proposed)
        while self._applied_index < min(committed_index, in_memory):
            entries = self._journal.read(self._applied_index + 1, REPLAY_BYTES)
            payloads = [
                entry.payload for entry in entries if entry.index <= min(committed_index, in_memory)
            ]
            self._tell(payloads, self._applied_index + len(payloads))
        count = committed_index - self._applied_index
        if count > 0:
            self._tell([self._proposed.popleft() for _ in range(count)], committed_index)

    def _tell(self, payloads: list[bytes], last_index: int) -> None:
        assert payloads, "something is committed"
        self._applied_index = last_index
        is_settled = self._node.is_settled and last_index == self._node.commit_index
        self._on_committed(payloads, last_index, is_settled=is_settled)

    def statistics(self) -> dict[str, object]:
        """Figures for people and dashboards."""
        return {
            "term": self._node.term,
            "role": self._node.role.value,
            "commit_index": self._node.commit_index,
        }
