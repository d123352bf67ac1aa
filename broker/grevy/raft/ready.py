"""What passes between the core and its embedder, but for calls."""

from __future__ import annotations

from msgspec import Struct

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import GroupMembers, RaftMessage, SnapshotChunk


class HardState(Struct, frozen=True):
    """What must be durable before anybody hears of it: the term, whom this replica voted for in it
    (0: nobody), and whether it has lost something and is not repaired yet.
    """

    term: int = 0
    vote: int = 0
    is_recovering: bool = False


class Envelope(Struct, frozen=True, gc=False):
    """A message and the node id of the replica that it is for."""

    receiver: int
    message: RaftMessage


class Membership(Struct, frozen=True):
    """Who is in the group from the entry at `index` of `term` on; index 0 is the group as it
    began.
    """

    index: int
    term: int
    members: GroupMembers


class LogStart(Struct, frozen=True):
    """The last entry before the log's first: it and all before it are in a snapshot."""

    index: int
    term: int


class SnapshotRead(Struct, frozen=True):
    """A follower needs the bytes of a snapshot from `offset` on, at most `bytes_max`. `index` 0
    asks for the newest snapshot there is; otherwise, if that one is gone, the newest may be given
    instead, from offset 0.
    """

    follower: int
    index: int
    offset: int
    bytes_max: int


class SnapshotPart(Struct, frozen=True):
    """Bytes of the snapshot at `index`, whose entry was of `term`, which lie at `offset` in a
    stream of `total_bytes`.
    """

    index: int
    term: int
    offset: int
    total_bytes: int
    data: bytes


class ConfirmedRead(Struct, frozen=True):
    """The read with this number may be answered from a state that has applied `index`."""

    number: int
    index: int


class Ready(Struct, frozen=True):
    """What the embedder has to do now. `RaftStorage.write` does what concerns the disk, in this
    order: hard state and memberships, `reset` or `truncate_after`, entries. Then the messages may
    leave, and then comes the rest.
    """

    hard_state: HardState | None
    """To be made durable, if any."""
    entries: tuple[JournalEntry, ...]
    """To be appended, when the log is as `reset` or `truncate_after` wants it."""
    messages: tuple[Envelope, ...]
    """To be sent when all that concerns the disk is written; entries need not be flushed."""
    committed_index: int
    """How far the log is committed; a follower is told of what its own disk has."""
    reset: LogStart | None = None
    """The log is forgotten and begins anew after a snapshot that was installed."""
    truncate_after: int | None = None
    """Entries after this one are not the leader's: to be removed, durably."""
    memberships: tuple[Membership, ...] | None = None
    """The members that the log names, to be made durable before the entries are appended."""
    snapshot_reads: tuple[SnapshotRead, ...] = ()
    """Parts of a snapshot to be read, for `RawNode.snapshot_read`."""
    snapshot_chunks: tuple[SnapshotChunk, ...] = ()
    """Parts of a leader's snapshot to be stored, for `RawNode.snapshot_stored`. One at offset 0
    begins anew: what was stored of another is void."""
    confirmed_reads: tuple[ConfirmedRead, ...] = ()
    """Reads that may be answered, for what `RawNode.request_read` gave."""
