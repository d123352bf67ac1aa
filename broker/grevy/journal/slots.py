"""A small value that must survive everything: two copies in one file, each with a checksum and a
sequence number.

    0        4      6     7      8        10  12        16          20         28
    ┌────────┬──────┬─────┬──────┬────────┬───┬─────────┬───────────┬──────────┬──────────────┐
    │ crc32c │ "GS" │ ver │ kind │ length │ 0 │ cluster │ partition │ sequence │ value        │
    │ u32    │ 2 B  │ u8  │ u8   │ u16    │u16│ u32     │ u32       │ u64      │ length bytes │
    └────────┴──────┴─────┴──────┴────────┴───┴─────────┴───────────┴──────────┴──────────────┘
    once at byte 0, once at byte 4096

All numbers are little-endian; the checksum covers everything after it. A slot fits one sector, and
a write touches one slot, so one torn write or one damaged block leaves the other. The readable slot
with the greater sequence is the value.

`write` fills the older slot: after damage to the newer one, `open` finds the value *before* the
last. `write_both` fills one after the other, and then damage to either slot changes nothing. Use
`write` only for what may be read one step too old.

`note` does not sync: it survives the end of the process, not a power cut, which may leave any value
that was noted since the last sync, or the one that was synced. Until the next sync all notes go to
one slot, so that the other is never in doubt.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, Self

from crc32c import crc32c

from grevy.journal.errors import SlotsCorrupted
from grevy.journal.files import read_at
from grevy.ports import Disk, File
from grevy.protocol.errors import NewerVersion

MAGIC: Final = b"GS"
VERSION: Final = 1
SLOT_OFFSETS: Final = (0, 4096)
SLOT_BYTES_MAX: Final = 512

_CHECKSUM: Final = struct.Struct("<I")
_BODY: Final = struct.Struct("<2sBBHHIIQ")


class SlotOwner(NamedTuple):
    """Whose value it is; a file of another owner is refused."""

    cluster_id: int
    partition_id: int
    kind: int
    """What the value means; each use of slots in a broker has its own number."""


class SlotFile:
    """A durable value of at most some hundred bytes."""

    def __init__(self, file: File, owner: SlotOwner, newest: _Slot) -> None:
        self._file = file
        self._owner = owner
        self._sequence, self._value, place = newest
        self._place = 1 - place  # of the slot that may be written
        self.is_synced = True
        """Whether the value is durable."""

    @classmethod
    def create(cls, disk: Disk, directory: str, name: str, owner: SlotOwner, value: bytes) -> Self:
        """Make the file with both slots filled; it appears under its name whole, or not at all."""
        path, draft = f"{directory}/{name}", f"{directory}/{name}.new"
        if disk.exists(draft):
            disk.remove(draft)
        slots = cls(disk.create(draft), owner, _Slot(0, value, 0))
        slots.write_both(value)
        disk.rename(draft, path)
        disk.fsync_dir(directory)
        return slots

    @classmethod
    def open(cls, disk: Disk, path: str, owner: SlotOwner) -> Self:
        """Read the value, and write it back to both slots.

        What was read may be in memory only, if a sync before this start failed: nobody should act
        on it before it is durable. Raises `SlotsCorrupted` when there is no readable slot of this
        owner's, and `OSError` when the disk cannot read.
        """
        file = disk.open(path)
        try:
            newest = _newest(file, path, owner)
        except (SlotsCorrupted, OSError):
            file.close()
            raise
        slots = cls(file, owner, newest)
        slots.write_both(newest.value)
        return slots

    @property
    def value(self) -> bytes:
        """What was written last."""
        return self._value

    def note(self, value: bytes) -> None:
        """Replace the older copy by `value`; not durable yet."""
        sequence = self._sequence + 1
        self.is_synced = False
        self._file.pwrite(_encode(self._owner, sequence, value), SLOT_OFFSETS[self._place])
        self._sequence = sequence
        self._value = value

    def sync(self) -> None:
        """Make what was noted durable."""
        self._file.fdatasync()
        self._place = 1 - self._place
        self.is_synced = True

    def write(self, value: bytes) -> None:
        """Replace the older copy by `value`, durably."""
        self.note(value)
        self.sync()

    def write_both(self, value: bytes) -> None:
        """Replace both copies by `value`, durably, one after the other."""
        self.write(value)
        self.write(value)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_slots(disk: Disk, path: str, owner: SlotOwner) -> bytes:
    """The value, for who only looks; nothing is written. Raises as `SlotFile.open` does."""
    file = disk.open(path)
    try:
        return _newest(file, path, owner).value
    finally:
        file.close()


class _Slot(NamedTuple):
    """A copy that was read: in which place, 0 or 1, and how new it is."""

    sequence: int
    value: bytes
    place: int


def _newest(file: File, path: str, owner: SlotOwner) -> _Slot:
    """The newest readable slot of this owner. One of another's beside it is a block that went to
    the wrong place. Raises `SlotsCorrupted`, and `NewerVersion`.
    """
    readable = []
    why = "neither copy is readable"
    for place, offset in enumerate(SLOT_OFFSETS):
        found = _decode(read_at(file, SLOT_BYTES_MAX, offset), path)
        if found is None:
            continue
        its_owner, sequence, value = found
        if its_owner == owner:
            readable.append(_Slot(sequence, value, place))
        else:
            why = f"belongs to cluster {its_owner.cluster_id}, partition {its_owner.partition_id}"
    if not readable:
        raise SlotsCorrupted(f"{path}: {why}")
    return max(readable)


def _encode(owner: SlotOwner, sequence: int, value: bytes) -> bytes:
    cluster_id, partition_id, kind = owner
    body = _BODY.pack(MAGIC, VERSION, kind, len(value), 0, cluster_id, partition_id, sequence)
    slot = _CHECKSUM.pack(crc32c(value, crc32c(body))) + body + value
    assert len(slot) <= SLOT_BYTES_MAX, "a slot must fit one sector"
    return slot


def _decode(data: bytes, path: str) -> tuple[SlotOwner, int, bytes] | None:
    """Whose a slot is, its sequence and its value; None when it isn't readable. Raises when it is
    of a later form, which has its length and checksum in the same places.
    """
    start = _CHECKSUM.size + _BODY.size
    if len(data) < start:
        return None
    magic, version, kind, length, _, cluster_id, partition_id, sequence = _BODY.unpack_from(
        data, _CHECKSUM.size
    )
    (checksum,) = _CHECKSUM.unpack_from(data)
    if magic != MAGIC or version < VERSION:
        return None
    if crc32c(memoryview(data)[_CHECKSUM.size : start + length]) != checksum:
        return None
    if version > VERSION:
        raise NewerVersion(path, version, VERSION)
    return SlotOwner(cluster_id, partition_id, kind), sequence, data[start : start + length]
