"""Files, with exactly the promises that a log may build on.

Paths are relative to the root of the disk, with `/` between their parts. Everything that fails
raises `OSError`. What was written is durable after `File.fdatasync`; that a name exists, or no
longer exists, is durable only after `Disk.fsync_dir` of the directory it is in.
"""

from __future__ import annotations

from typing import Protocol


class File(Protocol):
    """An open file. Positions are explicit; there is no cursor."""

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes at `offset`; fewer than `length` only where the file ends."""
        ...

    def pwrite(self, data: bytes, offset: int) -> None:
        """Write all of `data` at `offset`, or raise; after an error any part of it may have been
        written.
        """
        ...

    def fdatasync(self) -> None:
        """Make the contents and the size durable. After an error nothing may be assumed, not even
        by trying again.
        """
        ...

    def truncate(self, size: int) -> None:
        """Cut or lengthen (with zeros) to `size` bytes."""
        ...

    def reserve(self, size: int) -> None:
        """Lengthen to `size` bytes, with zeros that have their room on the device: what is written
        there later needs no more, and is durable sooner. Does nothing to a file that is as long.
        """
        ...

    def size(self) -> int:
        """Length in bytes."""
        ...

    def close(self) -> None:
        """Give the file back; makes nothing durable. Closing twice does nothing."""
        ...


class Disk(Protocol):
    """A directory tree that belongs to one broker, or to one partition of it."""

    def open(self, path: str) -> File:
        """Open an existing file to read and write; `FileNotFoundError` when there is none."""
        ...

    def create(self, path: str) -> File:
        """Make an empty file; `FileExistsError` when the name is taken."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or directory has this name."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same directory, in one step, replacing what had it."""
        ...

    def remove(self, path: str) -> None:
        """Take a file's name away."""
        ...

    def list(self, path: str) -> list[str]:
        """The names inside a directory, sorted."""
        ...

    def mkdir(self, path: str) -> None:
        """Make a directory and those above it, durably; does nothing when it exists."""
        ...

    def rmdir(self, path: str) -> None:
        """Take an empty directory away; after a crash it may be there again, empty."""
        ...

    def fsync_dir(self, path: str) -> None:
        """Make the names in a directory durable: those that came, those that went."""
        ...

    def free_bytes(self) -> int:
        """Room that is left for ordinary users of the disk."""
        ...
