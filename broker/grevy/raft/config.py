"""What an embedder may decide about a replica, with why."""

from __future__ import annotations

from msgspec import Struct

from grevy.protocol.limits import RAFT_REPLICAS_MAX, RAFT_VOTERS_MAX


class RaftConfig(Struct, frozen=True):
    """One replica of one group. Ids are from 1; times are in ticks, whose length is the embedder's.

    `voters` and `learners` are the group as it began, the same on all its first replicas; what the
    log says of later members comes before it. A replica that is added to a group that runs has
    none: it waits to hear from a leader.
    """

    node_id: int
    voters: tuple[int, ...]
    learners: tuple[int, ...] = ()
    election_ticks: int = 10
    """A follower that hears nothing for so long stands for election, after what `priority` and
    chance add; a leader that hears from no quorum for so long steps down; a replica that has heard
    from a leader within this time gives nobody else its vote. At least 2 and more than
    `heartbeat_ticks`: ten heartbeats may be lost before anybody doubts a leader (Raft, 5.6)."""
    heartbeat_ticks: int = 1
    """A leader's time between two heartbeats."""
    priority: int = 1
    """Rank of this replica, from 1 to `priority_max`: each that is missing to it adds half of
    `election_ticks` to the wait, so that in calm weather the first in rank is the first to stand
    (Zeebe's priority election)."""
    priority_max: int = 1
    """The highest rank in the group; 1 where nobody is preferred."""
    append_bytes_max: int = 1024 * 1024
    """Payload in one `AppendRequest`, but for a single entry that is larger."""
    inflight_messages_max: int = 64
    """`AppendRequest`s to one follower that may be without an answer."""
    inflight_bytes_max: int = 8 * 1024 * 1024
    """Payload in these: what a slow follower may hold in its leader's and its own queues."""
    tail_bytes_max: int = 8 * 1024 * 1024
    """Newest entries that stay in memory for followers; older ones are read from the log. Nothing
    stays where there are no followers."""
    snapshot_chunk_bytes: int = 512 * 1024
    """Piece in which a snapshot is sent: small enough that heartbeats are not late behind it."""

    def validate(self) -> None:
        """Raises ValueError for a replica that cannot be run."""
        if self.node_id < 1:
            raise ValueError(f"node_id: expected 1 or more, got {self.node_id}")
        ids = (*self.voters, *self.learners)
        if len(set(ids)) != len(ids) or min(ids, default=1) < 1:
            raise ValueError(f"voters, learners: expected different ids from 1, got {ids}")
        if len(self.voters) > RAFT_VOTERS_MAX or len(ids) > RAFT_REPLICAS_MAX:
            raise ValueError(f"voters: expected at most {RAFT_VOTERS_MAX}, got {self.voters}")
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise ValueError(
                f"heartbeat_ticks: expected 1 to {self.election_ticks - 1}, "
                f"got {self.heartbeat_ticks}"
            )
        if not 1 <= self.priority <= self.priority_max:
            raise ValueError(f"priority: expected 1 to {self.priority_max}, got {self.priority}")
        for name in (
            "append_bytes_max",
            "inflight_messages_max",
            "inflight_bytes_max",
            "snapshot_chunk_bytes",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
