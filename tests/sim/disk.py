"""A disk that hurts (port `Disk`): it keeps apart what programs see and what is on the device.

`crash` draws one of the disks that a power cut may legally leave: of what was not synced, each
512-byte sector is on the device, or not, or damaged; each new, changed or removed name is there or
not. `fail` makes a call fail, once, as real disks do: after a failed sync the system forgets what
was dirty, so the next sync succeeds and proves nothing.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

SECTOR_BYTES: Final = 512
FREE_BYTES: Final = 1 << 40
CHANCES: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""How much of what was not synced survives; one is drawn for each crash, since extremes find other
bugs than means.
"""
DAMAGE_CHANCE: Final = 0.1
"""How often a crash damages sectors that were being written, rather than only losing them."""


@dataclass(slots=True)
class Write:
    """Bytes that were written, and not synced."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Write them; a gap before them is zeros."""
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def sectors(self) -> list[Write]:
        """The same write in the pieces that a device writes whole."""
        pieces, start = [], 0
        while start < len(self.data):
            end = start + SECTOR_BYTES - (self.offset + start) % SECTOR_BYTES
            pieces.append(Write(self.offset + start, self.data[start:end]))
            start = end
        return pieces


@dataclass(slots=True)
class Resize:
    """A new size that is not synced."""

    size: int

    def apply(self, content: bytearray) -> None:
        """Cut, or lengthen with zeros."""
        del content[self.size :]
        content.extend(bytes(self.size - len(content)))


@dataclass(slots=True)
class Inode:
    """One file: what programs see, what is on the device, and the changes between the two."""

    seen: bytearray = field(default_factory=bytearray)
    stable: bytearray = field(default_factory=bytearray)
    changes: list[Write | Resize] = field(default_factory=list)
    stable_from: int = 0
    """The device's bytes have changed from here on since somebody who looks at them set this."""

    def change(self, change: Write | Resize) -> None:
        """Change what programs see."""
        change.apply(self.seen)
        self.changes.append(change)

    def sync(self) -> None:
        """Bring all changes to the device."""
        for change in self.changes:
            change.apply(self.stable)
            start = change.offset if isinstance(change, Write) else change.size
            self.stable_from = min(self.stable_from, start)
        self.changes.clear()

    def crash(self, rng: Random, survival: float) -> Inode:
        """The file as a power cut leaves it."""
        content = bytearray(self.stable)
        damage = DAMAGE_CHANCE if rng.random() < DAMAGE_CHANCE else 0.0
        for change in self.changes:
            pieces = change.sectors() if isinstance(change, Write) else [change]
            for piece in pieces:
                if rng.random() >= survival:
                    continue
                if isinstance(piece, Write) and rng.random() < damage:
                    piece = Write(piece.offset, _flip(rng, piece.data))
                piece.apply(content)
        return Inode(bytearray(content), content)


@dataclass(frozen=True, slots=True)
class Renaming:
    """Names of one directory that changed in one step: path to file, or to None when it went."""

    directory: str
    names: dict[str, Inode | None]

    def apply(self, names: dict[str, Inode]) -> None:
        """Change the names."""
        for path, inode in self.names.items():
            if inode is None:
                names.pop(path, None)
            else:
                names[path] = inode


class SimFile:
    """An open file of a `SimDisk` (port `File`)."""

    def __init__(self, disk: SimDisk, inode: Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._is_closed = False

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes at `offset`."""
        self._check("pread")
        return bytes(self._inode.seen[offset : offset + length])

    def pwrite(self, data: bytes, offset: int) -> None:
        """Write; when it is to fail, the first half is written."""
        try:
            self._check("pwrite")
        except OSError:
            self._inode.change(Write(offset, data[: len(data) // 2]))
            raise
        self._inode.change(Write(offset, bytes(data)))
        self._disk.changed()

    def fdatasync(self) -> None:
        """Sync; when it is to fail, what was dirty counts as clean from then on, and never gets to
        the device.
        """
        try:
            self._check("fdatasync")
        except OSError:
            self._inode.changes.clear()
            raise
        self._inode.sync()
        self._disk.changed()

    def truncate(self, size: int) -> None:
        """Cut or lengthen."""
        self._check("truncate")
        self._inode.change(Resize(size))
        self._disk.changed()

    def reserve(self, size: int) -> None:
        """Lengthen; the room is not at stake here."""
        self._check("reserve")
        if size > len(self._inode.seen):
            self._inode.change(Resize(size))
            self._disk.changed()

    def size(self) -> int:
        """Length in bytes."""
        self._check("size")
        return len(self._inode.seen)

    def close(self) -> None:
        """Close; syncs nothing."""
        self._is_closed = True

    def _check(self, operation: str) -> None:
        if self._is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._disk.check(operation)


class SimDisk:
    """Files in memory. `on_change` is called after each step that alters what a crash may leave."""

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self.on_change = on_change
        self._names: dict[str, Inode] = {}
        self._stable_names: dict[str, Inode] = {}
        self._renamings: list[Renaming] = []
        self._directories = {""}
        self._failures: dict[str, tuple[int, int]] = {}

    def crash(self, rng: Random, survival: float | None = None) -> SimDisk:
        """A disk that a power cut may leave now; this one goes on. `survival` is the share of
        un-synced things kept.
        """
        share = rng.choice(CHANCES) if survival is None else survival
        names = dict(self._stable_names)
        for renaming in self._renamings:
            if rng.random() < share:
                renaming.apply(names)
        after = SimDisk()
        after._directories = set(self._directories)
        after._names = {path: inode.crash(rng, share) for path, inode in names.items()}
        after._stable_names = dict(after._names)
        return after

    def fail(self, operation: str, code: int, skip: int = 0) -> None:
        """Let the call of `operation` (a method's name) that comes after `skip` others raise
        `OSError(code)`, once.
        """
        self._failures[operation] = (skip, code)

    def mend(self) -> None:
        """No call fails any more."""
        self._failures.clear()

    def changed(self) -> None:
        """A step was taken; for the files of this disk."""
        if self.on_change is not None:
            self.on_change()

    def check(self, operation: str) -> None:
        """Raise if this call is the one to fail."""
        if operation not in self._failures:
            return
        skip, code = self._failures.pop(operation)
        if skip == 0:
            raise OSError(code, os.strerror(code))
        self._failures[operation] = (skip - 1, code)

    def contents(self, path: str) -> bytearray:
        """What programs see in a file; a test may change it, as damage on the device would."""
        return self._names[path].seen

    def files(self) -> list[str]:
        """The paths of all files that programs see."""
        return sorted(self._names)

    def directories(self) -> list[str]:
        """The paths of all directories."""
        return sorted(self._directories - {""})

    def stable_files(self) -> dict[str, Inode]:
        """The files whose names are on the device; who looks at them changes nothing."""
        return self._stable_names

    def stable_copy(self, path: str) -> SimDisk:
        """A disk that has one file only, as it is on the device; none if the device doesn't name
        it.
        """
        copy = SimDisk()
        if path in self._stable_names:
            content = bytearray(self._stable_names[path].stable)
            copy._names[path] = copy._stable_names[path] = Inode(content, bytearray(content))
        return copy

    def damage(self, rng: Random, path: str, *, keeps_size: bool = False) -> str:
        """Damage a file on the device, as if it had been so for long; says how. The device has a
        few ways to hurt: a bit, a sector that is gone, one that is written to another's place, an
        end that is missing (not if it `keeps_size`).
        """
        inode = self._names[path]
        size = len(inode.seen)
        if not size:
            return "nothing"
        at = rng.randrange(size)
        sector = at - at % SECTOR_BYTES
        old = bytes(inode.seen[sector : sector + SECTOR_BYTES])
        other = rng.randrange(size) // SECTOR_BYTES * SECTOR_BYTES
        new = {
            "bit": _flip(rng, old),
            "zeros": bytes(len(old)),
            "misdirected": bytes(inode.seen[other : other + len(old)]).ljust(len(old), b"\0"),
        }
        kind = rng.choice(sorted(new) if keeps_size else (*sorted(new), "cut"))
        if kind == "cut":
            for content in (inode.seen, inode.stable):
                del content[sector:]
            inode.stable_from = 0
            return f"cut of {path} at {sector}"
        for content in (inode.seen, inode.stable):
            Write(sector, new[kind][: max(0, len(content) - sector)]).apply(content)
        inode.stable_from = min(inode.stable_from, sector)
        return f"{kind} in {path} at {sector}"

    def open(self, path: str) -> SimFile:
        """Open a file."""
        self.check("open")
        return SimFile(self, self._inode(path))

    def create(self, path: str) -> SimFile:
        """Make an empty file; its name is not durable yet."""
        self.check("create")
        if path in self._names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        inode = Inode()
        self._rename(path, {path: inode})
        return SimFile(self, inode)

    def exists(self, path: str) -> bool:
        """Whether the name is taken."""
        return path in self._names or path in self._directories

    def rename(self, old: str, new: str) -> None:
        """Rename; the new name is not durable yet."""
        self.check("rename")
        self._rename(new, {old: None, new: self._inode(old)})

    def remove(self, path: str) -> None:
        """Remove a name; it may come back until the directory is synced."""
        self.check("remove")
        self._inode(path)
        self._rename(path, {path: None})

    def list(self, path: str) -> list[str]:
        """Names in a directory."""
        self.check("list")
        names = {*self._names, *self._directories} - {""}
        return sorted(name.rpartition("/")[2] for name in names if _parent(name) == path)

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents, durably."""
        self.check("mkdir")
        while path:
            self._directories.add(path)
            path = _parent(path)

    def rmdir(self, path: str) -> None:
        """Take an empty directory away."""
        self.check("rmdir")
        if self.list(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        self._directories.remove(path)
        self.changed()

    def fsync_dir(self, path: str) -> None:
        """Make the names in a directory durable."""
        self.check("fsync_dir")
        for renaming in self._renamings:
            if renaming.directory == path:
                renaming.apply(self._stable_names)
        self._renamings = [each for each in self._renamings if each.directory != path]
        self.changed()

    def free_bytes(self) -> int:
        """Always plenty."""
        return FREE_BYTES

    def _inode(self, path: str) -> Inode:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._names[path]

    def _rename(self, path: str, names: dict[str, Inode | None]) -> None:
        renaming = Renaming(_parent(path), names)
        renaming.apply(self._names)
        self._renamings.append(renaming)
        self.changed()


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _flip(rng: Random, data: bytes) -> bytes:
    """The same bytes with one bit turned over."""
    damaged = bytearray(data)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)
