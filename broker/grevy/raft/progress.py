"""What a leader knows of one follower, and how much it sends it (thesis, 10.2.1).

              rejected                      the log begins after what it needs
    PROBE ◀──────────────▶ REPLICATE  ───▶  SNAPSHOT
      ▲        accepted                        │
      └────────────────────────────────────────┘
                      installed

PROBE looks for the place where the logs agree, with one message at a time. REPLICATE sends on
without waiting, as far as the window allows. SNAPSHOT sends no entries.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from grevy.raft.config import RaftConfig


class ProgressState(Enum):
    """How a leader sends to a follower."""

    PROBE = "probe"
    REPLICATE = "replicate"
    SNAPSHOT = "snapshot"


class Progress:
    """One follower, as its leader sees it."""

    def __init__(self, config: RaftConfig, next_index: int) -> None:
        self._config = config
        self.state = ProgressState.PROBE
        self.match_index = 0
        """The follower has the log on its disk up to here."""
        self.next_index = next_index
        """The next entry to send."""
        self.silent_ticks = 0
        """Since it was heard."""
        self.is_waiting = False
        """Whether a probe, or a part of a snapshot, is on its way."""
        self.is_question_due = False
        """Whether it is to be asked, by a message without entries, whether it has what was sent."""
        self.confirmed_round = 0
        """The newest round that it answered."""
        self.repair_id = 0
        """The number under which it waits to be repaired, or did."""
        self.is_repairing = False
        """Whether it has lost data and is not whole yet: it confirms and counts for nothing."""
        self.repair_index = 0
        """How far the log was committed when that became known; 0 while this is not known."""
        self.round_min = 0
        """What it answered to older rounds was said before it lost data."""
        self.snapshot_index = 0
        """The snapshot that is being sent; 0 before one is known."""
        self.snapshot_offset = 0
        """What it has of that."""
        self.snapshot_bytes = 0
        """How large that is."""
        self.quiet_ticks = 0
        """Since a piece of the snapshot went, or was asked for."""
        self._probed = (0, 0)
        self._inflight: deque[tuple[int, int]] = deque()
        self._inflight_bytes = 0

    @property
    def can_send(self) -> bool:
        """Whether another message with entries may go."""
        if self.state is ProgressState.REPLICATE:
            config = self._config
            return (
                len(self._inflight) < config.inflight_messages_max
                and self._inflight_bytes < config.inflight_bytes_max
            )
        return self.state is ProgressState.PROBE and not self.is_waiting

    @property
    def is_content(self) -> bool:
        """Whether it wants nothing but entries that it was not sent yet."""
        return (
            self.state is ProgressState.REPLICATE
            and not self.is_question_due
            and not self.is_repairing
        )

    def is_near(self, index: int) -> bool:
        """Whether it has the log up to an index, counts, and was heard of lately."""
        return (
            self.state is ProgressState.REPLICATE
            and not self.is_repairing
            and self.match_index >= index
            and self.silent_ticks < self._config.election_ticks
        )

    def sent(self, last_index: int, size: int) -> None:
        """Entries up to `last_index` are on their way, with `size` bytes of payload."""
        if self.state is ProgressState.PROBE:
            self.is_waiting = True
            self._probed = (last_index, size)
            return
        assert last_index >= self.next_index, "entries"
        self.next_index = last_index + 1
        self._inflight.append((last_index, size))
        self._inflight_bytes += size

    def accepted(self, match_index: int) -> None:
        """The follower's log agrees up to here, durably."""
        self.match_index = max(self.match_index, match_index)
        while self._inflight and self._inflight[0][0] <= match_index:
            self._inflight_bytes -= self._inflight.popleft()[1]
        if self.state is ProgressState.PROBE:
            probed_index, size = self._probed
            self._become(ProgressState.REPLICATE, self.match_index + 1)
            if probed_index >= self.next_index:
                self.sent(probed_index, size)
        self.next_index = max(self.next_index, self.match_index + 1)

    def rejected(self, agreeing_index: int) -> None:
        """The logs agree at most up to here."""
        if self.state is ProgressState.SNAPSHOT or agreeing_index < self.match_index:
            return
        if self.state is ProgressState.PROBE and agreeing_index + 1 >= self.next_index:
            return  # an old answer: this one was taken up
        self._become(ProgressState.PROBE, min(agreeing_index + 1, self.next_index))

    def begin_snapshot(self) -> None:
        """The follower needs what the log does not have any more."""
        self._become(ProgressState.SNAPSHOT, self.next_index)
        self.snapshot_index = self.snapshot_offset = self.snapshot_bytes = 0

    def end_snapshot(self) -> None:
        """The log has what the follower needs."""
        self._become(ProgressState.PROBE, self.match_index + 1)

    def begin_repair(self, repair_id: int, *, round_now: int, next_index: int) -> None:
        """The follower has lost what it may have acknowledged: nothing is known of it any more."""
        self._become(ProgressState.PROBE, next_index)
        self.match_index = 0
        self.repair_id, self.is_repairing, self.repair_index = repair_id, True, 0
        self.round_min = round_now

    def _become(self, state: ProgressState, next_index: int) -> None:
        self.state = state
        self.next_index = next_index
        self.is_waiting = self.is_question_due = False
        self.quiet_ticks = 0
        self._probed = (0, 0)
        self._inflight.clear()
        self._inflight_bytes = 0
