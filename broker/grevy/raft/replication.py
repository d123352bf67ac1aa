"""A leader's sending: entries, heartbeats and snapshots, to each follower what it needs (thesis,
3.5, 5.3 and 10.2).
"""

from __future__ import annotations

from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    Heartbeat,
    HeartbeatResponse,
    SnapshotChunk,
    SnapshotResponse,
)
from grevy.raft.progress import Progress, ProgressState
from grevy.raft.quorum import all_replicas
from grevy.raft.ready import SnapshotPart, SnapshotRead
from grevy.raft.replica import Replica


class Replication:
    """The followers of one leader in one term."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.followers: dict[int, Progress] = {}
        self.round = 0
        """Of the last heartbeats."""
        self.is_settled = False
        """Whether the leader's commit index is the group's."""
        self.is_count_due = False
        """Whether somebody may have more of the log than when it was counted last."""
        self.follow_members()

    def follow_members(self) -> None:
        """Begins with those who have come, leaves those who have gone."""
        replica = self._replica
        ids = all_replicas(replica.members.current) - {replica.node_id}
        self.is_count_due = True
        for node_id in [*self.followers]:
            if node_id not in ids:
                del self.followers[node_id]
        for node_id in sorted(ids - self.followers.keys()):
            self.followers[node_id] = Progress(replica.config, replica.log.last_index + 1)

    def match_of(self, node_id: int) -> int:
        """How far a replica has the log on its disk, as far as that counts for a commit."""
        if node_id == self._replica.node_id:
            return self._replica.log.persisted_index
        progress = self.followers[node_id]
        return 0 if progress.is_repairing else progress.match_index

    def confirmed_round_of(self, node_id: int) -> int:
        """The newest round in which a replica has followed."""
        if node_id == self._replica.node_id:
            return self.round
        return self.followers[node_id].confirmed_round

    def heartbeat(self) -> None:
        """Begins a round: a heartbeat to everybody."""
        replica = self._replica
        self.round += 1
        for node_id, progress in self.followers.items():
            commit_index = min(progress.match_index, replica.commit_index)
            replica.send(
                node_id, Heartbeat(replica.node_id, replica.term, commit_index, self.round)
            )

    def tick(self) -> None:
        """A tick has passed: what was not heard of a snapshot for long is asked for again."""
        for progress in self.followers.values():
            progress.silent_ticks += 1
            if progress.state is ProgressState.SNAPSHOT:
                progress.quiet_ticks += 1
                if progress.quiet_ticks >= self._replica.config.election_ticks:
                    progress.is_waiting = False

    def collect(self) -> None:
        """Sends what there is to send."""
        log = self._replica.log
        for node_id, progress in self.followers.items():
            next_index = progress.next_index
            if next_index > log.last_index and progress.is_content:
                continue
            if not log.can_send_from(next_index):
                self._collect_snapshot(node_id, progress)
                continue
            if progress.state is ProgressState.SNAPSHOT:
                progress.end_snapshot()
            self._collect_entries(node_id, progress)

    def on_append_response(self, message: AppendResponse) -> None:
        """A follower has entries on its disk, or lacks the one before."""
        progress = self._heard(message.sender, message.round, message.repair_id)
        if progress is None or message.round < progress.round_min:
            return
        log = self._replica.log
        if message.is_rejected:
            progress.rejected(log.newest_not_after(message.match_index, message.hint_term))
        else:
            assert message.match_index <= log.last_index, "a follower has what it was sent"
            progress.accepted(message.match_index)

    def on_heartbeat_response(self, message: HeartbeatResponse) -> None:
        """A follower is there: what is without an answer may have been lost on the way."""
        progress = self._heard(message.sender, message.round, message.repair_id)
        if progress is None or progress.state is ProgressState.SNAPSHOT:
            return
        if progress.state is ProgressState.PROBE:
            progress.is_waiting = False
        elif progress.match_index < progress.next_index - 1 or progress.is_repairing:
            progress.is_question_due = True

    def on_snapshot_response(self, message: SnapshotResponse) -> None:
        """A follower has stored a part of a snapshot, or installed it."""
        progress = self._heard(message.sender, message.round, 0)
        if progress is None or message.round < progress.round_min:
            return
        if message.is_installed:
            progress.accepted(message.index)
        elif progress.state is ProgressState.SNAPSHOT and message.index == progress.snapshot_index:
            progress.snapshot_offset = message.offset
            progress.quiet_ticks = 0
            # The last part is answered twice: stored, then installed.
            progress.is_waiting = message.offset == progress.snapshot_bytes

    def on_snapshot_part(self, node_id: int, part: SnapshotPart) -> None:
        """The embedder has read a part of a snapshot."""
        replica = self._replica
        progress = self.followers.get(node_id)
        if progress is None or progress.state is not ProgressState.SNAPSHOT:
            return
        assert part.data, "a part of a snapshot has bytes"
        # A leader that has just begun may not know yet that this is committed.
        assert part.index <= replica.log.last_index, "a snapshot is of what the log has, or had"
        if part.index != progress.snapshot_index:
            if part.offset != 0:
                return
            progress.snapshot_index, progress.snapshot_offset = part.index, 0
        progress.snapshot_bytes = part.total_bytes
        progress.quiet_ticks = 0
        chunk = SnapshotChunk(
            replica.node_id,
            replica.term,
            part.index,
            part.term,
            replica.members.at(part.index),
            part.offset,
            part.total_bytes,
            part.data,
            self.round,
        )
        replica.send(node_id, chunk)

    def _heard(self, node_id: int, round_: int, repair_id: int) -> Progress | None:
        progress = self.followers.get(node_id)
        if progress is None:
            return None
        progress.silent_ticks = 0
        self.is_count_due = True
        if repair_id and repair_id != progress.repair_id:
            self.round += 1
            progress.begin_repair(
                repair_id, round_now=self.round, next_index=self._replica.log.last_index + 1
            )
        elif not repair_id and progress.is_repairing and round_ >= progress.round_min:
            progress.is_repairing = progress.repair_index == 0
        if not progress.is_repairing:
            progress.confirmed_round = max(progress.confirmed_round, round_)
        return progress

    def _collect_entries(self, node_id: int, progress: Progress) -> None:
        replica = self._replica
        if progress.is_repairing and self.is_settled and not progress.repair_index:
            progress.repair_index = replica.commit_index
            progress.is_waiting = False
            progress.is_question_due = progress.state is ProgressState.REPLICATE
        if progress.is_question_due:
            progress.is_question_due = False
            self._send(node_id, progress, max_bytes=0)
        if progress.state is ProgressState.PROBE and progress.can_send:
            self._send(node_id, progress)
        while progress.next_index <= replica.log.last_index and progress.can_send:
            self._send(node_id, progress)

    def _send(self, node_id: int, progress: Progress, max_bytes: int | None = None) -> None:
        """One message with entries; without, if `max_bytes` is 0 or there are none."""
        replica = self._replica
        log = replica.log
        previous = progress.next_index - 1
        if max_bytes is None:
            max_bytes = replica.config.append_bytes_max
        entries = log.read(previous + 1, max_bytes) if max_bytes else ()
        request = AppendRequest(
            replica.node_id,
            replica.term,
            previous,
            log.term_at(previous),
            replica.commit_index,
            self.round,
            entries,
            progress.repair_id if progress.repair_index else 0,
            progress.repair_index,
        )
        replica.send(node_id, request)
        if entries:
            progress.sent(entries[-1].index, sum([len(entry.payload) for entry in entries]))
        elif progress.state is ProgressState.PROBE:
            progress.is_waiting = True

    def _collect_snapshot(self, node_id: int, progress: Progress) -> None:
        replica = self._replica
        if progress.state is not ProgressState.SNAPSHOT:
            progress.begin_snapshot()
        if progress.is_waiting:
            return
        progress.is_waiting = True
        progress.quiet_ticks = 0
        offset, bytes_max = progress.snapshot_offset, replica.config.snapshot_chunk_bytes
        if progress.snapshot_bytes and offset == progress.snapshot_bytes:
            offset = max(0, offset - bytes_max)  # whatever comes, the follower says what it lacks
        replica.snapshot_reads.append(
            SnapshotRead(node_id, progress.snapshot_index, offset, bytes_max)
        )
