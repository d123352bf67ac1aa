"""Reading files of the log."""

from __future__ import annotations

import errno

from grevy.ports import File


def read_at(file: File, length: int, offset: int) -> bytes:
    """The bytes at `offset`, fewer than `length` only where the file ends.

    A disk that gives less of what it has, as some do under stress, has not lost it: that is an
    `OSError`, to be tried again, and neither a tear nor damage.
    """
    data = file.pread(length, offset)
    if len(data) < length and offset + len(data) < file.size():
        raise OSError(errno.EIO, f"read {len(data)} of {length} bytes, and the file goes on")
    return data
