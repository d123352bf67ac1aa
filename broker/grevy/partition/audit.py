"""Whether the replicas of a partition have the same state.

    leader: question ─▶ log ─▶ each replica notes the hash of its state there
    leader: answer, with its own hash of there ─▶ log ─▶ a replica that noted another one stops

Both are entries that the engine never sees. All replicas take a question up behind the same entry,
so nothing but a difference of their states can make another hash. Whoever has it, the leader or the
other, cannot be told by two: the one that follows stops, and where the leader is the one that is
wrong, its followers stop and no majority goes on with it.

    ┌────────────────────┬──────────────────────┬───────────────────┐
    │ ff ff ff ff "GRSH" │ index of the question│ hash of the state │
    │ 8 B                │ u64, 0 in a question │ u64               │
    └────────────────────┴──────────────────────┴───────────────────┘
"""

from __future__ import annotations

import struct
from typing import Final

from grevy.partition.errors import StateDiverged
from grevy.raft import NOT_OF_ENGINE
from grevy.state import State

AUDIT_NS: Final = 60_000_000_000
"""After so long a question is due, if anything has come since the last one."""
_MAGIC: Final = NOT_OF_ENGINE + b"GRSH"
_PLACE: Final = struct.Struct("<QQ")


class StateAudit:
    """One replica's part; a question is due after `records` records, or after a while."""

    def __init__(self, partition_id: int, records: int) -> None:
        self._partition_id = partition_id
        self._records = records
        self._noted = (0, 0)
        """Index of the last question, and the hash of the state there."""
        self._is_answer_due = False
        self._asked_position = 0
        self._asked_at_ns: int | None = None
        self.compared_index = 0
        """Of the last question to which this replica has heard an answer that is its own too."""

    def payload_if_due(self, now_ns: int, position: int) -> bytes | None:
        """The leader's next question or answer; `position` is that of the newest record, `now_ns` a
        stopwatch's.
        """
        if self._is_answer_due:
            self._is_answer_due = False
            return _MAGIC + _PLACE.pack(*self._noted)
        if self._asked_at_ns is None:
            self._asked_position, self._asked_at_ns = position, now_ns
        new = position - self._asked_position
        if new < self._records and not (new and now_ns >= self._asked_at_ns + AUDIT_NS):
            return None
        self._asked_position, self._asked_at_ns = position, now_ns
        return _MAGIC + _PLACE.pack(0, 0)

    def forget(self) -> None:
        """The state is another one, from a snapshot: what was noted of the old one is void."""
        self._noted = (0, 0)
        self._is_answer_due = False

    def take(self, payload: bytes, index: int, state: State, *, is_leading: bool) -> None:
        """An entry of this kind is committed, and `state` is what all before it has made. Raises
        `StateDiverged`.
        """
        assert is_of_audit(payload)
        asked_index, state_hash = _PLACE.unpack_from(payload, len(_MAGIC))
        if not asked_index:
            self._noted = index, state.hash
            self._is_answer_due = is_leading
            return
        noted_index, noted_hash = self._noted
        if noted_index != asked_index:
            return  # it came by a snapshot, or has begun, since
        if noted_hash != state_hash:
            raise StateDiverged(
                f"partition {self._partition_id}: at index {asked_index} the state has the hash "
                f"{noted_hash:016x} here, and {state_hash:016x} at the leader; if the other "
                "replicas agree with the leader, this one's folder is to be deleted"
            )
        self.compared_index = asked_index


def is_of_audit(payload: bytes) -> bool:
    """Whether an entry's payload is a question or an answer of an audit."""
    return payload.startswith(_MAGIC)
