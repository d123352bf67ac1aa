"""A disk that hurts (port `Disk`): it keeps apart what programs see and what is on the device.

`crash` draws one of the disks that a power cut may legally leave: of what was not synced, each
512-byte sector is on the device, or not, or damaged; each new, changed or removed name is there or
not. `fail` makes a call fail, once, as real disks do: after a failed sync the system forgets what
was dirty, so the next sync succeeds and proves nothing; `SHORT` lets a read give less than there
is. `damage` is what a device does to what was durable long ago, `lose` what a file system does to a
name.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

SECTOR_BYTES: Final = 512
FREE_BYTES: Final = 1 << 40
CHANCES: Final = (0.0, 0.1, 0.5, 0.9, 1.0)
"""How much of what was not synced survives; one is drawn for each crash, since extremes find other
bugs than means.
"""
BLOCK_BYTES: Final = 4096
"""What a file system writes at once, and a device forgets at once."""

VERSIONS_MAX: Final = 6
"""Older contents of a file that its device may bring back."""

REMEMBERED_BYTES_MAX: Final = 1 << 17
"""Of longer files they are not kept."""

SHORT: Final = 0
"""In place of an error's number: a read gives the first half of what it was asked for."""

GARBAGE: Final = ("bit", "cut", "misdirected", "zeros")
"""The ways in which a device spoils a part of a file; see `SimDisk.damage`."""

DAMAGES: Final = (*GARBAGE, "lost write", "stale")
"""These, and those after which a part is what it was once, with all its checksums."""

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
    older: deque[bytes] = field(default_factory=partial(deque, maxlen=VERSIONS_MAX))
    """What was on the device before the last syncs, as far as it is remembered."""

    def change(self, change: Write | Resize) -> None:
        """Change what programs see."""
        change.apply(self.seen)
        self.changes.append(change)

    def sync(self) -> None:
        """Bring all changes to the device."""
        if self.changes and len(self.stable) <= REMEMBERED_BYTES_MAX:
            self.older.append(bytes(self.stable))
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
        return Inode(bytearray(content), content, older=self.older.copy())

    def put(self, offset: int, data: bytes) -> None:
        """Let the device have other bytes, as if it had always had them; its length stays."""
        for content in (self.seen, self.stable):
            Write(offset, data[: max(0, len(content) - offset)]).apply(content)
        self.stable_from = min(self.stable_from, offset)


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
        data = bytes(self._inode.seen[offset : offset + length])
        if self._check("pread"):
            return data[: len(data) // 2]
        return data

    def pwrite(self, data: bytes, offset: int) -> None:
        """Write; when it is to fail, the first half is written. A full disk takes what needs no
        more room.
        """
        try:
            self._check("pwrite")
            if offset + len(data) > len(self._inode.seen):
                self._disk.check_room()
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
        self._disk.stable_version += 1
        self._disk.changed()

    def truncate(self, size: int) -> None:
        """Cut or lengthen."""
        self._check("truncate")
        self._inode.change(Resize(size))
        self._disk.changed()

    def reserve(self, size: int) -> None:
        """Lengthen; by half as much when it is to fail. A full disk has no room."""
        length = len(self._inode.seen)
        try:
            self._check("reserve")
            if size > length:
                self._disk.check_room()
        except OSError:
            if size > length:
                self._inode.change(Resize((length + size) // 2))
            raise
        if size > length:
            self._inode.change(Resize(size))
            self._disk.changed()

    def size(self) -> int:
        """Length in bytes."""
        self._check("size")
        return len(self._inode.seen)

    def close(self) -> None:
        """Close; syncs nothing."""
        self._is_closed = True

    def _check(self, operation: str) -> bool:
        if self._is_closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._disk.check(operation)


class SimDisk:
    """Files in memory. `on_change` is called after each step that alters what a crash may leave."""

    def __init__(self, on_change: Callable[[], None] | None = None) -> None:
        self.on_change = on_change
        self._names: dict[str, Inode] = {}
        self._stable_names: dict[str, Inode] = {}
        self._renamings: list[Renaming] = []
        self._directories = {""}
        self._failures: dict[str, tuple[int, int]] = {}
        self.is_full = False
        """Whether nothing new has room."""
        self.refused = 0
        """What a full disk has refused."""
        self.short_reads = 0
        self.stable_version = 0
        """Grows when what is on the device changes."""

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
        after.is_full, after.refused, after.short_reads = (
            self.is_full, self.refused, self.short_reads,
        )  # fmt: skip
        after._names = {path: inode.crash(rng, share) for path, inode in names.items()}
        after._stable_names = dict(after._names)
        return after

    def fail(self, operation: str, code: int, skip: int = 0) -> None:
        """Let the call of `operation` (a method's name) that comes after `skip` others raise
        `OSError(code)`, once.
        """
        self._failures[operation] = (skip, code)

    def mend(self) -> None:
        """No call fails any more, and there is room."""
        self._failures.clear()
        self.is_full = False

    def changed(self) -> None:
        """A step was taken; for the files of this disk."""
        if self.on_change is not None:
            self.on_change()

    def check(self, operation: str) -> bool:
        """Raise if this call is the one to fail; whether it gives less than it should."""
        if operation not in self._failures:
            return False
        skip, code = self._failures.pop(operation)
        if skip:
            self._failures[operation] = (skip - 1, code)
        elif code == SHORT:
            self.short_reads += 1
            return True
        else:
            raise OSError(code, os.strerror(code))
        return False

    def check_room(self) -> None:
        """Raise if the disk is full."""
        if self.is_full:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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

    def damage(
        self,
        rng: Random,
        path: str,
        *,
        keeps_size: bool = False,
        kinds: Sequence[str] = GARBAGE,
    ) -> str:
        """Damage a file on the device, as if it had been so for long; says how, beginning with the
        kind. One of `kinds` is drawn, `cut` not if the file `keeps_size`:

        bit          one is turned over
        cut          the end is missing
        lost write   what was written last went to another place, maybe in another file, and what
                     was there before is there again
        misdirected  a sector of another place, maybe of another file, is here
        stale        a sector or a block has a content that it had before
        zeros        a sector is empty
        """
        self.stable_version += 1
        possible = sorted(kind for kind in kinds if kind != "cut" or not keeps_size)
        inode = self._names[path]
        if not inode.seen or not possible:
            return "nothing"
        kind = rng.choice(possible)
        if kind in ("stale", "lost write"):
            return self._bring_back(rng, path, kind)
        sector = _some_used_sector(rng, inode.seen)
        if kind == "cut":
            for content in (inode.seen, inode.stable):
                del content[sector:]
            inode.stable_from = 0
            return f"cut of {path} at {sector}"
        old = bytes(inode.seen[sector : sector + SECTOR_BYTES])
        if kind == "bit":
            new = _flip(rng, old)
        elif kind == "zeros":
            new = bytes(len(old))
        else:
            new = self._some_sector(rng, path).ljust(len(old), b"\0")[: len(old)]
        inode.put(sector, new)
        return f"{kind} in {path} at {sector}"

    def _some_sector(self, rng: Random, path: str) -> bytes:
        """A sector of a file, or of another one."""
        others = [each for each in self.files() if self._names[each].seen]
        content = self._names[rng.choice(others) if rng.random() < 0.5 else path].seen
        start = _some_used_sector(rng, content)
        return bytes(content[start : start + SECTOR_BYTES])

    def _bring_back(self, rng: Random, path: str, kind: str) -> str:
        """An older content of a block is here again; of a write that was lost, the newer one is in
        another place, where it does harm too. That is in a file of the same kind: what vouches for
        what was lost is not hurt together with it.
        """
        inode = self._names[path]
        size = rng.choice((SECTOR_BYTES, BLOCK_BYTES))
        older = _some_version(rng, inode)
        places = [
            at
            for at in range(0, len(inode.seen), size)
            if older[at : at + size].ljust(len(inode.seen[at : at + size]), b"\0")
            != inode.seen[at : at + size]
        ]
        if not places:
            return "nothing"
        at = rng.choice(places)
        newer = bytes(inode.seen[at : at + size])
        inode.put(at, older[at : at + size].ljust(len(newer), b"\0"))
        where = f"{kind} in {path} at {at}"
        if kind == "stale":
            return where
        others = [each for each in self.files() if each != path and each.endswith(path[-4:])]
        other = self._names[rng.choice([path, *others])]
        landed = rng.randrange(max(len(other.seen), 1)) // size * size
        if other is not inode or landed != at:
            other.put(landed, newer)
        return f"{where}, and elsewhere at {landed}"

    def lose(self, path: str) -> None:
        """A name is gone, though nobody has removed it."""
        self.stable_version += 1
        for names in (self._names, self._stable_names):
            names.pop(path, None)
        self._renamings = [each for each in self._renamings if path not in each.names]

    def wipe(self) -> None:
        """All is gone, directories too."""
        for path in self.files():
            self.lose(path)
        self._directories = {""}

    def open(self, path: str) -> SimFile:
        """Open a file."""
        self.check("open")
        return SimFile(self, self._inode(path))

    def create(self, path: str) -> SimFile:
        """Make an empty file; its name is not durable yet."""
        self.check("create")
        self.check_room()
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
        self.stable_version += 1
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


def _some_version(rng: Random, inode: Inode) -> bytes:
    """What a file was once; often one that was not only shorter, if there is one: what has come
    since is missed sooner than what was something else.
    """
    changed = [old for old in inode.older if not inode.seen.startswith(old.rstrip(b"\0"))]
    versions = changed if changed and rng.random() < 0.7 else inode.older
    return rng.choice(versions) if versions else bytes(inode.seen)


def _some_used_sector(rng: Random, content: bytearray) -> int:
    """Where a sector begins that is not all zeros, if there is one: others matter little."""
    starts = range(0, len(content), SECTOR_BYTES)
    used = [start for start in starts if any(content[start : start + SECTOR_BYTES])]
    return rng.choice(used or starts)


def _flip(rng: Random, data: bytes) -> bytes:
    """The same bytes with one bit turned over."""
    damaged = bytearray(data)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)
