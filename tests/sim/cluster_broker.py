"""One broker of a simulated cluster: the real partitions, gossip and router, on a loop, disks and
links of the simulated world; and the connections of clients.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Protocol

from tests.sim.cluster_checker import EXPORTER_ID, ClusterChecker, Violation
from tests.sim.cluster_links import CLUSTER_ID, PORT, SimLinks, host_of
from tests.sim.cluster_loop import SimLoop
from tests.sim.cluster_marks import ClusterMark
from tests.sim.disk import SimDisk
from tests.sim.marks import mark
from tests.sim.network import SimNetwork
from tests.sim.next_version import widened
from tests.sim.world import SimEntropy, World

from grevy.broker.cluster import Cluster
from grevy.broker.config import BrokerConfig
from grevy.broker.folders import Folders
from grevy.broker.replicas import Replicas
from grevy.broker.router import Router
from grevy.cluster import PlanFile, distribute, first_plan
from grevy.engine import SentCommand
from grevy.journal import JournalError
from grevy.partition import Partition, PartitionStorage, StorageFailed, StorageOptions
from grevy.partition.checkpoint_folder import CHECKPOINTS
from grevy.partition.storage import EXPORTERS, JOURNAL, RAFT
from grevy.ports import Clock, Entropy
from grevy.protocol.messages import CommandRequest, Request, ServerItem
from grevy.protocol.raft_messages import RaftMessage, SnapshotChunk
from grevy.protocol.record import RequestId
from grevy.raft import RaftConfig, Role
from grevy.state import MemoryBackend
from grevy.transport import ClusterHandler, Peer

BROKERS: Final = (1, 2, 3)
CLIENT_DELAY_US: Final = 400

LOST: Final = "lost"
"""A file that says that what was here is gone."""


class BrokerClock:
    """A broker's own clocks (port `Clock`), which outlive it: its wall is off by something, goes
    too fast or too slow by `drift`, is set, or stands.
    """

    def __init__(self, world: World, skew_ms: int, drift: float) -> None:
        self._world = world
        self.skew_ms = skew_ms
        self._drift = drift
        self._frozen_ms: int | None = None

    def now_ms(self) -> int:
        """What its wall says."""
        if self._frozen_ms is not None:
            return self._frozen_ms
        drifted_ms = int(self._world.clock.elapsed_us * self._drift) // 1_000
        return self._world.clock.now_ms() + self.skew_ms + drifted_ms

    def freeze(self) -> None:
        """The wall stands from now on."""
        self._frozen_ms = self.now_ms()

    def thaw(self) -> None:
        """The wall goes on, from where it would be."""
        self._frozen_ms = None

    def monotonic_ns(self) -> int:
        """What its stopwatch says."""
        return self._world.clock.monotonic_ns()


class Client(Protocol):
    """Who is at the other end of a connection."""

    client_id: bytes

    def on_item(self, connection: Connection, item: ServerItem) -> None:
        """The broker says something."""

    def on_closed(self, connection: Connection) -> None:
        """The connection is gone, and nothing more comes."""


class Connection:
    """A client's way to a broker and back: in order, and lossless while it lasts."""

    def __init__(self, world: World, broker: SimBroker, client: Client, number: int) -> None:
        self.broker = broker
        self.peer = Peer(b"\0%d" % number, number)
        self.peer.client_id = client.client_id
        self.is_open = True
        self._world = world
        self._client = client
        self._newest_us = {True: 0, False: 0}

    def send(self, request: Request) -> None:
        """The client says something."""
        self._carry(True, lambda: self.broker.hear(self, request))

    def answer(self, item: ServerItem) -> None:
        """The broker says something."""
        self._carry(False, lambda: self._client.on_item(self, item))

    def close(self) -> None:
        """It breaks; both sides notice. What is on its way is lost."""
        if self.is_open:
            self.is_open = False
            self._world.after(self._delay_us(), lambda: self._client.on_closed(self))
            self._world.after(self._delay_us(), lambda: self.broker.lose(self))

    def _delay_us(self) -> int:
        return 1 + self._world.rng.randrange(CLIENT_DELAY_US)

    def _carry(self, is_request: bool, act: Callable[[], None]) -> None:
        now_us = self._world.clock.elapsed_us
        at_us = max(now_us + self._delay_us(), self._newest_us[is_request])
        self._newest_us[is_request] = at_us

        def arrive() -> None:
            if self.is_open:
                act()

        self._world.after(at_us - now_us, arrive)


class SimFolders(Folders):
    """A broker's disks, one for each partition."""

    def __init__(
        self,
        disks: dict[int, SimDisk],
        options: StorageOptions,
        clock: Clock,
        removed: Callable[[int], None],
        damaged: Collection[SimDisk],
    ) -> None:
        super().__init__(Path("nowhere"), options, clock)
        self._removed = removed
        self._disks = disks
        self.damaged = damaged
        self._options = options

    def partition_ids(self) -> frozenset[int]:
        """Those of which something is there."""
        return frozenset(each for each in self._disks if not self.is_new(each))

    def remove(self, partition_id: int) -> None:
        """Deletes it all."""
        self._disks[partition_id] = SimDisk()
        self._removed(partition_id)

    def is_new(self, partition_id: int) -> bool:
        """Whether nothing is there."""
        return not self._disks[partition_id].exists(JOURNAL)

    def open_or_repair(self, partition_id: int, *, has_lost_data: bool) -> PartitionStorage:
        """As a broker's folders do: what is damaged is put away, and the others have it. What a
        power cut tears is mended without them.
        """
        disk = self._disks[partition_id]
        has_lost_data = has_lost_data or disk.exists(LOST)
        for parts in ((JOURNAL, CHECKPOINTS, EXPORTERS), (JOURNAL, CHECKPOINTS, EXPORTERS, RAFT)):
            try:
                storage = self._open(partition_id, has_lost_data=has_lost_data)
                break
            except (JournalError, StorageFailed) as error:
                if disk not in self.damaged:
                    raise Violation(f"J1: a disk was never damaged, but {error!r}") from error
                mark(ClusterMark.DAMAGED)
                has_lost_data = True
                self._remove(disk, parts)
        else:
            storage = self._open(partition_id, has_lost_data=True)
        if disk.exists(LOST):
            disk.remove(LOST)
            disk.fsync_dir("")
        return storage

    def _open(self, partition_id: int, *, has_lost_data: bool) -> PartitionStorage:
        return PartitionStorage.open(
            *(self._disks[partition_id], Path("nowhere"), partition_id, self._options),
            has_lost_data=has_lost_data,
            make_backend=lambda _folder: MemoryBackend(),
        )

    @staticmethod
    def _remove(disk: SimDisk, parts: Sequence[str]) -> None:
        """That something is lost is durable before anything goes."""
        if not disk.exists(LOST):
            disk.create(LOST)
            disk.fsync_dir("")
        for path in disk.files():
            if path.startswith(tuple(f"{part}/" for part in parts)):
                disk.remove(path)
                disk.fsync_dir(path.rpartition("/")[0])
        for directory in sorted(disk.directories(), reverse=True):
            if directory.partition("/")[0] in parts:
                disk.rmdir(directory)


class WatchedPartition(Partition):
    """A real partition, whose commits the checker sees; its threads are the loop's."""

    checker: ClusterChecker
    is_newer: bool
    """Whether it is of the next version, whose entries have more fields."""

    def __init__(
        self,
        partition_id: int,
        loop: SimLoop,
        clock: Clock,
        storage: PartitionStorage,
        *,
        entropy: Entropy,
        on_failed: Callable[[BaseException], None],
        partition_count: int,
        group: RaftConfig,
        post: Callable[[SentCommand], None],
        send: Callable[[int, RaftMessage], None],
        on_lead: Callable[[int, bool], None],
    ) -> None:
        self.storage = storage
        self.node_id = group.node_id
        self._was_leader = False
        self._is_installing = False
        self._is_ticking = False
        self._asked: set[RequestId] = set()
        super().__init__(
            *(partition_id, loop, clock, storage),
            entropy=entropy,
            on_failed=on_failed,
            partition_count=partition_count,
            group=group,
            post=post,
            send=send,
            on_lead=on_lead,
            make_thread=loop.thread,
        )

    @property
    def has_uncommitted(self) -> bool:
        """Whether commands are under way to the log."""
        return self._stream.in_flight > 0

    @property
    def is_copying(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._checkpoints._running is not None

    @property
    def is_installing(self) -> bool:
        """Whether a leader's snapshot is on its way into this replica."""
        return self._is_installing

    def on_role(self, role: Role) -> None:
        """As a partition does, under watch."""
        if role is not Role.LEADER and self._was_leader:
            in_flight = ClusterMark.DEPOSED_IN_FLIGHT if self.has_uncommitted else None
            point = in_flight if self.is_serving else ClusterMark.NEVER_SERVED
            if point is not None:
                mark(point)
        self._was_leader = role is Role.LEADER
        if self._was_leader and self._clock.now_ms() < self.storage.log.last_timestamp():
            mark(ClusterMark.CLOCK_BEHIND)
        super().on_role(role)

    def _on_command(self, peer: Peer, request: CommandRequest) -> None:
        identity = RequestId(peer.client_id, request.number)
        if self.is_serving:
            if identity in self.checker.answers:
                mark(ClusterMark.REPEATED_ANSWERED)
            elif identity in self._asked:
                mark(ClusterMark.REPEATED_IN_FLIGHT)
            self._asked.add(identity)
        super()._on_command(peer, request)

    def _propose(self) -> None:
        if not self.is_newer:
            super()._propose()
            return
        for payload in self._stream.take_entries():
            self._pipeline.propose(widened(payload))

    def _tick(self) -> None:
        self._is_ticking = True
        super()._tick()
        self._is_ticking = False

    def _send_to_others(self, sends: Sequence[SentCommand]) -> None:
        if sends and self._is_ticking:
            mark(ClusterMark.SENT_AGAIN)
        super()._send_to_others(sends)

    def install_snapshot(self, chunk: SnapshotChunk) -> None:
        """As a partition does, under watch."""
        self._is_installing = True
        mark(ClusterMark.INSTALLED)
        super().install_snapshot(chunk)

    def on_committed(self, payloads: list[bytes], last_index: int, *, is_settled: bool) -> None:
        """As a partition does, under watch."""
        self._is_installing = False
        self.checker.committed(self.partition_id, self.node_id, payloads, last_index)
        super().on_committed(payloads, last_index, is_settled=is_settled)
        state = self.storage.state
        self.checker.applied(self.partition_id, self.node_id, state.applied_index, state.hash)
        self._check_exports()

    def _check_exports(self) -> None:
        storage = self.storage
        known = storage.exporters.get(EXPORTER_ID)
        self.checker.exports(
            *(self.partition_id, self.node_id),
            applied_index=storage.state.applied_index,
            exporter_at=None if known is None else known.position,
        )
        index = storage.log.first_index
        position = storage.log.first_position_from(index)
        if position is not None:
            self.checker.log_begins(self.partition_id, self.node_id, index=index, position=position)


class SimBroker:
    """A process, from its start to its end. The disks outlive it."""

    lead_back_s = 10.0

    def __init__(
        self,
        world: World,
        network: SimNetwork,
        node_id: int,
        disks: dict[int, SimDisk],
        *,
        options: StorageOptions,
        job_us: Callable[[str], int],
        clock: BrokerClock,
        checker: ClusterChecker,
        damaged: Collection[SimDisk],
        is_newer: bool = False,
    ) -> None:
        self.node_id = node_id
        self.is_newer = is_newer
        self.failure: BaseException | None = None
        self.connections: dict[Peer, Connection] = {}
        self.clock = clock
        name = host_of(node_id)
        self.loop = SimLoop(world, name=name, job_us=job_us)  # type: ignore[abstract]  # a part of it
        self._world = world
        self._checker = checker
        entropy = SimEntropy(Random(world.rng.getrandbits(64)))
        config = BrokerConfig(
            cluster_id=CLUSTER_ID,
            partitions=len(disks),
            node_id=node_id,
            cluster_size=len(BROKERS),
            replication_factor=len(BROKERS),
            cluster_host=host_of(node_id),
            cluster_port=PORT,
            contact_points=",".join(f"{host_of(each)}:{PORT}" for each in BROKERS),
            lead_back_s=self.lead_back_s,
        )
        plans = self.plans(len(disks))
        plan = plans.plan
        self.cluster = Cluster(
            *(self.loop, self.clock, entropy, config, plans),
            client_endpoint=f"tcp://{host_of(node_id)}:26600",
            software="simulated",
            on_removed=self.on_removed,
            on_failed=self._on_failed,
            make_links=partial(self._make_links, network),
        )
        self.replicas = Replicas(
            *(config, None if plan is None else plan.current, self.loop, self.clock),
            folders=SimFolders(
                *(disks, options, self.clock, partial(checker.dropped, node_id), damaged)
            ),
            entropy=entropy,
            post=self._post,
            send=self.cluster.send,
            on_lead=lambda _partition_id, _is_leading: self.cluster.tell_replicas(),
            on_failed=self._on_failed,
            partition_class=type(
                "Watched", (WatchedPartition,), {"checker": checker, "is_newer": self.is_newer}
            ),
            make_thread=self.loop.thread,
        )
        self._router = Router(
            lambda: len(disks),
            self.cluster.topology,
            lambda take: take({}),
            self.cluster.requests.ask,
        )
        self._router.open(self.replicas.partitions, self)

    def _make_links(self, network: SimNetwork, handler: ClusterHandler) -> SimLinks:
        return SimLinks(
            *(self.loop, network, handler),
            node_id=self.node_id,
            clock=self.clock,
            is_newer=self.is_newer,
        )

    def plans(self, partitions: int) -> PlanFile:
        """What it has of the cluster's plan at its start; here, it never changes."""
        file = PlanFile.open(SimDisk(), CLUSTER_ID)
        file.write(first_plan(distribute(BROKERS, partitions, len(BROKERS))))
        return file

    def on_removed(self) -> None:
        """It is no member of the cluster any more."""

    def begin(self) -> None:
        """Starts it, in a turn of its own."""
        self._start = self.loop.create_task(self._run())

    async def _run(self) -> None:
        await self.replicas.start(self)
        self.cluster.start(self.replicas)

    def partitions(self) -> dict[int, WatchedPartition]:
        """Its replicas."""
        found = {}
        for partition_id, partition in self.replicas.partitions.items():
            assert isinstance(partition, WatchedPartition)
            found[partition_id] = partition
        return found

    def die(self) -> None:
        """The process ends at once; its clients notice."""
        self.loop.die()
        for connection in list(self.connections.values()):
            connection.close()
        self.connections.clear()

    # ── clients ───────────────────────────────────────────────────────────────────────────────────

    def hear(self, connection: Connection, request: Request) -> None:
        """A client says something."""
        self.loop.call_soon(self._take, connection.peer, request)

    def lose(self, connection: Connection) -> None:
        """A client is gone."""
        if self.connections.pop(connection.peer, None) is not None:
            self.loop.call_soon(self._router.on_vanished, connection.peer)

    def send(self, peer: Peer, item: ServerItem) -> None:
        """See `Outbox`."""
        connection = self.connections.get(peer)
        if connection is not None:
            connection.answer(item)

    def flush(self) -> None:
        """See `Outbox`."""

    def _take(self, peer: Peer, request: Request) -> None:
        self._router.on_request(peer, request)
        self._router.on_drained()

    # ── as the broker's composition does ──────────────────────────────────────────────────────────

    def _post(self, source_partition_id: int, sent: SentCommand) -> None:
        partition = self.replicas.partitions.get(sent.partition_id)
        if partition is not None and partition.is_serving:
            partition.on_remote_command(sent.command, source_partition_id)
            self.loop.call_soon(partition.on_drained)
        else:
            self.cluster.post(source_partition_id, sent)

    def _on_failed(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            self._checker.failed(self.node_id, error)
