"""What exporters have acknowledged: position and metadata of each, in a small file.

    exporters/positions   line 1: an `ExporterPosition` for each id, as JSON;
                          line 2: the XXH3-128 of line 1 in hex

Written at most once in a while and at the end: after a crash an exporter sees the last records
again, which it expects anyway. A file that is damaged or gone is refused: an exporter that is given
a wrong position would miss records in silence.

Other replicas, who hold the log for the exporters too and may lead next, learn of the positions
through the log: now and then, and at once when there is a new one, the leader puts an entry there
that is not the engine's.
"""

from __future__ import annotations

from typing import Final

import msgspec
from xxhash import xxh3_128_hexdigest

from grevy.partition.errors import StorageFailed
from grevy.ports import Disk
from grevy.raft import NOT_OF_ENGINE

_FILE: Final = "positions"
TOLD_NS: Final = 1_000_000_000
"""How often the other replicas are told how far exporters are, if they have moved."""
_MAGIC: Final = NOT_OF_ENGINE + b"GRXP"


class ExporterPosition(msgspec.Struct, frozen=True):
    """How far an exporter is, and what it wants to find again."""

    position: int
    metadata: bytes = b""


class ExporterPositions:
    """The positions of all exporters of a partition."""

    def __init__(self, disk: Disk, directory: str, known: dict[str, ExporterPosition]) -> None:
        self._disk = disk
        self._directory = directory
        self._known = known
        self._is_changed = False
        self._told = b"{}"
        self._told_at_ns = 0
        self._told_ids: frozenset[str] = frozenset()
        self._named: set[str] = set()

    @classmethod
    def open(cls, disk: Disk, directory: str, *, is_new: bool) -> ExporterPositions:
        """Reads what was saved; `is_new` says that nothing may have been. Raises `StorageFailed`
        for a file that is damaged or gone.
        """
        disk.mkdir(directory)
        path = f"{directory}/{_FILE}"
        if not disk.exists(path):
            if not is_new:
                raise StorageFailed(f"{path} is missing, but there is a log")
            positions = cls(disk, directory, {})
            positions._write()
            return positions
        file = disk.open(path)
        try:
            content, _, checksum = file.pread(file.size(), 0).partition(b"\n")
        finally:
            file.close()
        if checksum != xxh3_128_hexdigest(content).encode() + b"\n":
            raise StorageFailed(f"{path} is damaged")
        return cls(disk, directory, _described(content))

    def get(self, exporter_id: str) -> ExporterPosition | None:
        """How far an exporter is."""
        return self._known.get(exporter_id)

    def acknowledge(self, exporter_id: str, position: int, metadata: bytes) -> None:
        """An exporter is done with all up to a position; positions never go back."""
        known = self._known.get(exporter_id)
        if known is None or position >= known.position:
            self._known[exporter_id] = ExporterPosition(position, metadata)
            self._is_changed = True

    def register(self, exporter_id: str) -> None:
        """An exporter that has acknowledged nothing holds the log from its beginning."""
        if exporter_id not in self._known:
            self.acknowledge(exporter_id, 0, b"")

    def is_named(self, exporter_id: str) -> bool:
        """Whether a committed entry names an exporter, as far as was seen since the start: from
        there on all replicas hold the log for it, whoever leads.
        """
        return exporter_id in self._named

    def committed(self, payload: bytes) -> None:
        """An entry of this replica itself, or another one's, is committed."""
        self._named.update(positions_told(payload))

    def positions(self) -> dict[str, int]:
        """Every exporter's position."""
        return {name: known.position for name, known in self._known.items()}

    def tell_again(self) -> None:
        """Somebody may not have heard what was told: it was perhaps never committed."""
        self._told, self._told_ids = b"{}", frozenset()

    @property
    def has_newcomer(self) -> bool:
        """Whether the others do not know of one yet, and so do not hold the log for it."""
        return not self._known.keys() <= self._told_ids

    def payload_if_due(self, now_ns: int) -> bytes | None:
        """The same, but not too often, unless there is a newcomer; `now_ns` is a stopwatch's."""
        if now_ns < self._told_at_ns + TOLD_NS and not self.has_newcomer:
            return None
        self._told_at_ns = now_ns
        return self.payload()

    def describe(self) -> str:
        """All of it, for a checkpoint that another replica may begin with."""
        return msgspec.json.encode(self._known).decode()

    def learn(self, described: str) -> None:
        """What such a checkpoint tells; it is durable when this returns."""
        for name, told in _described(described).items():
            self.acknowledge(name, told.position, told.metadata)
        self.save()

    def recover(self, described: str) -> None:
        """What an own checkpoint tells, where that is newer: a crash can come between it and the
        file of the positions, and the log that named an exporter is not read again.
        """
        for name, told in _described(described).items():
            known = self._known.get(name)
            if known is None or told.position > known.position:
                self.acknowledge(name, told.position, told.metadata)
        self.save()

    def payload(self) -> bytes | None:
        """An entry that tells the other replicas; None where there is nothing new to tell."""
        content = msgspec.json.encode(self._known)
        if content == self._told:
            return None
        self._told, self._told_ids = content, frozenset(self._known)
        return _MAGIC + content

    def take(self, payload: bytes) -> None:
        """A committed entry of another replica, which leads, tells of positions."""
        told = positions_told(payload)
        self._named.update(told)
        for name, place in told.items():
            self.acknowledge(name, place.position, place.metadata)
        self._told, self._told_ids = payload[len(_MAGIC) :], frozenset(told)

    def save(self) -> None:
        """Makes what is acknowledged durable, by renaming a whole file."""
        if self._is_changed:
            self._write()
            self._is_changed = False

    def _write(self) -> None:
        content = msgspec.json.encode(self._known)
        fresh = f"{self._directory}/{_FILE}.new"
        if self._disk.exists(fresh):
            self._disk.remove(fresh)
        file = self._disk.create(fresh)
        try:
            file.pwrite(content + b"\n" + xxh3_128_hexdigest(content).encode() + b"\n", 0)
            file.fdatasync()
        finally:
            file.close()
        self._disk.rename(fresh, f"{self._directory}/{_FILE}")
        self._disk.fsync_dir(self._directory)


def is_of_exporters(payload: bytes) -> bool:
    """Whether an entry's payload tells how far exporters are."""
    return payload.startswith(_MAGIC)


def positions_told(payload: bytes) -> dict[str, ExporterPosition]:
    """What such an entry tells, by the exporters' ids."""
    assert is_of_exporters(payload)
    return _described(payload[len(_MAGIC) :])


def _described(content: bytes | str) -> dict[str, ExporterPosition]:
    return msgspec.json.decode(content, type=dict[str, ExporterPosition])
