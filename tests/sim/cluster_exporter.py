"""The process of an exporter in a simulated cluster: the real driver, and an exporter that fails,
takes long, acknowledges late or never, and ends and begins again, as the run's knobs say.

X1  every record reaches the system outside, in order, but for those of which it was told that they
    are gone, and which were there before the exporter was
X2  what is acknowledged was exported; the rest of it is in `cluster_checker.py`
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from tests.sim.cluster_broker import Connection
from tests.sim.cluster_checker import EXPORTER_ID, Violation
from tests.sim.cluster_clients import RECORD_CREDIT, Subscriber
from tests.sim.cluster_marks import ClusterMark
from tests.sim.marks import mark

from grevy.exporting import Context, Controller, ExportedRecord, Exporter, ExporterDriver, Turn
from grevy.protocol.codec import decode_entry, entry_positions
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    OpenRecordSubscription,
    RecordPush,
    Request,
    ServerItem,
    SubscriptionClosed,
    SubscriptionOpened,
)

if TYPE_CHECKING:
    from tests.sim.cluster import SimCluster

FAILURES_MAX: Final = 4
"""How often in a row a call fails."""

Take: TypeAlias = Callable[[Sequence[ExportedRecord]], None]


class NotThere(Exception):
    """The system outside is not there, for once."""


class Sink(Exporter):
    """Brings records outside, when nothing goes wrong."""

    def __init__(self, cluster: SimCluster, rng: Random, take: Take) -> None:
        self.took_us = 0
        """How long the last call took."""
        self._knobs = cluster.knobs
        self._nemesis = cluster.nemesis
        self._rng = rng
        self._take = take
        self._failures = 0
        self._controller: Controller | None = None

    def configure(self, context: Context) -> None:
        """Nothing to be set."""

    def open(self, controller: Controller) -> None:
        """Sometimes only the next time."""
        self._controller = controller
        self._fail()

    def export(self, batch: Sequence[ExportedRecord]) -> None:
        """Sometimes a part of it only, and the rest later."""
        knobs, is_well = self._knobs, self._nemesis.is_over
        if not is_well and knobs.export_us:
            self.took_us = self._rng.randrange(2 * knobs.export_us)
            mark(ClusterMark.EXPORTER_SLOW)
        try:
            self._fail()
        except NotThere:
            self._take(batch[: self._rng.randrange(len(batch))])
            raise
        self._take(batch)
        assert self._controller is not None
        controller, position = self._controller, batch[-1].position
        if is_well or self._rng.random() < knobs.diligence:
            controller.acknowledge(position)
        elif knobs.acknowledge_after_ms:
            mark(ClusterMark.ACKNOWLEDGED_LATE)
            controller.schedule(
                self._rng.randrange(2 * knobs.acknowledge_after_ms),
                lambda: controller.acknowledge(position),
            )

    def close(self) -> None:
        """Nothing is held."""

    def _fail(self) -> None:
        if self._nemesis.is_over:
            return
        if self._failures == 0 and self._rng.random() < self._knobs.export_fails:
            self._failures = self._rng.randint(1, FAILURES_MAX) + 1
        if self._failures:
            self._failures -= 1
        if self._failures:
            mark(ClusterMark.EXPORT_FAILED)
            raise NotThere


@dataclass(slots=True)
class Life:
    """What the process knows of a partition, until it ends."""

    driver: ExporterDriver
    sink: Sink
    next_position: int = -1
    arrived: deque[RecordPush | int] = field(default_factory=deque)
    """Pushes; or the position after which it goes on, when what was before that is gone."""
    is_busy: bool = False
    alarm: int = 0


class SimExporter(Subscriber):
    """One exporter of all partitions, and what the system outside has from it."""

    def __init__(self, cluster: SimCluster, rng: Random) -> None:
        super().__init__(cluster, rng)
        self.exported = dict.fromkeys(cluster.partition_ids, 0)
        """The newest position that is outside."""
        self._lives: dict[int, Life] = {}
        self._broker: dict[int, int] = {}
        self._promised: dict[int, int] = {}
        """The newest position of each partition when it was there first: it misses nothing after
        that.
        """

    def restart(self) -> None:
        """The process ends, and another one begins."""
        mark(ClusterMark.EXPORTER_RESTARTED)
        self.world.note("exporter ends")
        self.disconnect()
        self._open.clear()
        self._lives.clear()

    def opening(self, number: int, partition_id: int) -> Request:
        """As a client's subscription does it: from where it is, or from where the broker says."""
        life = self._lives.get(partition_id)
        next_position = life.next_position if life is not None else -1
        return OpenRecordSubscription(
            number, partition_id, next_position, (), RECORD_CREDIT, EXPORTER_ID
        )

    def hear(self, connection: Connection, item: ServerItem) -> None:
        """Records, or where they begin, or the end."""
        match item:
            case SubscriptionClosed():
                self.closed(connection, item)
            case SubscriptionOpened():
                partition_id = self.partition_at(connection, item.subscription)
                if partition_id is not None:
                    self._opened(partition_id, item, connection.broker.node_id)
            case RecordPush():
                partition_id = self.partition_at(connection, item.subscription)
                if partition_id is not None:
                    self._arrived(partition_id, item)
            case _:
                pass

    # ── the subscription ──────────────────────────────────────────────────────────────────────────

    def _opened(self, partition_id: int, item: SubscriptionOpened, node_id: int) -> None:
        if self._broker.setdefault(partition_id, node_id) != node_id:
            self._broker[partition_id] = node_id
            mark(ClusterMark.EXPORTER_MOVES)
        newest = self.cluster.checker.audit.positions.get(partition_id, 0)
        self._promised.setdefault(partition_id, newest)
        life = self._lives.get(partition_id)
        if life is None:
            self._check_gap(partition_id, self.exported[partition_id], item.position)
            self._begin(partition_id, item)
        elif item.position + 1 > life.next_position:
            self._check_gap(partition_id, life.next_position - 1, item.position)
            life.next_position = item.position + 1
            life.arrived.append(item.position)
        self._pump(partition_id)

    def _begin(self, partition_id: int, item: SubscriptionOpened) -> None:
        def take(records: Sequence[ExportedRecord]) -> None:
            self._take(partition_id, records)

        sink = Sink(self.cluster, self.rng, take)
        context = Context(EXPORTER_ID, partition_id, {}, self.world.clock)
        driver = ExporterDriver(sink, context)
        driver.open(item.position, item.metadata)
        self._lives[partition_id] = Life(driver, sink, item.position + 1)

    def _check_gap(self, partition_id: int, position: int, found: int) -> None:
        """What is gone was there before the exporter was."""
        if found <= position:
            return
        mark(ClusterMark.GAP_TOLD)
        if found > self._promised[partition_id]:
            raise Violation(
                f"X1: an exporter has what is up to {position} of partition {partition_id}, and is "
                f"to go on after {found}"
            )
        self.exported[partition_id] = max(self.exported[partition_id], found)

    def _arrived(self, partition_id: int, item: RecordPush) -> None:
        life = self._lives[partition_id]
        for payload in item.entries:
            first, last = entry_positions(payload)
            if first > life.next_position:
                raise Violation(f"X1: an exporter at {life.next_position} is sent {first}")
            if last > self.cluster.checker.audit.positions.get(partition_id, 0):
                raise Violation(f"X1: position {last} is exported before it is committed")
            life.next_position = max(life.next_position, last + 1)
        life.next_position = item.up_to + 1
        life.arrived.append(item)
        self._pump(partition_id)

    # ── the driver's shell ────────────────────────────────────────────────────────────────────────

    def _pump(self, partition_id: int) -> None:
        life = self._lives[partition_id]
        if life.is_busy:
            return
        if life.arrived and life.driver.is_ready:
            self._deliver(partition_id, life, life.arrived.popleft())
        life.sink.took_us = 0
        turn = life.driver.turn()
        life.is_busy = True
        self.world.after(1 + life.sink.took_us, lambda: self._done(partition_id, life, turn))

    def _deliver(self, partition_id: int, life: Life, item: RecordPush | int) -> None:
        if isinstance(item, int):
            life.driver.resume(item)
            return
        life.driver.receive([decode_entry(payload) for payload in item.entries], item.up_to)
        opened = self._open.get(partition_id)
        if opened is not None and opened[0].is_open and item.entries:
            opened[0].send(AddCredit(opened[1], len(item.entries)))

    def _done(self, partition_id: int, life: Life, turn: Turn) -> None:
        """A call has taken its time."""
        if self._lives.get(partition_id) is not life:
            return
        life.is_busy = False
        self._heed(partition_id, turn)
        life.alarm += 1
        alarm = life.alarm

        def wake() -> None:
            if self._lives.get(partition_id) is life and life.alarm == alarm:
                self._pump(partition_id)

        if turn.is_ready and life.arrived:
            self._pump(partition_id)
        elif turn.wake_in_ms is not None:
            self.world.after(1_000 * turn.wake_in_ms + 1, wake)

    def _heed(self, partition_id: int, turn: Turn) -> None:
        said = turn.acknowledgement
        if said is None:
            return
        if said.position > self.exported[partition_id]:
            raise Violation(
                f"X2: {said.position} of partition {partition_id} is acknowledged, and exported is "
                f"what is up to {self.exported[partition_id]}"
            )
        self.cluster.checker.acknowledged(partition_id, said.position)
        opened = self._open.get(partition_id)
        if opened is not None and opened[0].is_open:
            opened[0].send(AcknowledgeRecords(opened[1], said.position, said.metadata))

    def _take(self, partition_id: int, records: Sequence[ExportedRecord]) -> None:
        """They are outside, where each position is there once."""
        for record in records:
            newest = self.exported[partition_id]
            if record.position > newest + 1:
                raise Violation(f"X1: {record.position} is exported after {newest}")
            if record.position <= newest:
                mark(ClusterMark.EXPORTED_AGAIN)
            self.exported[partition_id] = max(newest, record.position)
