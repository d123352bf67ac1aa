"""One replica of a partition at work: as its leader, requests in, entries through the log, effects
out; as a follower, the leader's entries in.

    request ─▶ stream processor ─▶ entry ─▶ commit pipeline (raft, journal, fsync in a thread)
                                                  │ committed
    reply, pushed jobs, record feed ◀─────────────┘

Nothing here waits: requests of one turn of the loop are processed one after another, appended
together and flushed together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from grevy.engine import CLIENT_COMMANDS, PARTITION_COMMANDS, Command, Engine, SentCommand
from grevy.partition.audit import StateAudit, is_of_audit
from grevy.partition.checkpoints import Checkpoints
from grevy.partition.commit import CommitPipeline
from grevy.partition.exporter_positions import is_of_exporters
from grevy.partition.group import Group
from grevy.partition.log_time import LogTime
from grevy.partition.record_subscriptions import RecordSubscriptions
from grevy.partition.requests import fault_of_jobs, fault_of_records
from grevy.partition.room import RETRY_AFTER_MS as ROOM_AFTER_MS
from grevy.partition.room import DiskRoom, takes_room
from grevy.partition.snapshots import Snapshots
from grevy.partition.storage import PartitionStorage
from grevy.partition.threads import MakeThread, one_thread
from grevy.ports import Clock, Entropy
from grevy.protocol.intents import JobBatchIntent, JobIntent
from grevy.protocol.limits import IN_FLIGHT_MAX, JOBS_PER_ACTIVATION_MAX
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    CloseSubscription,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    JobPush,
    OpenJobSubscription,
    OpenRecordSubscription,
    Request,
    ServerItem,
    SubscriptionClosed,
)
from grevy.protocol.raft_messages import RaftMessage, SnapshotChunk
from grevy.protocol.record import Answer, RequestId
from grevy.protocol.values import JobBatchValue
from grevy.raft import RaftConfig, Role, SnapshotPart, is_of_engine
from grevy.stream import JobSubscription, Leases, StreamProcessor, Topics, joined_pushes
from grevy.stream.processor import Effects
from grevy.transport import Peer

_log = logging.getLogger(__name__)

RETRY_AFTER_MS: Final = 50
"""When a refused client should come back: a few group commits later."""

TICK_S: Final = 0.02
"""How exactly timers fire; Zeebe: 0.1."""

ALONE: Final = RaftConfig(node_id=1, voters=(1,))
"""The group of a partition that has one replica."""

_LEASE_ENDS: Final = frozenset({JobIntent.COMPLETE, JobIntent.FAIL, JobIntent.THROW_ERROR})


class Outbox(Protocol):
    """Where messages to clients go."""

    def send(self, peer: Peer, item: ServerItem) -> None:
        """Queues an item for a client; it goes out with the others of this turn of the loop."""

    def flush(self) -> None:
        """Sends what is queued now."""


class Partition:
    """A replica of a partition, one of `partition_count`; `group` says who else has it.

    `send` takes messages for other replicas by their node id. `post` takes commands for other
    partitions once what they follow from is committed; they may be lost, and the engine sends them
    again. `on_lead` hears when this replica begins and ceases to take requests.
    """

    def __init__(
        self,
        partition_id: int,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        storage: PartitionStorage,
        *,
        entropy: Entropy,
        on_failed: Callable[[BaseException], None],
        partition_count: int = 1,
        group: RaftConfig = ALONE,
        post: Callable[[SentCommand], None] | None = None,
        send: Callable[[int, RaftMessage], None] | None = None,
        on_lead: Callable[[int, bool], None] | None = None,
        make_thread: MakeThread = one_thread,
    ) -> None:
        self.partition_id = partition_id
        self._loop = loop
        self._clock = clock
        self._storage = storage
        self._entropy = entropy
        self._partition_count = partition_count
        self._topics = Topics()
        self._leases = Leases()
        self._post = post
        self._on_lead = on_lead
        self._engine = self._make_engine()
        self._stream = StreamProcessor(self._engine, storage.state)
        self._records = RecordSubscriptions(storage, self._send)
        self._peers: dict[bytes, Peer] = {}
        self._outbox: Outbox | None = None
        self._time = LogTime(clock, storage.log.last_timestamp())
        self._is_serving = False
        self._failure: BaseException | None = None
        self._settled = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._installation: asyncio.Task[None] | None = None
        self._on_failed = on_failed
        self._pipeline = CommitPipeline(
            *(loop, storage.raft, group, self),
            entropy=entropy,
            applied_index=storage.state.applied_index,
            send=send or _send_nothing,
            on_failed=self._fail,
            thread=make_thread("grevy-flush"),
            clock=clock,
        )
        self.group: Final = Group(self._pipeline, lambda: self._is_serving)
        """Who else has this partition, and how that is changed."""
        self._checkpoints = Checkpoints(
            loop, storage, make_thread("grevy-checkpoint"), on_failed=self._fail
        )
        self._snapshots = Snapshots(loop, storage, make_thread("grevy-snapshot"))
        self._audit = StateAudit(partition_id, storage.options.audit_records)
        self._room = DiskRoom(storage.disk, storage.options.disk_free_min_bytes, partition_id)

    @property
    def term(self) -> int:
        """The newest term that this replica knows of."""
        return self._pipeline.term

    @property
    def role(self) -> Role:
        """What this replica is."""
        return self._pipeline.role

    @property
    def leader(self) -> int:
        """Whom this replica follows, as a node id; 0 for nobody."""
        return self._pipeline.leader

    @property
    def is_healthy(self) -> bool:
        """Whether the others can count on this replica: it works, and has all that it ever had."""
        return self._failure is None and not self._pipeline.is_recovering

    @property
    def has_room(self) -> bool:
        """Whether its disk has room for commands; a leader without should hand its lead over."""
        return not self._room.is_low

    @property
    def is_serving(self) -> bool:
        """Whether it leads and takes requests."""
        return self._is_serving

    async def start(self, outbox: Outbox) -> None:
        """Takes up its place in the group. The only replica takes the lead, replays what the
        checkpoint does not have, and is ready for requests when this returns.

        Raises what made the partition fail, if that comes first.
        """
        self.begin(outbox)
        if self._pipeline.is_alone:
            await self._settled.wait()
        if self._failure is not None:
            raise self._failure

    def begin(self, outbox: Outbox) -> None:
        """Takes up its place in the group; messages and requests can come from now on."""
        self._outbox = outbox
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._pipeline.start()

    def stand(self) -> None:
        """Stands for election without waiting, if nobody leads."""
        self._pipeline.stand()

    def on_message(self, message: RaftMessage) -> None:
        """A message of another replica; `on_drained` does what follows from it."""
        if self._room.is_out and takes_room(message):
            return
        try:
            self._pipeline.step(message)
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)

    async def stop(self) -> None:
        """Lets what is in flight commit, and closes the log."""
        if self._timer is not None:
            self._timer.cancel()
        if self._failure is None:
            self._propose()
        if self._installation is not None:
            await asyncio.wait([self._installation])
        await self._pipeline.stop()
        await self._checkpoints.stop()
        await self._snapshots.stop()
        self._storage.close()

    def on_request(self, peer: Peer, request: Request) -> None:
        """A request of a client that concerns this partition."""
        try:
            self._take(peer, request)
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)

    def _take(self, peer: Peer, request: Request) -> None:
        match request:
            case CommandRequest():
                self._on_command(peer, request)
            case AddCredit():
                self._on_credit(peer, request)
            case OpenJobSubscription():
                self._open_jobs(peer, request)
            case OpenRecordSubscription():
                self._open_records(peer, request)
            case AcknowledgeRecords():
                self._acknowledge(peer, request)
            case CloseSubscription():
                self._close_subscription(peer, request.subscription)
            case _:
                raise AssertionError(f"{type(request).__name__} is not for a partition")

    def on_remote_command(self, command: Command, source_partition_id: int) -> None:
        """A command that another partition sends. Who cannot take it lets it go: it comes again."""
        if not self._is_serving or self._stream.in_flight >= IN_FLIGHT_MAX or self._room.is_low:
            return
        if command.intent not in PARTITION_COMMANDS:
            _log.warning("partition %d sends %s", source_partition_id, command.intent.name)
            return
        try:
            self._stream.submit(
                command, self._time.now_ms(), source_partition_id=source_partition_id
            )
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)

    def on_drained(self) -> None:
        """The turn's requests are processed: they are appended and flushed together."""
        if self._failure is not None:
            return
        try:
            if self._is_serving and self._stream.has_pending:
                self._stream.go_on(self._time.now_ms())
                if self._stream.has_pending:
                    self._loop.call_soon(self.on_drained)
            self._propose()
            self._pipeline.advance()
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)

    def _propose(self) -> None:
        for payload in self._stream.take_entries():
            self._pipeline.propose(payload)

    def on_vanished(self, peer: Peer) -> None:
        """A client is gone: its jobs go back at once."""
        if self._failure is not None:
            return
        try:
            for subscription in self._topics.owned_by(peer):
                self._topics.close(peer, subscription.number)
                self._take_back(subscription)
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)
        self._records.close_all(peer)
        if self._peers.get(peer.client_id) is peer:
            del self._peers[peer.client_id]
        self.on_drained()

    def exporter_positions(self) -> dict[str, int]:
        """What each exporter has acknowledged."""
        return self._storage.exporters.positions()

    @property
    def last_position(self) -> int:
        """The position of the newest record."""
        return self._stream.next_position - 1

    def statistics(self) -> dict[str, object]:
        """Figures for people and dashboards."""
        return {
            "id": self.partition_id,
            "records": self.last_position,
            "in_flight": self._stream.in_flight,
            "commands_processed": self._stream.commands_processed,
            "entries_replayed": self._stream.entries_replayed,
            "jobs_leased": self._leases.count,
            "checkpoints_taken": self._checkpoints.taken,
            "disk_free_bytes": self._room.free_bytes,
            "compared_index": self._audit.compared_index,
            **{f"credit of {topic}": n for topic, n in self._topics.statistics().items()},
            **self._pipeline.statistics(),
            **self._storage.statistics(),
        }

    # ── requests ──────────────────────────────────────────────────────────────────────────────────

    def _on_command(self, peer: Peer, request: CommandRequest) -> None:
        self._peers[peer.client_id] = peer
        refusal = self._refusal(request)
        if refusal is not None:
            self._send(peer, refusal)
            return
        identity = RequestId(peer.client_id, request.number)
        recalled = self._stream.recall(identity)
        if isinstance(recalled, Answer):
            self._send(peer, CommandReply(request.number, recalled))
        if recalled is not None:
            return
        refusal = self._no_room_for(request)
        if refusal is not None:
            self._send(peer, refusal)
            return
        if request.intent in _LEASE_ENDS:
            self._leases.release(request.key)
        command = Command(request.intent, request.key, request.value)
        self._stream.submit(command, self._time.now_ms(), identity)

    def _refusal(self, request: CommandRequest) -> ErrorReply | None:
        number, intent = request.number, request.intent
        if not self._is_serving:
            code, text = self._why_not_serving()
            return ErrorReply(number, code, text, RETRY_AFTER_MS)
        if intent not in CLIENT_COMMANDS:
            text = f"{intent.value_type.name} {intent.name} is not a command of clients"
            return ErrorReply(number, ErrorCode.UNSUPPORTED, text)
        if self._pipeline.is_transferring:
            text = f"the lead of partition {self.partition_id} is handed over"
            return ErrorReply(number, ErrorCode.UNAVAILABLE, text, RETRY_AFTER_MS)
        return None

    def _no_room_for(self, request: CommandRequest) -> ErrorReply | None:
        """Why a request is not taken that has not been taken before."""
        number, code = request.number, ErrorCode.RESOURCE_EXHAUSTED
        if self._stream.in_flight >= IN_FLIGHT_MAX:
            text = f"partition {self.partition_id} has {IN_FLIGHT_MAX} requests in flight: load"
            return ErrorReply(number, code, text, RETRY_AFTER_MS)
        if self._room.is_low:
            return ErrorReply(number, code, self._room.refusal, ROOM_AFTER_MS)
        return None

    def _why_not_serving(self) -> tuple[ErrorCode, str]:
        partition = f"partition {self.partition_id}"
        if self._failure is not None:
            return ErrorCode.UNAVAILABLE, f"{partition} has failed"
        if self._pipeline.role is not Role.LEADER:
            return ErrorCode.NOT_LEADER, f"this broker does not lead {partition}"
        return ErrorCode.UNAVAILABLE, f"{partition} is not ready yet"

    def _open_jobs(self, peer: Peer, request: OpenJobSubscription) -> None:
        if self._is_at_fault(peer, request.subscription, fault_of_jobs(request)):
            return
        if self._is_sent_on(peer, request.subscription):
            return
        subscription = JobSubscription(
            peer,
            request.subscription,
            request.type,
            worker=request.worker,
            timeout=request.timeout,
            fetch_variables=request.fetch_variables,
        )
        self._close_subscription(peer, request.subscription)
        self._topics.open(subscription)
        if request.credit > 0:
            self._topics.add_credit(subscription, request.credit)
            self._push_existing(subscription)

    def _on_credit(self, peer: Peer, request: AddCredit) -> None:
        jobs = self._topics.find(peer, request.subscription)
        if jobs is not None and request.credit > 0:
            self._topics.add_credit(jobs, request.credit)
            self._push_existing(jobs)
            return
        if self._records.add_credit(peer, request):
            self._records.push(self._pipeline.commit_index)

    def _push_existing(self, subscription: JobSubscription) -> None:
        """Jobs that were there before the credit: no polling beside the subscription."""
        if not self._is_serving or subscription.credit == 0:
            return
        if not self._engine.views.jobs.activatable(subscription.job_type, 1):
            return
        value = JobBatchValue(
            type=subscription.job_type,
            worker=subscription.worker,
            timeout=subscription.timeout,
            max_jobs_to_activate=min(subscription.credit, JOBS_PER_ACTIVATION_MAX),
            fetch_variables=subscription.fetch_variables,
        )
        command = Command(JobBatchIntent.ACTIVATE, -1, value)
        self._stream.submit(command, self._time.now_ms(), taker=subscription)

    def _open_records(self, peer: Peer, request: OpenRecordSubscription) -> None:
        if self._is_at_fault(peer, request.subscription, fault_of_records(request)):
            return
        if self._is_sent_on(peer, request.subscription):
            return
        self._records.open(peer, request, is_alone=self._pipeline.is_alone)
        self._tell_of_exporters(self._clock.monotonic_ns())
        self._records.push(self._pipeline.commit_index)

    def _acknowledge(self, peer: Peer, request: AcknowledgeRecords) -> None:
        fault = self._records.acknowledge(peer, request)
        self._is_at_fault(peer, request.subscription, fault)

    def _is_at_fault(self, peer: Peer, subscription: int, fault: str) -> bool:
        """Ends a subscription that asks for what cannot be, and says so."""
        if fault:
            self._close_subscription(peer, subscription)
            self._send(peer, SubscriptionClosed(subscription, ErrorCode.MALFORMED, fault))
        return bool(fault)

    def _is_sent_on(self, peer: Peer, subscription: int) -> bool:
        """Subscriptions are the leader's; who asks here is told to look elsewhere."""
        code, why = self._why_not_serving()
        is_elsewhere = code is ErrorCode.NOT_LEADER
        if is_elsewhere:
            self._send(peer, SubscriptionClosed(subscription, code, why))
        return is_elsewhere

    def _close_subscription(self, peer: Peer, number: int) -> None:
        subscription = self._topics.close(peer, number)
        if subscription is not None:
            self._take_back(subscription)
        self._records.close(peer, number)

    def _take_back(self, subscription: JobSubscription) -> None:
        for command in self._leases.take_back(subscription):
            self._stream.submit(command, self._time.now_ms())

    # ── commits ───────────────────────────────────────────────────────────────────────────────────

    def on_committed(self, payloads: list[bytes], last_index: int, *, is_settled: bool) -> None:
        """See `Replicated`."""
        if self._failure is not None:
            return
        begin, first_index = 0, last_index - len(payloads) + 1
        for place, payload in enumerate(payloads):
            if is_of_audit(payload):
                index = first_index + place
                self._release(payloads[begin : place + 1], index)
                self._audit.take(payload, index, self._storage.state, is_leading=self._is_serving)
                begin = place + 1
        if begin < len(payloads):
            self._release(payloads[begin:], last_index)
        if self._is_serving:
            self._propose()
        elif is_settled:
            self._serve()
        self._records.open_named(is_alone=self._pipeline.is_alone)
        self._records.push(self._pipeline.commit_index)

    def _release(self, payloads: Sequence[bytes], last_index: int) -> None:
        payloads = [self._engines_own(payload) for payload in payloads]
        self._give_out(self._stream.release(payloads, last_index))
        self._stream.store()  # while clients read, and make their next requests

    def on_role(self, role: Role) -> None:
        """See `Replicated`. What was in flight in another term is not ours to commit: who asked for
        it is sent on, and will be told by the next leader what became of it.
        """
        self._is_serving = False
        self._leases = Leases()
        code, why = ErrorCode.NOT_LEADER, f"partition {self.partition_id} has another leader"
        for request in self._stream.abandon():
            peer = self._peers.get(request.client_id)
            if peer is not None:
                self._send(peer, ErrorReply(request.number, code, why, RETRY_AFTER_MS))
        for subscription in self._topics.close_all():
            assert isinstance(subscription.owner, Peer), subscription.owner
            self._send(subscription.owner, SubscriptionClosed(subscription.number, code, why))
        self._records.end_all(code, why)
        if self._on_lead is not None:
            self._on_lead(self.partition_id, False)

    def read_snapshot(self, index: int, offset: int, bytes_max: int) -> SnapshotPart | None:
        """See `Replicated`. Who needs it may lack the entries that told of the exporters."""
        if offset == 0:
            self._storage.exporters.tell_again()
        return self._snapshots.read(index, offset, bytes_max)

    def store_snapshot(self, chunk: SnapshotChunk) -> int:
        """See `Replicated`."""
        return self._snapshots.store(chunk)

    def install_snapshot(self, chunk: SnapshotChunk) -> None:
        """See `Replicated`."""
        self._installation = self._loop.create_task(self._install(chunk))

    async def _install(self, chunk: SnapshotChunk) -> None:
        try:
            is_whole = await self._take_snapshot(chunk)
            self._pipeline.installed(chunk.index, is_whole=is_whole)
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)

    async def _take_snapshot(self, chunk: SnapshotChunk) -> bool:
        """Makes a snapshot the state, unless that is further already; False if it is damaged. A
        state never goes back: what it has is what the leader has.
        """
        if chunk.index <= self._storage.state.applied_index:
            self._snapshots.drop()
            return True
        state = await self._snapshots.load(chunk)
        await self._checkpoints.wait_idle()
        if state is None:
            return False
        if self._storage.state.applied_index >= chunk.index:
            state.close()  # meanwhile the log has led further than that
            return True
        self._storage.replace_state(state)
        self._audit.forget()
        self._engine = self._make_engine()
        self._stream = StreamProcessor(self._engine, state)
        return True

    def _serve(self) -> None:
        """This replica leads, and has all that was committed before: it takes requests."""
        self._stream.begin()
        self._time.begin_after(self._storage.log.last_timestamp())
        self._storage.exporters.tell_again()
        self._is_serving = True
        self._settled.set()
        if self._on_lead is not None:
            self._on_lead(self.partition_id, True)

    def _engines_own(self, payload: bytes) -> bytes:
        """What the engine sees of an entry: nothing of those that are raft's or the exporters'."""
        if is_of_engine(payload):
            return payload
        if is_of_exporters(payload):
            exporters = self._storage.exporters
            note = exporters.committed if self._is_serving else exporters.take
            note(payload)
        return b""

    def _make_engine(self) -> Engine:
        return self._storage.make_engine(
            self.partition_id,
            self._topics,
            self._entropy,
            partition_count=self._partition_count,
        )

    def _give_out(self, effects: Effects) -> None:
        self._send_to_others(effects.sends)
        assert self._outbox is not None, "nothing is sent before the start"
        for push in joined_pushes(effects.pushes):
            taker = push.taker
            if isinstance(taker, RequestId):
                peer = self._peers.get(taker.client_id)
                if peer is not None and push.jobs:
                    self._send(peer, JobPush(-taker.number, push.jobs))
                continue
            assert isinstance(taker, JobSubscription), taker
            self._leases.grant(taker, push.jobs)
            if taker.is_open:
                assert isinstance(taker.owner, Peer), taker.owner
                self._send(taker.owner, JobPush(taker.number, push.jobs))
            else:
                self._take_back(taker)
        # Behind the pushes: with its answer a client forgets a request, and what it fetched.
        for reply in effects.replies:
            peer = self._peers.get(reply.request.client_id)
            if peer is not None:
                self._send(peer, CommandReply(reply.request.number, reply.answer))
        if effects.replies or effects.pushes:
            self._outbox.flush()

    def _send_to_others(self, sends: Sequence[SentCommand]) -> None:
        for sent in sends:
            assert self._post is not None, "there is nobody to send to"
            self._post(sent)

    def _send(self, peer: Peer, item: ServerItem) -> None:
        assert self._outbox is not None, "nothing is sent before the start"
        self._outbox.send(peer, item)

    # ── time ──────────────────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now_ns = self._clock.monotonic_ns()
        try:
            self._room.look(now_ns)
            if self._is_serving and not self._pipeline.is_transferring:
                if not self._room.is_low:
                    self._stream.run_schedule(self._time.now_ms())
                self._send_to_others(self._stream.resend(self._time.now_ms()))
                self._tell_of_exporters(now_ns)
                self._tell_of_state(now_ns)
            self._checkpoints.run_if_due(now_ns)
        except Exception as error:  # noqa: BLE001 - see `_fail`
            self._fail(error)
        self.on_drained()

    def _tell_of_exporters(self, now_ns: int) -> None:
        """Other replicas hold the log for the exporters too; the tick tells what cannot be told
        now.
        """
        if self._pipeline.is_alone or self._room.is_out:
            return
        if not self._is_serving or self._pipeline.is_transferring:
            return
        payload = self._storage.exporters.payload_if_due(now_ns)
        if payload is not None:
            self._propose()
            self._pipeline.propose(payload)

    def _tell_of_state(self, now_ns: int) -> None:
        """Replicas compare their states now and then."""
        if self._pipeline.is_alone or self._room.is_out:
            return
        payload = self._audit.payload_if_due(now_ns, self.last_position)
        if payload is not None:
            self._propose()
            self._pipeline.propose(payload)

    def _fail(self, error: BaseException) -> None:
        """The partition does nothing more: what it would say is not known to be on the disk.

        What is raised outside of the engine's steps ends it too: a client's fault is answered and a
        process's is an incident, but this one is ours. What stands half done is not known; a start
        makes it again from the log.
        """
        if self._failure is not None:
            return
        _log.critical("partition %d has failed: %s", self.partition_id, error, exc_info=error)
        self._is_serving = False
        self._failure = error
        self._settled.set()
        if self._timer is not None:
            self._timer.cancel()
        self._on_failed(error)


def _send_nothing(_receiver: int, _message: RaftMessage) -> None:
    """For a group of one."""
    raise AssertionError("there is nobody to send to")
