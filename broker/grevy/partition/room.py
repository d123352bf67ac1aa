"""How much room the disk of a partition has, and what goes on with how little.

* With less than the minimum free, a leader refuses commands of clients and of other partitions, and
  lets due work wait. A follower takes everything.
* With less than half of it, a follower takes no entries and no snapshots.

Exporters read on and checkpoints are taken, after which older log goes. So the disk does not get
full by what is said to a broker, there is room for what is in flight, and nobody has to restart
anything. A disk that others fill is no different, unless it is full before anybody has looked: then
the log fails, and the broker ends.
"""

from __future__ import annotations

import logging
from typing import Final

from grevy.ports import Disk
from grevy.protocol.raft_messages import AppendRequest, RaftMessage, SnapshotChunk

_log = logging.getLogger(__name__)

LOOK_NS: Final = 1_000_000_000
"""Between two looks (Zeebe: the same)."""
RETRY_AFTER_MS: Final = 1_000
"""When a client that was refused should come back."""
_MIB: Final = 1024 * 1024


class DiskRoom:
    """See the module. With a minimum of 0 bytes nothing is watched."""

    def __init__(self, disk: Disk, free_min_bytes: int, partition_id: int) -> None:
        self._disk = disk
        self._free_min_bytes = free_min_bytes
        self._partition_id = partition_id
        self._next_ns = 0
        self.free_bytes = 0
        """At the last look."""
        self.is_low = False
        """Whether there is less than the minimum; until there is a quarter more than that."""
        self.is_out = False
        """Whether there is less than half of it."""

    @property
    def refusal(self) -> str:
        """Why a command is not taken."""
        return (
            f"the disk of partition {self._partition_id} is out of space: "
            f"{self.free_bytes // _MIB} MiB are free, and less than the minimum of "
            f"{self._free_min_bytes // _MIB} MiB"
        )

    def look(self, now_ns: int) -> None:
        """Looks if it is time to. Raises `OSError`."""
        if not self._free_min_bytes or now_ns < self._next_ns:
            return
        self._next_ns = now_ns + LOOK_NS
        self.free_bytes = free = self._disk.free_bytes()
        minimum = self._free_min_bytes
        was = self.is_low, self.is_out
        self.is_low = free < minimum + (minimum // 4 if self.is_low else 0)
        self.is_out = free < minimum // 2 + (minimum // 8 if self.is_out else 0)
        if (self.is_low, self.is_out) != was:
            self._tell()

    def _tell(self) -> None:
        if not self.is_low:
            _log.info(
                "partition %d: its disk has %d MiB free again, all is taken",
                self._partition_id,
                self.free_bytes // _MIB,
            )
            return
        more = ", and no entries of its leader are taken" if self.is_out else ""
        _log.error("%s: commands are refused%s", self.refusal, more)


def takes_room(message: RaftMessage) -> bool:
    """Whether what a leader says is to be written; if it is not heard, it comes again."""
    if isinstance(message, AppendRequest):
        return bool(message.entries)
    return isinstance(message, SnapshotChunk)
