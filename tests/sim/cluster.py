"""A whole cluster in one process, from one seed: brokers, clients, workers, exporters, and what
goes wrong between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from tests.chaos.checker import check
from tests.sim.cluster_broker import BROKERS, BrokerClock, Client, Connection, SimBroker
from tests.sim.cluster_checker import ClusterChecker, Violation
from tests.sim.cluster_clients import Orderer, Reader, SimClient, Worker
from tests.sim.cluster_exporter import SimExporter
from tests.sim.cluster_knobs import ClusterKnobs, draw_cluster_knobs
from tests.sim.cluster_marks import ClusterMark
from tests.sim.cluster_nemesis import ClusterNemesis
from tests.sim.disk import SimDisk
from tests.sim.marks import mark
from tests.sim.network import SimNetwork
from tests.sim.world import World

from grevy.engine import partition_tables, tables
from grevy.journal import JournalError
from grevy.partition import StorageFailed, StorageOptions
from grevy.state import State

CALM_US: Final = 3_000_000
"""Before things go wrong."""

LEADERS_US: Final = 10_000_000
"""How soon after the last fault each partition must have a leader that takes requests."""

END_US: Final = 120_000_000
"""How soon after the last fault all work must be done."""

LOOK_US: Final = 200_000

FLUSHING: Final = "grevy-flush"

SLOWNESS: Final = 20
"""How much longer the flushes of a slow broker take."""

START_AGAIN_US: Final = 300_000
"""How soon a process that could not start is begun again."""


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What came of a run."""

    trace_hash: str
    events: int
    records: int
    instances: int
    hashes: tuple[int, ...]


class SimCluster:
    """Three brokers and their world."""

    def __init__(self, seed: int, knobs: ClusterKnobs | None = None) -> None:
        self.world = world = World(seed)
        self.rng = Random(world.rng.getrandbits(64))
        self.knobs = knobs if knobs is not None else draw_cluster_knobs(self.rng)
        self.partition_ids = tuple(range(1, self.knobs.partitions + 1))
        self.network = SimNetwork(world)
        self.checker = ClusterChecker(self.partition_ids)
        self.checker.disks_fail = bool(self.knobs.disk_error_every_us)
        self.disks = {
            node_id: {each: SimDisk() for each in self.partition_ids} for node_id in BROKERS
        }
        self.clocks = {node_id: self._make_clock(node_id) for node_id in BROKERS}
        self.damaged: list[SimDisk] = []
        """Disks that were damaged."""
        self.brokers: dict[int, SimBroker] = {}
        self.newer: set[int] = set()
        """Brokers that are of the next version from their next start on."""
        self.unreachable: set[int] = set()
        """Brokers that clients do not reach."""
        self._connections = 0
        self._options = StorageOptions(
            audit_records=40,
            checkpoint_period_s=self.knobs.checkpoint_period_s,
            segment_bytes=self.knobs.segment_bytes,
        )
        self.orderers = [
            Orderer(
                *(self, self._some_rng()),
                count=self.knobs.orders,
                pause_us=self.knobs.order_pause_us,
            )
        ]
        self.workers = [
            Worker(
                *(self, self._some_rng()),
                timeout_ms=self.knobs.job_timeout_ms,
                work_us=self.knobs.work_us,
                carelessness=self.knobs.carelessness,
            )
            for _ in range(2)
        ]
        self.exporter = SimExporter(self, self._some_rng())
        self.reader = Reader(self, self._some_rng(), pause_us=self.knobs.reader_pause_us)
        self.nemesis = ClusterNemesis(self)

    @property
    def clients(self) -> list[SimClient]:
        """All of them."""
        return [*self.orderers, *self.workers, self.exporter, self.reader]

    def run(self) -> ClusterReport:
        """Everything; raises `AssertionError` when something does not hold."""
        try:
            return self._run()
        except Violation as violation:
            raise AssertionError(str(violation)) from violation

    def _run(self) -> ClusterReport:
        world = self.world
        for node_id in BROKERS:
            self.start(node_id)
        for client in self.clients:
            after_us = self.knobs.exporter_after_us if client is self.exporter else 0
            world.after(after_us, client.begin)
        world.run(CALM_US)
        self.nemesis.begin()
        world.run(CALM_US + self.knobs.fault_us)
        self.nemesis.end()
        healed_us = world.clock.elapsed_us
        self._until(self._is_led, healed_us + LEADERS_US, "a partition has no leader")
        self._until(self._is_done, healed_us + END_US, "work is left")
        self._audit()
        return self._report()

    # ── for those who make things go wrong ────────────────────────────────────────────────────────

    def start(self, node_id: int) -> None:
        """A broker's process begins."""
        assert node_id not in self.brokers
        self.world.note(f"start {node_id}")
        self.checker.restarted(node_id)
        try:
            broker = self._make_broker(node_id)
        except (OSError, JournalError, StorageFailed) as error:
            self.checker.failed(node_id, error)
            self.world.after(START_AGAIN_US, lambda: self.start(node_id))
            return
        self.brokers[node_id] = broker
        broker.begin()

    def kill(self, node_id: int, *, is_power_cut: bool) -> None:
        """A broker's process ends between two events; a power cut loses what is not synced."""
        broker = self.brokers.pop(node_id)
        self.world.note(f"kill {node_id}")
        self._mark_kill(broker)
        broker.die()
        self.network.leave(node_id)
        if is_power_cut:
            disks = self.disks[node_id]
            for partition_id in self.partition_ids:
                before = disks[partition_id]
                disks[partition_id] = before.crash(self.rng)
                if before in self.damaged:
                    self.damaged.append(disks[partition_id])

    def _mark_kill(self, broker: SimBroker) -> None:
        if not self.brokers:
            mark(ClusterMark.ALL_DOWN)
        for partition in broker.partitions().values():
            if partition.is_serving and partition.has_uncommitted:
                mark(ClusterMark.KILLED_IN_FLIGHT)
            if partition.is_copying:
                mark(ClusterMark.KILLED_IN_CHECKPOINT)
            if partition.is_installing:
                mark(ClusterMark.KILLED_IN_INSTALLATION)

    def damage(self, node_id: int) -> None:
        """A file of a broker that is down is damaged, or gone."""
        disk = self.disks[node_id][self.rng.choice(self.partition_ids)]
        paths = [path for path in disk.files() if not path.endswith(".new")]
        if paths:
            how = disk.damage(self.rng, self.rng.choice(paths))
            self.world.note(f"damage of {node_id}: {how}")
            self.damaged.append(disk)

    def wipe(self, node_id: int) -> None:
        """The disks of a broker that is down are replaced by empty ones."""
        self.world.note(f"wipe {node_id}")
        mark(ClusterMark.WIPED)
        self.disks[node_id] = {each: SimDisk() for each in self.partition_ids}

    def connect(self, node_id: int, client: Client) -> Connection | None:
        """A client's way to a broker, if there is one."""
        broker = self.brokers.get(node_id)
        if broker is None or node_id in self.unreachable:
            return None
        self._connections += 1
        connection = Connection(self.world, broker, client, self._connections)
        broker.connections[connection.peer] = connection  # it breaks when the broker dies
        return connection

    def leader_of(self, partition_id: int) -> int:
        """Who takes requests now; 0 for nobody."""
        for node_id, broker in self.brokers.items():
            partition = broker.replicas.partitions.get(partition_id)
            if partition is not None and partition.is_serving:
                return node_id
        return 0

    # ── the end ───────────────────────────────────────────────────────────────────────────────────

    def _make_clock(self, node_id: int) -> BrokerClock:
        skew_ms = self.knobs.skew_ms[(node_id - 1) % len(self.knobs.skew_ms)]
        return BrokerClock(self.world, skew_ms, self.rng.uniform(-1, 1) * self.knobs.drift)

    def _make_broker(self, node_id: int) -> SimBroker:
        return SimBroker(
            *(self.world, self.network, node_id, self.disks[node_id]),
            options=self._options,
            job_us=partial(self._job_us, node_id),
            clock=self.clocks[node_id],
            checker=self.checker,
            damaged=self.damaged,
            is_newer=node_id in self.newer,
        )

    def _job_us(self, node_id: int, thread: str) -> int:
        knobs = self.knobs
        mean_us = knobs.flush_us if thread == FLUSHING else knobs.checkpoint_us
        if node_id == knobs.slow_broker and thread == FLUSHING:
            mean_us *= SLOWNESS
        return self.rng.randrange(1, 2 * mean_us)

    def _some_rng(self) -> Random:
        return Random(self.rng.getrandbits(64))

    def _until(self, is_true: object, deadline_us: int, fault: str) -> None:
        assert callable(is_true)
        while not is_true():
            now_us = self.world.clock.elapsed_us
            if now_us >= deadline_us:
                raise Violation(f"{fault}: {self.tell()}")
            self.world.run(now_us + LOOK_US)

    def _is_led(self) -> bool:
        return all(map(self.leader_of, self.partition_ids))

    def _is_done(self) -> bool:
        audit = self.checker.audit
        return (
            all(orderer.is_done for orderer in self.orderers)
            and set(audit.instances) <= audit.ended
            and self._is_equal()
            and self._is_clean()
            and all(
                self.exporter.exported[each]
                == self.reader.seen[each].position
                == audit.positions[each]
                for each in self.partition_ids
            )
        )

    def _is_equal(self) -> bool:
        return len(self.brokers) == len(BROKERS) and all(
            len(broker.replicas.partitions) == len(self.partition_ids)
            and all(
                partition.storage.state.applied_index == len(self.checker.logs[partition_id])
                for partition_id, partition in broker.partitions().items()
            )
            for broker in self.brokers.values()
        )

    def _is_clean(self) -> bool:
        """Nothing lives, and no partition waits for another's answer."""
        return not any(
            next(iter(rows), None) is not None
            for broker in self.brokers.values()
            for partition in broker.partitions().values()
            for rows in _open_work(partition.storage.state)
        )

    def _audit(self) -> None:
        self.checker.replay()
        for client in self.clients:
            for number, answer in client.answered.items():
                self.checker.check_answer(client.client_id, number, answer)
        for orderer in self.orderers:
            for key, instance in orderer.created.items():
                found = self.checker.audit.instances.get(instance, "")
                if key not in found:  # it is in the instance's variables
                    raise Violation(f"the instance {instance} of {key} is lost")
            if not orderer.published <= self.checker.audit.messages.keys():
                raise Violation("a message is lost")
        history = [each for client in self.clients for each in client.history.values()]
        for violation in check(history, self.checker.entries):
            raise Violation(f"C3: {violation}")
        if len(self.checker.audit.instances) != sum(len(each.created) for each in self.orderers):
            raise Violation("there are instances that nobody has asked for")

    def _report(self) -> ClusterReport:
        hashes = tuple(
            partition.storage.state.hash
            for _, broker in sorted(self.brokers.items())
            for _, partition in sorted(broker.partitions().items())
        )
        for log in self.checker.logs.values():
            for payload in log:
                self.world.note("entry", payload)
        audit = self.checker.audit
        for is_reached, point in (
            (self.network.to_old_lives, ClusterMark.OLD_LIFE),
            (self.network.released, ClusterMark.STALE),
        ):
            if is_reached:
                mark(point)
        return ClusterReport(
            *(self.world.trace_hash, self.world.events, audit.records),
            instances=len(audit.instances),
            hashes=hashes,
        )

    def story(self) -> Iterator[str]:
        """Options, how things are, last events."""
        yield "options:"
        yield self.knobs.lines()
        yield self.tell()
        yield "last events:"
        for at_us, what, data in self.world.recent:
            yield f"{at_us} {what} {data.hex()}"

    def tell(self) -> str:
        """How things are, for people."""
        audit = self.checker.audit
        lines = [
            f"{len(audit.instances)} instances, {len(audit.completed)} completed, "
            f"{len(audit.messages)} messages, positions {audit.positions}"
        ]
        for orderer in self.orderers:
            asked = [(each.number, each.tries) for each in orderer.asked.values()]
            created, published = len(orderer.created), len(orderer.published)
            lines.append(f"created {created}, published {published}, asked {asked}")
        lines.append(f"exporter at {list(self.exporter.exported.values())}")
        lines.append(f"reader at {[seen.position for seen in self.reader.seen.values()]}")
        for node_id, broker in sorted(self.brokers.items()):
            for partition_id, partition in broker.partitions().items():
                lines.append(
                    f"broker {node_id} partition {partition_id} {partition.role.value} "
                    f"term {partition.term} serving {partition.is_serving} "
                    f"applied {partition.storage.state.applied_index} "
                    f"of {len(self.checker.logs[partition_id])}"
                )
        return "\n".join(lines)


def _open_work(state: State) -> Iterator[Iterable[object]]:
    yield state.table(tables.CHILDREN).scan()
    yield state.table(partition_tables.UNANSWERED).scan()
