"""The folder of a partition's checkpoints: which there are, and which came from a leader.

checkpoints/<index>/            a checkpoint, see `grevy.state.checkpoint`
checkpoints/<index>/received    line 1: a `Received` as JSON; line 2: its XXH3-128 in hex
"""

from __future__ import annotations

from typing import Final

import msgspec
from xxhash import xxh3_128_hexdigest

from grevy.partition.errors import StorageFailed
from grevy.ports import Disk
from grevy.protocol.raft_messages import GroupMembers
from grevy.state import MANIFEST_FILE

CHECKPOINTS: Final = "checkpoints"
RECEIVED_FILE: Final = "received"


class Received(msgspec.Struct, frozen=True):
    """What raft must know of a checkpoint that came from a leader: the term of its index, and who
    was in the group then.
    """

    index: int
    term: int
    members: GroupMembers


def checkpoint_directories(disk: Disk) -> list[tuple[int, str]]:
    """The checkpoints that were finished, by index, oldest first."""
    return [item for item in all_checkpoints(disk) if disk.exists(f"{item[1]}/{MANIFEST_FILE}")]


def all_checkpoints(disk: Disk) -> list[tuple[int, str]]:
    """The same with those that are not finished."""
    if not disk.exists(CHECKPOINTS):
        return []
    names = [name for name in disk.list(CHECKPOINTS) if name.isdigit()]
    return sorted((int(name), f"{CHECKPOINTS}/{name}") for name in names)


def read_received(disk: Disk, directory: str) -> Received | None:
    """What raft must know of a checkpoint, if it came from a leader. Raises `StorageFailed`."""
    path = f"{directory}/{RECEIVED_FILE}"
    if not disk.exists(path):
        return None
    file = disk.open(path)
    try:
        content, _, checksum = file.pread(file.size(), 0).partition(b"\n")
    finally:
        file.close()
    if checksum != xxh3_128_hexdigest(content).encode() + b"\n":
        raise StorageFailed(f"{path} is damaged")
    return msgspec.json.decode(content, type=Received)


def write_received(disk: Disk, directory: str, received: Received) -> None:
    """Notes it, durably."""
    content = msgspec.json.encode(received)
    file = disk.create(f"{directory}/{RECEIVED_FILE}")
    try:
        file.pwrite(content + b"\n" + xxh3_128_hexdigest(content).encode() + b"\n", 0)
        file.fdatasync()
    finally:
        file.close()
    disk.fsync_dir(directory)
