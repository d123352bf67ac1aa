"""Checkpoints on their way from a leader's disk to that of a replica whose log ends too early.

A snapshot is a stream: the length of the manifest (u32, little-endian), the manifest's file, the
image's file. What arrives is written as a checkpoint of its own, whose manifest comes last, behind
what raft must know of it (see `checkpoint_folder`): so a start finishes what a crash interrupts.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from concurrent.futures import Executor
from functools import partial
from typing import Final

from grevy.partition.checkpoint_folder import (
    CHECKPOINTS,
    Received,
    checkpoint_directories,
    write_received,
)
from grevy.partition.checkpoints import checkpoint_to_send
from grevy.partition.storage import PartitionStorage
from grevy.ports import Disk, File
from grevy.protocol.raft_messages import SnapshotChunk
from grevy.raft import SnapshotPart
from grevy.state import (
    IMAGE_FILE,
    MANIFEST_FILE,
    CheckpointCorrupted,
    Manifest,
    State,
    check_version,
    read_manifest,
)

_log = logging.getLogger(__name__)

_LENGTH: Final = struct.Struct("<I")


class Snapshots:
    """What a replica reads for others, and what it is sent."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, storage: PartitionStorage, thread: Executor
    ) -> None:
        self._loop = loop
        self._storage = storage
        self._executor = thread
        self._outgoing = Outgoing(storage.disk)
        self._incoming = Incoming(storage.disk)
        self._chosen_for: frozenset[str] = frozenset()
        """The exporters there were when it was last looked which checkpoint to send."""

    def read(self, index: int, offset: int, bytes_max: int) -> SnapshotPart | None:
        """A part of a checkpoint for another replica: of the one at `index`, if the log still leads
        on from it, otherwise of the one that should be sent now, from its beginning. None where
        there is none.
        """
        journal = self._storage.journal
        is_gone = index < journal.first_index - 1 or not self._outgoing.has(index)
        if index == 0 or is_gone or self._leaves_out(index):
            index, offset = checkpoint_to_send(self._storage), 0
        found = self._outgoing.read(index, offset, bytes_max)
        if found is None or found[0] < journal.first_index - 1:
            return None
        index, offset, total_bytes, data = found
        term = journal.term_at(index)
        if offset + len(data) == total_bytes:
            self._storage.exporters.tell_again()  # those who came since the checkpoint
        return SnapshotPart(index, term, offset, total_bytes, data)

    def _leaves_out(self, index: int) -> bool:
        """Whether exporters that came while it is sent need what is before it, and there is a
        checkpoint that leaves less out.
        """
        names = frozenset(self._storage.exporters.positions())
        if names == self._chosen_for:
            return False
        self._chosen_for = names
        return 0 < checkpoint_to_send(self._storage) < index

    def store(self, chunk: SnapshotChunk) -> int:
        """Stores a part of a leader's snapshot durably; how many of its bytes are stored."""
        return self._incoming.store(chunk)

    def drop(self) -> None:
        """What was stored is of no use."""
        self._incoming.drop()

    async def load(self, chunk: SnapshotChunk) -> State | None:
        """The state of the snapshot whose last part is stored; None if it is damaged. The state
        that works now is left alone.
        """
        try:
            manifest = self._incoming.finish(chunk)
            if manifest.notes:
                self._storage.exporters.learn(manifest.notes)
            load = partial(self._storage.load, chunk.index)
            return await self._loop.run_in_executor(self._executor, load)
        except CheckpointCorrupted as error:
            _log.error("the snapshot of a leader is damaged: %s", error)
            self._incoming.drop()
            return None

    async def stop(self) -> None:
        """Closes the files."""
        self._executor.shutdown(wait=True)
        self._outgoing.close()


class Outgoing:
    """The checkpoint that other replicas are reading."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._index = 0
        self._head = b""
        self._image: File | None = None
        self._total_bytes = 0

    def has(self, index: int) -> bool:
        """Whether it is this one, or can be."""
        if self._image is not None and index == self._index:
            return True
        return any(index == each for each, _ in checkpoint_directories(self._disk))

    def read(self, index: int, offset: int, bytes_max: int) -> tuple[int, int, int, bytes] | None:
        """Index of the snapshot, offset, bytes in all, and bytes from there on. Of the newest
        checkpoint, from its beginning, if `index` is gone or 0; None where there is none.
        """
        if self._image is None or index != self._index:
            if not self._open(index):
                return None
            offset = offset if index == self._index else 0
        assert self._image is not None
        data = self._head[offset : offset + bytes_max]
        if len(data) < bytes_max:
            place = offset + len(data) - len(self._head)
            data += self._image.pread(bytes_max - len(data), place)
        return self._index, offset, self._total_bytes, data

    def close(self) -> None:
        """Close the file."""
        if self._image is not None:
            self._image.close()
            self._image = None

    def _open(self, index: int) -> bool:
        """Open the checkpoint of this index, or else the newest. An open file can be read on when
        its name is gone.
        """
        found = checkpoint_directories(self._disk)
        if not found:
            return False
        wanted = [item for item in found if item[0] == index] or found[-1:]
        self.close()
        self._index, directory = wanted[0]
        manifest = self._disk.open(f"{directory}/{MANIFEST_FILE}")
        try:
            content = manifest.pread(manifest.size(), 0)
        finally:
            manifest.close()
        self._head = _LENGTH.pack(len(content)) + content
        self._image = self._disk.open(f"{directory}/{IMAGE_FILE}")
        self._total_bytes = len(self._head) + self._image.size()
        return True


class Incoming:
    """A checkpoint that is being received; made anew by each chunk at offset 0."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._index = 0
        self._head = b""
        self._head_bytes = _LENGTH.size
        self._image: File | None = None
        self._stored = 0

    @property
    def directory(self) -> str:
        """Where it lies."""
        return f"{CHECKPOINTS}/{self._index}"

    def store(self, chunk: SnapshotChunk) -> int:
        """Write a chunk durably; how many bytes of the stream are there."""
        if chunk.offset == 0:
            self._begin(chunk.index)
        assert (chunk.index, chunk.offset) == (self._index, self._stored), "chunks come in order"
        assert self._image is not None
        data = chunk.data
        if len(self._head) < self._head_bytes:
            data = self._take_head(data)
        if data:
            place = chunk.offset + len(chunk.data) - len(data) - self._head_bytes
            self._image.pwrite(data, place)
            self._image.fdatasync()
        self._stored = chunk.offset + len(chunk.data)
        return self._stored

    def finish(self, chunk: SnapshotChunk) -> Manifest:
        """The last chunk is stored: the checkpoint gets its manifest. Raises `CheckpointCorrupted`;
        and `NewerVersion`, before there is a manifest.

        The pieces of the image are checked by whoever opens it.
        """
        assert self._image is not None, "nothing was stored"
        self._image.close()
        self._image = None
        disk, directory = self._disk, self.directory
        content = self._head[_LENGTH.size :]
        check_version(content, f"{directory}/{MANIFEST_FILE}")
        received = Received(chunk.index, chunk.index_term, chunk.members)
        write_received(disk, directory, received)
        _write(disk, f"{directory}/{MANIFEST_FILE}", content)
        disk.fsync_dir(directory)
        manifest = read_manifest(disk, directory)
        if manifest.applied_index != chunk.index:
            raise CheckpointCorrupted(
                f"{directory} is the checkpoint of index {manifest.applied_index}"
            )
        return manifest

    def drop(self) -> None:
        """What was received is of no use."""
        if self._image is not None:
            self._image.close()
            self._image = None
        _empty(self._disk, self.directory)
        self._stored = 0

    def _begin(self, index: int) -> None:
        if self._image is not None:
            self._image.close()
        self._index = index
        self._disk.mkdir(CHECKPOINTS)
        self._disk.mkdir(self.directory)
        _empty(self._disk, self.directory)
        self._image = self._disk.create(f"{self.directory}/{IMAGE_FILE}")
        self._disk.fsync_dir(self.directory)
        self._head, self._head_bytes, self._stored = b"", _LENGTH.size, 0

    def _take_head(self, data: bytes) -> bytes:
        """The manifest is kept until the end; gives what follows it."""
        both = self._head + data
        if len(both) >= _LENGTH.size:
            self._head_bytes = _LENGTH.size + _LENGTH.unpack_from(both)[0]
        self._head = both[: self._head_bytes]
        return both[self._head_bytes :]


def _write(disk: Disk, path: str, content: bytes) -> None:
    file = disk.create(path)
    try:
        file.pwrite(content, 0)
        file.fdatasync()
    finally:
        file.close()


def _empty(disk: Disk, directory: str) -> None:
    """Remove all files; the manifest first, for a directory that has one is whole."""
    for name in sorted(disk.list(directory), key=lambda name: name != MANIFEST_FILE):
        disk.remove(f"{directory}/{name}")
        disk.fsync_dir(directory)
