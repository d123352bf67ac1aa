"""What the journal has promised: up to which entry everything was flushed, and where the log
begins.

A bad frame at the end of the log is either a write that a crash tore, which nobody was told about,
or damage to what was acknowledged. The frame cannot tell; what vouches for a flush is what was
written after it:

* the promise, which is noted in `flushed.meta` as soon as the frames are synced and before the
  flush is reported. The note is not synced: it outlives the process, not a power cut. It is synced
  ("settled") by the first flush that asks for it, which the owner does when the log has a rest, and
  now and then when it has none (`partition/commit.py`: after 0.2 s, and every second).
* every frame, which says how far the log was durable when it was written (`frame`): a flush that
  came after vouches for all before it, wherever the notes are.

So a flush costs one sync, and with one fault at a time:

* a bad frame at or below `flushed`, or below what a frame behind it says, is damage: the journal
  refuses to open;
* a bad frame above that was never acknowledged: it is cut off, with all that follows;
* the newer slot is damaged, or its note was lost in a power cut: the promise is too old, and the
  frames it no longer covers are whole and are kept.

What cannot be decided is damage to a frame of the last flush *and* the loss of the promise for it,
be it by damage to the newer slot or by a power cut that came before the promise was settled: it
looks as if the crash had come before that flush ended. Peers, or a backup, have to know better.

The promise falls only when the log is cut or begun anew; both slots are then written before any
file changes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from grevy.journal.frame import Link

PROMISE_NAME: Final = "flushed.meta"
PROMISE_KIND: Final = 1
"""The kind of these slots; see `SlotOwner`."""

_LAYOUT: Final = struct.Struct("<IIQQIQQ")


class Promise(NamedTuple):
    """Everything that must be known besides the segments."""

    first_segment_id: int
    """Segments with smaller ids are leftovers of a compaction."""
    before: Link
    """The entry that the first one continues."""
    flushed: Link
    """The last entry that is surely on the disk."""

    def encode(self) -> bytes:
        """The bytes for a slot."""
        before, flushed = self.before, self.flushed
        return _LAYOUT.pack(
            self.first_segment_id,
            before.checksum,
            before.index,
            before.term,
            flushed.checksum,
            flushed.index,
            flushed.term,
        )

    @classmethod
    def decode(cls, value: bytes) -> Promise:
        """The reverse of `encode`."""
        first_segment_id, *numbers = _LAYOUT.unpack(value)
        before_checksum, before_index, before_term, checksum, index, term = numbers
        before = Link(before_index, before_term, before_checksum)
        return cls(first_segment_id, before, Link(index, term, checksum))


NEW_LOG: Final = Promise(1, Link(0, 0, 0), Link(0, 0, 0))
"""The promise of a log in which nothing was written: it begins with index 1."""
