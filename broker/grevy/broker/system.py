"""The real clock, disk, entropy, locks: the only place that asks the operating system for them."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final, Self

from grevy.protocol.errors import GrevyError
from grevy.protocol.limits import START_FREE_BYTES_MIN

LOCK_FILE: Final = "lock"
_PR_SET_PDEATHSIG: Final = 1


class SystemClock:
    """The clocks of this machine (port `Clock`)."""

    def now_ms(self) -> int:
        """Wall time in epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        """A stopwatch that never goes back."""
        return time.monotonic_ns()


def process_usage() -> dict[str, float]:
    """Processor seconds that this process has used, and its resident memory in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "cpu_s": round(used.ru_utime + used.ru_stime, 3),
        "memory_bytes": pages * resource.getpagesize(),
    }


def log_to_standard_error(speaker: str = "") -> None:
    """Where a broker's processes log; `speaker` says which of several this is."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format=f"%(asctime)s %(levelname)s {speaker}%(message)s",
    )


def take_standard_output() -> BinaryIO:
    """Standard output for this process's reports alone: what else is printed goes to the error
    output.
    """
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return reports


def die_with_parent(parent_pid: int) -> bool:
    """From now on this process is killed when its parent ends; False if that has ended already.

    Where the system cannot do that, the parent's end is to be seen by a pipe that closes.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    return os.getppid() == parent_pid


def keep_from_children(fd: int) -> None:
    """A file that this process has inherited is not passed on: exporters, which live a little
    longer than their broker, would hold its lock.
    """
    os.set_inheritable(fd, False)


class KeptPorts:
    """Free ports, kept for other processes of this broker, which listen there again and again.

    A socket that is bound and does not listen keeps others out, and the system from giving the port
    away, but lets in who says SO_REUSEADDR, as ZeroMQ does.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def take(self, host: str) -> int:
        """A port at `host` that nobody has. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        keeper = socket.socket(family, socket.SOCK_STREAM)
        self._sockets.append(keeper)
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((host.strip("[]"), 0))
        return int(keeper.getsockname()[1])

    def close(self) -> None:
        """Lets go of them."""
        for keeper in self._sockets:
            keeper.close()


class OsEntropy:
    """The operating system's random numbers (port `Entropy`)."""

    def random_bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        return os.urandom(count)

    def random_u64(self) -> int:
        """A random number of 64 bits."""
        return int.from_bytes(os.urandom(8), "little")


class OsFile:
    """A file descriptor (port `File`)."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def pread(self, length: int, offset: int) -> bytes:
        """The bytes at `offset`; short only at the end of the file."""
        data = os.pread(self._fd, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]
        got = len(data)
        while got < length and (data := os.pread(self._fd, length - got, offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def pwrite(self, data: bytes, offset: int) -> None:
        """Write all of `data`, or raise."""
        written = os.pwrite(self._fd, data, offset)
        while written < len(data):
            rest = memoryview(data)[written:]
            written += os.pwrite(self._fd, rest, offset + written)

    def fdatasync(self) -> None:
        """Wait until contents and size are on the device."""
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut or lengthen to `size` bytes."""
        os.ftruncate(self._fd, size)

    def reserve(self, size: int) -> None:
        """Lengthen to `size` bytes, and take the room for them; without the room where the system
        cannot do that.
        """
        length = self.size()
        if size <= length:
            return
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._fd, length, size - length)
        else:
            os.ftruncate(self._fd, size)

    def size(self) -> int:
        """Length in bytes."""
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Close the descriptor; harmless when it is closed already."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


class OsDisk:
    """The tree below a directory of this machine (port `Disk`); the directory is made when it is
    missing. What is opened for who only looks cannot be written.
    """

    def __init__(self, root: Path, *, is_read_only: bool = False) -> None:
        self._root = root.resolve()
        self._access = os.O_RDONLY if is_read_only else os.O_RDWR
        if not is_read_only:
            self._make_durably(self._root)

    def open(self, path: str) -> OsFile:
        """Open an existing file to read and write."""
        return OsFile(os.open(self._at(path), self._access | os.O_CLOEXEC))

    def create(self, path: str) -> OsFile:
        """Make an empty file that only this user can read."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return OsFile(os.open(self._at(path), flags, 0o600))

    def exists(self, path: str) -> bool:
        """Whether the name is taken."""
        return self._at(path).exists()

    def rename(self, old: str, new: str) -> None:
        """Rename in one step."""
        self._at(old).replace(self._at(new))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._at(path).unlink()

    def list(self, path: str) -> list[str]:
        """The names in a directory, sorted."""
        return sorted(os.listdir(self._at(path)))

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents, durably."""
        self._make_durably(self._at(path))

    def rmdir(self, path: str) -> None:
        """Take an empty directory away."""
        self._at(path).rmdir()

    def fsync_dir(self, path: str) -> None:
        """Make the names in a directory durable."""
        _fsync_directory(self._at(path))

    def free_bytes(self) -> int:
        """Room that is left on the file system."""
        status = os.statvfs(self._root)
        return status.f_bavail * status.f_frsize

    def _at(self, path: str) -> Path:
        full = self._root / path
        if ".." in full.parts or not full.is_relative_to(self._root):
            raise PermissionError(f"{path!r} is outside of the disk's root")
        return full

    def _make_durably(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make_durably(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)
        _fsync_directory(directory.parent)


class DiskFull(GrevyError):
    """There is no room for what a start writes."""


def check_room(data: Path) -> None:
    """Raises `DiskFull`, or `OSError`. Without any room at all LMDB, whose lock is a mapped file,
    ends the process by a signal, and says nothing.
    """
    free = OsDisk(data).free_bytes()
    if free < START_FREE_BYTES_MIN:
        raise DiskFull(
            f"the disk of {data} is full: {free // 1024} KiB are free, "
            f"and a broker needs {START_FREE_BYTES_MIN // 1024} KiB to start"
        )


class DataInUse(GrevyError):
    """Another process has the broker's folder open."""


class DataLock:
    """Holds a broker's folder for one process; the system lets go of it when the process ends.

    Opening a log repairs it, which nobody may do while another one writes to it.
    """

    def __init__(self, data: Path) -> None:
        """Takes the folder, which is made when it is missing; raises `DataInUse`, or `OSError`."""
        OsDisk(data)
        self._fd = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise DataInUse(
                f"{data} is in use by a running broker, process {holder}; "
                "every broker needs a folder of its own"
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    @property
    def fd(self) -> int:
        """To be inherited by processes that are part of the broker: it holds as long as one of them
        lives.
        """
        return self._fd

    def release(self) -> None:
        """Lets go of the folder. The file stays: without it two could come in at once."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _fsync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
