"""What replicas in the simulated world agree on: a hash over all payloads, and snapshots of it.

snapshots/state      the newest snapshot, whole or not there
snapshots/incoming   what has come of a leader's so far; void after a restart

┌────────┬───────┬──────┬───────┬─────────────────────────────┬─────────┐
│ crc32c │ index │ term │ hash  │ membership, as MessagePack  │ filling │
│ u32    │ u64   │ u64  │ u64   │ behind its length, u16      │         │
└────────┴───────┴──────┴───────┴─────────────────────────────┴─────────┘
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import msgspec
from crc32c import crc32c
from tests.sim.disk import SimDisk, SimFile
from xxhash import xxh3_64_intdigest

from grevy.journal import JournalEntry
from grevy.journal.files import read_at
from grevy.protocol.raft_messages import SnapshotChunk
from grevy.raft import Membership

DIRECTORY: Final = "snapshots"
_PATH: Final = f"{DIRECTORY}/state"
_DRAFT: Final = f"{DIRECTORY}/state.new"
_INCOMING: Final = f"{DIRECTORY}/incoming"
_HEAD: Final = struct.Struct("<IQQQH")
_CHECKED_FROM: Final = 4


class SnapshotDamaged(Exception):
    """A snapshot cannot be read."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state at an index, whose entry was of a term, and who was in the group there."""

    index: int
    term: int
    state: int
    membership: Membership

    def encode(self, filling: int) -> bytes:
        """The bytes, with so many more that mean nothing."""
        members = msgspec.msgpack.encode(self.membership)
        head = _HEAD.pack(0, self.index, self.term, self.state, len(members))
        data = head[_CHECKED_FROM:] + members + bytes([self.index % 251]) * filling
        return crc32c(data).to_bytes(_CHECKED_FROM, "little") + data

    @classmethod
    def decode(cls, data: bytes) -> Snapshot:
        """The reverse; raises `SnapshotDamaged`."""
        if len(data) < _HEAD.size:
            raise SnapshotDamaged("it is too short")
        checksum, index, term, state, length = _HEAD.unpack_from(data)
        if crc32c(data[_CHECKED_FROM:]) != checksum:
            raise SnapshotDamaged("its checksum is wrong")
        members = data[_HEAD.size : _HEAD.size + length]
        return cls(index, term, state, msgspec.msgpack.decode(members, type=Membership))


class ChainState:
    """A state machine: what it is depends on all entries that it was given, and on their order."""

    def __init__(self, index: int = 0, value: int = 0) -> None:
        self.index = index
        self.value = value

    def apply(self, entries: Iterable[JournalEntry]) -> None:
        """Take the entries that follow."""
        for entry in entries:
            assert entry.index == self.index + 1, "no entry is left out"
            self.index = entry.index
            self.value = xxh3_64_intdigest(entry.payload, self.value)


class SnapshotStore:
    """The snapshots of one replica, on its disk."""

    def __init__(self, disk: SimDisk) -> None:
        self._disk = disk
        disk.mkdir(DIRECTORY)
        for path in (_DRAFT, _INCOMING):
            if disk.exists(path):
                disk.remove(path)
        disk.fsync_dir(DIRECTORY)
        self.data = self._read(_PATH) if disk.exists(_PATH) else b""
        """The bytes of the newest one; empty when there is none."""
        self.newest = Snapshot.decode(self.data) if self.data else None

    def save(self, snapshot: Snapshot, filling: int) -> None:
        """Make this the newest snapshot, durably."""
        data = snapshot.encode(filling)
        if self._disk.exists(_DRAFT):
            self._disk.remove(_DRAFT)
        file = self._disk.create(_DRAFT)
        file.pwrite(data, 0)
        file.fdatasync()
        self._disk.rename(_DRAFT, _PATH)
        self._disk.fsync_dir(DIRECTORY)
        self.data, self.newest = data, snapshot

    def receive(self, chunk: SnapshotChunk) -> Snapshot | None:
        """Keep a part of a leader's, durably; the snapshot when it is whole. It is not the newest
        one before it is saved. Raises `SnapshotDamaged`.
        """
        file = self._incoming(chunk.offset)
        assert file.size() == chunk.offset, "parts come in their order"
        file.pwrite(chunk.data, chunk.offset)
        file.fdatasync()
        if file.size() < chunk.total_bytes:
            return None
        return Snapshot.decode(self._read(_INCOMING))

    def _incoming(self, offset: int) -> SimFile:
        if offset == 0 and self._disk.exists(_INCOMING):
            self._disk.remove(_INCOMING)
        return self._disk.create(_INCOMING) if offset == 0 else self._disk.open(_INCOMING)

    def _read(self, path: str) -> bytes:
        file = self._disk.open(path)
        return read_at(file, file.size(), 0)
