"""What exporters have acknowledged: position and metadata of each, in a small file.

Written at most once in a while and at the end: after a crash an exporter sees the last records
again, which it expects anyway.
"""

from __future__ import annotations

from typing import Final

import msgspec

from grevy.ports import Disk

_FILE: Final = "positions"


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

    @classmethod
    def open(cls, disk: Disk, directory: str) -> ExporterPositions:
        """Reads what was saved."""
        disk.mkdir(directory)
        path = f"{directory}/{_FILE}"
        if not disk.exists(path):
            return cls(disk, directory, {})
        file = disk.open(path)
        try:
            data = file.pread(file.size(), 0)
        finally:
            file.close()
        return cls(disk, directory, msgspec.json.decode(data, type=dict[str, ExporterPosition]))

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

    def positions(self) -> dict[str, int]:
        """Every exporter's position."""
        return {name: known.position for name, known in self._known.items()}

    def save(self) -> None:
        """Makes what is acknowledged durable, by renaming a whole file."""
        if not self._is_changed:
            return
        fresh = f"{self._directory}/{_FILE}.new"
        if self._disk.exists(fresh):
            self._disk.remove(fresh)
        file = self._disk.create(fresh)
        try:
            file.pwrite(msgspec.json.encode(self._known), 0)
            file.fdatasync()
        finally:
            file.close()
        self._disk.rename(fresh, f"{self._directory}/{_FILE}")
        self._disk.fsync_dir(self._directory)
        self._is_changed = False
