"""A partition without its loop: commands go through engine, raft, journal and state one at a time,
so that a test decides what the disk does in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from grevy.engine import Command
from grevy.engine.step import NoTopics
from grevy.partition.checkpoint_folder import CHECKPOINTS
from grevy.partition.checkpoints import checkpoint_writer, drop_what_is_superfluous
from grevy.partition.storage import PartitionStorage, StorageOptions
from grevy.ports import Disk
from grevy.protocol.intents import MessageIntent
from grevy.protocol.values import MessageValue
from grevy.raft import RaftConfig
from grevy.stream import StreamProcessor
from grevy.testing.entropy import SeededEntropy

OPTIONS: Final = StorageOptions(segment_bytes=4608)
NOW: Final = 1_700_000_000_000


def publish(number: int) -> Command:
    """A message that waits for an hour: an entry and some rows that no other command touches."""
    value = MessageValue(
        name="order",
        correlation_key=f"key {number}",
        message_id=f"id {number}",
        time_to_live=3_600_000,
        variables=b'{"n":%d,"pad":"%s"}' % (number, b"x" * (number * 37 % 150)),
    )
    return Command(MessageIntent.PUBLISH, -1, value)


class BarePartition:
    """Opened and led. `hashes` has the state hash after each entry, by index."""

    def __init__(self, disk: Disk, folder: Path, options: StorageOptions = OPTIONS) -> None:
        self.storage = PartitionStorage.open(disk, folder, 1, options)
        self.state = self.storage.state
        self.started_from = self.state.applied_index
        """Index of the checkpoint that the start began with; 0 for the log's beginning."""
        self.found = self.storage.journal.last_index
        """Index of the newest entry that was there."""
        engine = self.storage.make_engine(1, NoTopics(), SeededEntropy(0))
        self._stream = StreamProcessor(engine, self.state)
        self._node = self.storage.raft.make_node(RaftConfig(1, (1,)), SeededEntropy(0))
        self.hashes: dict[int, int] = {}
        self._node.campaign()
        self._settle()

    def run(self, *commands: Command) -> None:
        """Process commands; each is committed, and the state hash noted, before the next."""
        for command in commands:
            self._stream.submit(command, NOW)
            for payload in self._stream.take_entries():
                self._node.propose(payload)
            self._settle()

    def run_nothing(self, count: int) -> None:
        """Commit entries without records, as each new term begins with one."""
        for _ in range(count):
            self._node.propose(b"")
        self._settle()

    def checkpoint(self) -> str:
        """Write a checkpoint; its directory."""
        handle = self.state.checkpoint_handle()
        try:
            checkpoint_writer(self.storage, handle)()
        finally:
            handle.close()
        return f"{CHECKPOINTS}/{handle.progress.applied_index}"

    def compact(self) -> None:
        """Drop what the checkpoints have made superfluous."""
        drop_what_is_superfluous(self.storage)

    def close(self) -> None:
        """Close all files."""
        self.storage.close()
        self.storage.raft.close()

    def _settle(self) -> None:
        """Until raft wants nothing more and everything is flushed."""
        journal = self.storage.journal
        while (ready := self._node.ready()) is not None:
            self.storage.raft.write(ready)
            self._node.advance(ready)
            self._commit(ready.committed_index)
            if journal.last_index > journal.last_flushed_index:
                journal.flush()
                self._node.persisted(journal.last_index, journal.last_term)

    def _commit(self, index: int) -> None:
        while self.state.applied_index < index:
            (entry,) = self.storage.journal.read(self.state.applied_index + 1, 1)[:1]
            self._stream.commit([entry.payload], entry.index)
            self.hashes[entry.index] = self.state.hash


def publish_many(first: int, count: int) -> Sequence[Command]:
    """Different messages."""
    return [publish(number) for number in range(first, first + count)]
