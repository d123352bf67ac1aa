"""Bugs above raft: what replicated engines have really got wrong."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from tests.sim.cluster import SimCluster
from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.cluster_runner import run_cluster
from tests.sim.mutants.bug import Bug

from grevy.engine import Command, SentCommand
from grevy.engine.stores.requests import RequestStore
from grevy.engine.tables import RememberedAnswer
from grevy.partition import Partition
from grevy.partition.checkpoints import Checkpoints
from grevy.partition.exporter_positions import ExporterPositions
from grevy.protocol.messages import CommandReply, CommandRequest
from grevy.protocol.raft_messages import SnapshotChunk
from grevy.protocol.record import Answer, RequestId
from grevy.raft import Role
from grevy.stream import JobSubscription, StreamProcessor, Topics
from grevy.transport import Peer


def fault_of_cluster(seed: int) -> str:
    """What is wrong in one run of a cluster; empty when nothing is."""
    logging.disable(logging.CRITICAL)
    return run_cluster(seed).fault


def fault_of_slow_disk(seed: int) -> str:
    """The same where a disk is behind the copies of the state on it, and power fails."""
    logging.disable(logging.CRITICAL)
    cluster = SimCluster(
        seed,
        ClusterKnobs(
            flush_us=10_000,
            slow_broker=2 + seed % 2,
            checkpoint_us=100,
            checkpoint_period_s=0.05,
            power_cut=1.0,
            crash_every_us=500_000,
            down_us=10_000,
        ),
    )
    try:
        cluster.run()
    except Exception as error:  # noqa: BLE001 - a bug shows itself in many ways
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


_on_command = Partition._on_command
_on_role = Partition.on_role
_on_remote_command = Partition.on_remote_command


def _answer_at_once(self: Partition, peer: Peer, request: CommandRequest) -> None:
    in_flight = self._stream._in_flight
    before = len(in_flight)
    _on_command(self, peer, request)
    for owed in list(in_flight)[before:]:
        for reply in owed.replies:
            self._send(peer, CommandReply(reply.request.number, reply.answer))


def _abandon_nothing(self: StreamProcessor) -> None:
    pass


def _abandon_but_the_state(self: StreamProcessor) -> None:
    self._in_flight.clear()
    self._made.clear()
    self._next_position = self._state.applied_position + 1


def _recall_nothing(self: StreamProcessor, request: RequestId) -> Answer | bool | None:
    return None


def _recall_the_uncommitted(self: StreamProcessor, request: RequestId) -> Answer | bool | None:
    held, self._in_flight = self._in_flight, type(self._in_flight)()
    try:
        return _recall(self, request)
    finally:
        self._in_flight = held


_recall = StreamProcessor.recall


def _take_no_positions(self: ExporterPositions, payload: bytes) -> None:
    pass


def _no_positions(self: ExporterPositions) -> dict[str, int]:
    return {}


def _checkpoint_at_any_time(self: Checkpoints, now_ns: int) -> None:
    if self._last_ns < 0:
        self._last_ns = now_ns
    period_ns = self._storage.options.checkpoint_period_s * 1e9
    if now_ns - self._last_ns < period_ns or self._running is not None:
        return
    self._last_ns = now_ns
    index = self._storage.state.applied_index
    if index > self._last_index and not self._has(index):
        self.begin()


async def _install_the_state_only(self: Partition, chunk: SnapshotChunk) -> None:
    state = await self._snapshots.load(chunk)
    await self._checkpoints.wait_idle()
    if state is not None:
        self._storage.replace_state(state)
    self._pipeline.installed(chunk.index, is_whole=state is not None)


def _serve_at_once(self: Partition, role: Role) -> None:
    _on_role(self, role)
    if role is Role.LEADER:
        self._serve()


def _serve_on(self: Partition, role: Role) -> None:
    was_serving = self._is_serving
    _on_role(self, role)
    self._is_serving = was_serving


def _wall_time(self: Partition) -> int:
    return self._clock.now_ms()


def _tell_no_workers(self: Topics) -> list[JobSubscription]:
    return []


def _never_again(self: StreamProcessor, now: int) -> Sequence[SentCommand]:
    return ()


def _from_nowhere(self: Partition, command: Command, source_partition_id: int) -> None:
    _on_remote_command(self, command, 0)


def _remember_in_memory(
    self: RequestStore, request: RequestId, answer: RememberedAnswer, now: int
) -> None:
    pass


def _bug(name: str, owner: type, attribute: str, replacement: object, *seeds: int) -> Bug:
    return Bug(name, {(owner, attribute): replacement}, seeds, fault_of_cluster)


CLUSTER_BUGS: Final = (
    _bug("a reply is given before the commit", Partition, "_on_command", _answer_at_once, 1),
    _bug("who steps down abandons nothing", StreamProcessor, "abandon", _abandon_nothing, 3),
    _bug(
        "its state keeps what was not committed",
        *(StreamProcessor, "abandon", _abandon_but_the_state, 3),
    ),
    _bug("what is asked again is done again", StreamProcessor, "recall", _recall_nothing, 2),
    _bug(
        "a request is answered by what is not committed",
        *(StreamProcessor, "recall", _recall_the_uncommitted),
    ),
    _bug(
        "answers are not remembered by the state", RequestStore, "remember", _remember_in_memory, 2
    ),
    _bug(
        "followers do not learn how far exporters are",
        *(ExporterPositions, "take", _take_no_positions, 20),
    ),
    _bug("exporters do not hold the log", ExporterPositions, "positions", _no_positions, 9),
    Bug(
        "a checkpoint of what is not on the own disk",
        {(Checkpoints, "run_if_due"): _checkpoint_at_any_time},
        (2,),
        fault_of_slow_disk,
    ),
    _bug(
        "a snapshot is installed and the engine stays",
        *(Partition, "_install", _install_the_state_only, 22),
    ),
    _bug("a leader serves before it has all", Partition, "on_role", _serve_at_once, 3),
    _bug("one that leads no longer goes on serving", Partition, "on_role", _serve_on, 3),
    _bug("the log has the time of the leader's wall", Partition, "_now", _wall_time, 8),
    _bug(
        "workers are not told that their leader has gone", Topics, "close_all", _tell_no_workers, 4
    ),
    _bug("nothing is sent to other partitions again", StreamProcessor, "resend", _never_again, 3),
    _bug(
        "a command does not say which partition it is from",
        *(Partition, "on_remote_command", _from_nowhere, 2),
    ),
)
