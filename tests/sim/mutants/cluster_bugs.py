"""Bugs above raft: what replicated engines have really got wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final
from unittest.mock import patch

from tests.partition.test_exporters_behind import test_an_exporter_begins_when_the_log_names_it
from tests.sim.mutants.bug import Bug, fault_of_calm_cluster, fault_of_cluster, fault_of_story

from grevy.engine import Command, SentCommand
from grevy.engine.processors import PROCESSORS
from grevy.engine.processors.creation import cancel_instance
from grevy.engine.processors.jobs import complete_job
from grevy.engine.step import Step
from grevy.engine.stores.requests import RequestStore
from grevy.engine.tables import RememberedAnswer
from grevy.exporting import Acknowledgement, ExporterDriver
from grevy.partition import Partition, PartitionStorage, checkpoints
from grevy.partition.checkpoints import Checkpoints
from grevy.partition.exporter_positions import ExporterPosition, ExporterPositions
from grevy.partition.log_time import LogTime
from grevy.partition.record_subscriptions import RecordSubscriptions
from grevy.protocol.intents import Intent, JobIntent, ProcessInstanceIntent, RejectionType
from grevy.protocol.messages import (
    CommandReply,
    CommandRequest,
    OpenRecordSubscription,
)
from grevy.protocol.raft_messages import SnapshotChunk
from grevy.protocol.record import Answer, RequestId
from grevy.raft import Role
from grevy.stream import JobSubscription, StreamProcessor, Topics
from grevy.transport import Peer

fault_of_slow_disk: Final = partial(
    fault_of_calm_cluster,
    flush_us=10_000,
    slow_broker=2,
    checkpoint_us=100,
    checkpoint_period_s=0.05,
    power_cut=1.0,
    crash_every_us=500_000,
    down_us=10_000,
)
"""Where a disk is behind the copies of the state on it, and power fails."""

fault_of_haste: Final = partial(
    fault_of_calm_cluster, impatience=0.5, flush_us=50_000, cut_every_us=1_000_000
)
"""Where clients ask again before they can have an answer, and leaders are cut off."""

fault_of_exporters: Final = partial(
    fault_of_calm_cluster,
    orders=40,
    diligence=0.05,
    checkpoint_period_s=0.2,
    segment_bytes=4_096,
    transfer_every_us=1_000_000,
    disconnect_every_us=300_000,
)
"""Where logs are short, and exporters are slow and move."""

fault_of_bad_exporters: Final = partial(
    fault_of_exporters,
    diligence=0.3,
    acknowledge_after_ms=500,
    export_fails=0.3,
    exporter_ends_every_us=500_000,
    crash_every_us=2_000_000,
)
"""Where they fail, acknowledge late, and begin again."""

fault_of_killed_copies: Final = partial(
    fault_of_calm_cluster,
    orders=40,
    checkpoint_period_s=0.2,
    checkpoint_us=200_000,
    crash_every_us=700_000,
    down_us=10_000,
)
"""Where brokers are killed while they copy their state."""

fault_of_wipes: Final = partial(
    fault_of_calm_cluster,
    orders=40,
    checkpoint_period_s=0.2,
    segment_bytes=4_096,
    crash_every_us=2_000_000,
    down_us=4_000_000,
    wipe=1.0,
    transfer_every_us=1_000_000,
)
"""Where replicas come by snapshot, and lead."""

fault_of_clocks: Final = partial(
    fault_of_calm_cluster,
    clock_every_us=1_000_000,
    transfer_every_us=500_000,
)
"""Where clocks are set, and leaders change."""

fault_of_transfers: Final = partial(
    fault_of_calm_cluster, transfer_every_us=500_000, order_pause_us=400_000
)
"""Where leads are handed over while all connections stay."""

fault_of_cancels: Final = partial(fault_of_calm_cluster, cancels=0.5, work_us=100_000)
"""Where orders are cancelled while they are worked on."""

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


def _abandon_nothing(self: StreamProcessor) -> list[RequestId]:
    return []


def _abandon_but_the_state(self: StreamProcessor) -> list[RequestId]:
    self._in_flight.clear()
    self._made.clear()
    self._next_position = self._state.applied_position + 1
    return []


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


def _wall_time(self: LogTime) -> int:
    return self._clock.now_ms()


def _go_back(self: ExporterPositions, exporter_id: str, position: int, metadata: bytes) -> None:
    self._known[exporter_id] = ExporterPosition(position, metadata)
    self._is_changed = True


def _confirm_what_was_seen(self: ExporterDriver) -> Acknowledgement | None:
    self._confirmed = self._handed = self._seen
    return _take_acknowledgement(self)


def _drop_a_failed_batch(self: ExporterDriver) -> None:
    delivered, self._delivered = self._delivered, ()
    self._handed = delivered[-1].position
    self._exporter.export(delivered)


def _nothing_is_held(storage: PartitionStorage) -> int | None:
    return None


def _begin_at_once(
    self: RecordSubscriptions, peer: Peer, request: OpenRecordSubscription, *, is_alone: bool
) -> None:
    if request.exporter_id:
        self._storage.exporters.register(request.exporter_id)
    self._begin(peer, request)


def _begin_at_the_newest(
    self: RecordSubscriptions, peer: Peer, request: OpenRecordSubscription, *, is_alone: bool
) -> None:
    known = self._storage.exporters.get(request.exporter_id)
    if known is not None and known.position == 0:
        newest = self._storage.state.applied_position
        self._storage.exporters.acknowledge(request.exporter_id, newest, b"")
    _open_records(self, peer, request, is_alone=is_alone)


def _recover_nothing(self: ExporterPositions, described: str) -> None:
    pass


_take_acknowledgement = ExporterDriver._take_acknowledgement
_open_records = RecordSubscriptions.open


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


def _answer_a_cancel(step: Step, command: Command) -> None:
    if step.views.elements.get(command.key) is None:
        cancel_instance(step, command)
    else:
        step.answer(ProcessInstanceIntent.ELEMENT_TERMINATING, command.key)


def _refuse_a_cancel(step: Step, command: Command) -> None:
    step.reject(command, RejectionType.NOT_FOUND, "somebody looked in the wrong table")


def _complete_and_refuse(step: Step, command: Command) -> None:
    request, step.request = step.request, None
    complete_job(step, command)
    if request is not None:
        intent, reason = int(command.intent), "the job is gone, since this has completed it"
        answer = Answer(intent, command.key, None, RejectionType.NOT_FOUND, reason)
        step.reply(request, answer)


def _processed(
    name: str, intent: Intent, new: Callable[[Step, Command], None], hunt: Callable[[int], str]
) -> Bug:
    return Bug(
        name,
        hunt=hunt,
        plant=lambda stack: stack.enter_context(patch.dict(PROCESSORS, {intent: new})),
    )


def _bug(
    name: str,
    owner: object,
    attribute: str,
    replacement: object,
    hunt: Callable[[int], str] = fault_of_cluster,
    seeds: tuple[int, ...] = (),
) -> Bug:
    return Bug(name, {(owner, attribute): replacement}, seeds, hunt)


CLUSTER_BUGS: Final = (
    _bug("a reply is given before the commit", Partition, "_on_command", _answer_at_once),
    _bug("who steps down abandons nothing", StreamProcessor, "abandon", _abandon_nothing),
    _bug(
        "its state keeps what was not committed",
        *(StreamProcessor, "abandon", _abandon_but_the_state),
    ),
    _bug(
        "what is asked again is done again",
        *(StreamProcessor, "recall", _recall_nothing, fault_of_haste),
    ),
    _bug(
        "a request is answered by what is not committed",
        *(StreamProcessor, "recall", _recall_the_uncommitted, fault_of_haste),
    ),
    _bug(
        "answers are not remembered by the state",
        *(RequestStore, "remember", _remember_in_memory, fault_of_haste),
    ),
    _bug(
        "followers do not learn how far exporters are",
        *(ExporterPositions, "take", _take_no_positions, fault_of_exporters),
    ),
    _bug(
        "exporters do not hold the log",
        *(ExporterPositions, "positions", _no_positions, fault_of_exporters),
    ),
    _bug(
        "a checkpoint of what is not on the own disk",
        *(Checkpoints, "run_if_due", _checkpoint_at_any_time, fault_of_slow_disk),
    ),
    _bug(
        "a snapshot is installed and the engine stays",
        *(Partition, "_install", _install_the_state_only, fault_of_wipes),
    ),
    _bug("a leader serves before it has all", Partition, "on_role", _serve_at_once),
    _bug("one that leads no longer goes on serving", Partition, "on_role", _serve_on),
    _bug(
        "the log has the time of the leader's wall",
        *(LogTime, "now_ms", _wall_time, fault_of_clocks),
    ),
    _bug(
        "workers are not told that their leader has gone",
        *(Topics, "close_all", _tell_no_workers, fault_of_transfers, (1,)),
    ),
    _bug("nothing is sent to other partitions again", StreamProcessor, "resend", _never_again),
    _bug(
        "a command does not say which partition it is from",
        *(Partition, "on_remote_command", _from_nowhere),
    ),
    _bug(
        "an exporter's position goes back",
        *(ExporterPositions, "acknowledge", _go_back, fault_of_bad_exporters),
    ),
    _bug(
        "what an exporter has not taken is acknowledged",
        *(ExporterDriver, "_take_acknowledgement", _confirm_what_was_seen, fault_of_bad_exporters),
    ),
    _bug(
        "what an exporter failed to take is not given to it again",
        *(ExporterDriver, "_export_delivered", _drop_a_failed_batch, fault_of_bad_exporters),
    ),
    _bug(
        "an exporter that has acknowledged nothing begins at the end",
        *(RecordSubscriptions, "open", _begin_at_the_newest, fault_of_exporters),
    ),
    _bug(
        "an exporter begins before the log names it",
        *(RecordSubscriptions, "open", _begin_at_once),
        partial(fault_of_story, story=test_an_exporter_begins_when_the_log_names_it),
    ),
    _bug(
        "the log is compacted whatever exporters need",
        *(checkpoints, "held_index", _nothing_is_held, fault_of_exporters),
    ),
    _bug(
        "a start does not know of exporters what its checkpoint knows",
        *(ExporterPositions, "recover", _recover_nothing, fault_of_killed_copies, (3,)),
    ),
    _processed(
        "a cancel is answered, and nothing is cancelled",
        *(ProcessInstanceIntent.CANCEL, _answer_a_cancel, fault_of_cancels),
    ),
    _processed(
        "an instance that runs is not found by a cancel",
        *(ProcessInstanceIntent.CANCEL, _refuse_a_cancel, fault_of_cancels),
    ),
    _processed(
        "a job is completed, and its worker is told that it is gone",
        *(JobIntent.COMPLETE, _complete_and_refuse, fault_of_cancels),
    ),
)
