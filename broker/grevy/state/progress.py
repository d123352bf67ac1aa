"""How far the log is in a backend: stored beside the rows, in the same transaction."""

from __future__ import annotations

from typing import Final

import msgspec

from grevy.state.backend import Backend

PROGRESS_KEY: Final = b"\x00progress"
"""Below all tables' rows (their numbers begin with 1), and no part of the state hash."""


class Progress(msgspec.Struct, frozen=True, array_like=True):
    """The last applied entry (Raft index), the last applied record (position), and the hash of the
    state after them.

    Both are 0 before the first entry.
    """

    applied_index: int = 0
    applied_position: int = 0
    state_hash: int = 0


def encode_progress(progress: Progress) -> bytes:
    """The value of `PROGRESS_KEY`."""
    return msgspec.msgpack.encode(progress)


def read_progress(backend: Backend) -> Progress:
    """What `backend` says of itself; an empty one has seen no entry."""
    data = backend.get(PROGRESS_KEY)
    return Progress() if data is None else msgspec.msgpack.decode(data, type=Progress)
