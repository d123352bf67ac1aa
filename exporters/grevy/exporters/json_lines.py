"""JSON lines: every record a line of a file, as Zeebe's exporters write it.

A partition's files lie in one directory, named by the partition and the first position that they
may hold, so that the order of their names is the order of the log:

    partition-1-00000000000000000001.jsonl
    partition-1-00000000000000480213.jsonl

What holds: each line is whole and each record stands there once, also after a crash of the exporter
or of the machine (the latter with `fsync`, the default). Positions are acknowledged after the lines
are safe. After a crash the last file may hold lines whose acknowledgement was lost, or the torn
remains of a write: what is whole stays and is not written again, the remains are cut off. A reader
that follows the file may have seen some of these remains.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from grevy.exporting import Context, Controller, ExportedRecord, Exporter, ExportingError

READ_BYTES: Final = 1024 * 1024


class ForeignFile(ExportingError):
    """The directory holds records of another log; nothing is written over them."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The arguments.

    `path`: the directory. `rotate_bytes`: begin a new file when one is at least so large; 0 never.
    `fsync`: wait until lines are on the disk before they are acknowledged.
    """

    path: Annotated[str, Meta(min_length=1)]
    rotate_bytes: Annotated[int, Meta(ge=0)] = 0
    fsync: bool = True


class Mark(Struct, frozen=True):
    """What lies safe with an acknowledged position: `size` bytes of the file `name`."""

    name: str = ""
    size: int = 0


class Line(Struct, frozen=True):
    """What is read of a line to know it again."""

    position: int


class JsonLinesExporter(Exporter):
    """Writes records as JSON lines; see the module for what holds."""

    def configure(self, context: Context) -> None:
        """Takes the arguments of `Settings`."""
        self._settings = context.read_arguments(Settings)
        self._prefix = f"partition-{context.partition_id}-"
        self._directory = Path(self._settings.path)
        self._file: LineFile | None = None
        self._last_line = b""
        self._last_position = 0

    def open(self, controller: Controller) -> None:
        """Finds the end of what is there, and cuts off what a crash left torn."""
        self._controller = controller
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        mark = msgspec.json.decode(controller.metadata or b"{}", type=Mark)
        for path in sorted(self._directory.glob(f"{self._prefix}*.jsonl"), reverse=True):
            file = LineFile(path)
            self._last_line = file.recover(mark.size if path.name == mark.name else 0)
            if self._last_line:
                self._file = file
                self._last_position = _position_of(self._last_line)
                return
            file.close()
            path.unlink()

    def export(self, batch: Sequence[ExportedRecord]) -> None:
        """Appends what is not there yet, and acknowledges it."""
        self._check_is_ours(batch)
        new = [record for record in batch if record.position > self._last_position]
        if new:
            lines = [record.to_json() for record in new]
            file = self._file_for(new[0].position)
            file.append(b"\n".join(lines) + b"\n", self._settings.fsync)
            self._last_line, self._last_position = lines[-1], new[-1].position
        if batch[-1].position == self._last_position:
            self._acknowledge(self._last_position)

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _check_is_ours(self, batch: Sequence[ExportedRecord]) -> None:
        for record in batch:
            if record.position == self._last_position and record.to_json() != self._last_line:
                raise ForeignFile(f"{self._directory} holds another log's record {record.position}")

    def _acknowledge(self, position: int) -> None:
        assert self._file is not None
        mark = Mark(self._file.path.name, self._file.size)
        self._controller.acknowledge(position, msgspec.json.encode(mark))

    def _file_for(self, position: int) -> LineFile:
        limit = self._settings.rotate_bytes
        if self._file is None or (limit and self._file.size >= limit):
            file = LineFile(self._directory / f"{self._prefix}{position:020}.jsonl")
            self.close()
            self._file = file
        return self._file


class LineFile:
    """A file that grows by whole lines. Everything below `size` is whole."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it, durably."""
        self.path: Final = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        _fsync_directory(path.parent)
        self.size = os.fstat(self._fd).st_size

    def recover(self, safe_bytes: int) -> bytes:
        """Keeps the whole lines, cuts off the rest; the last line, or empty where there is none.

        The first `safe_bytes` are known to be whole; behind them every line is looked at, since a
        machine that lost power may have written later blocks of the file and not earlier ones.
        """
        whole = min(safe_bytes, self.size)
        last_line, last_position = b"", 0
        with self.path.open("rb") as reader:
            reader.seek(whole)
            for line in reader:
                position = _position_of(line)
                if not line.endswith(b"\n") or position <= last_position:
                    break
                whole += len(line)
                last_line, last_position = line[:-1], position
        self.size = whole
        os.ftruncate(self._fd, self.size)
        return last_line or self._last_line()

    def append(self, lines: bytes, fsync: bool) -> None:
        """Writes at the end. After an error the file counts as it was; the same can be tried."""
        os.ftruncate(self._fd, self.size)
        written = 0
        while written < len(lines):
            written += os.pwrite(self._fd, memoryview(lines)[written:], self.size + written)
        if fsync:
            os.fdatasync(self._fd)
        self.size += len(lines)

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._fd)

    def _last_line(self) -> bytes:
        start, found = self.size, b""
        while start > 0 and found.count(b"\n") < 2:
            length = min(start, READ_BYTES)
            start -= length
            found = os.pread(self._fd, length, start) + found
        return found[:-1].rpartition(b"\n")[2]


def _position_of(line: bytes) -> int:
    """The position of a line's record; 0 for what is no record."""
    try:
        return msgspec.json.decode(line, type=Line).position
    except msgspec.DecodeError:
        return 0


def _fsync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
