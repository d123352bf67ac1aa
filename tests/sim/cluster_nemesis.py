"""Who makes things go wrong in a simulated cluster, as the knobs of the run say.

It never does more than a cluster must survive: of the data that were durable one broker's are lost
at a time, and the next only when that one has them again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.sim.cluster_broker import BROKERS
from tests.sim.cluster_marks import ClusterMark
from tests.sim.marks import mark
from tests.sim.network import Weather

if TYPE_CHECKING:
    from tests.sim.cluster import SimCluster

DISK_ERRORS: Final = (
    ("fdatasync", errno.EIO),
    ("fsync_dir", errno.EIO),
    ("pwrite", errno.ENOSPC),
    ("create", errno.ENOSPC),
    ("pread", errno.EIO),
    ("truncate", errno.EIO),
    ("remove", errno.EIO),
    ("rename", errno.EIO),
)

STORM_US: Final = 600_000
"""A storm's next crash comes within this time."""

FREEZE: Final = 0.1
"""How often a clock that is touched stands until all is healed."""

DOWNGRADE: Final = 0.3
"""How often a broker of the next version is begun again with the one before."""

RESTART_US: Final = 300_000
"""How soon a process that ended by itself is begun again."""

Way = tuple[int, int]


class ClusterNemesis:
    """Draws faults until it is told to stop."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._rng = cluster.rng
        self._knobs = cluster.knobs
        self.is_over = False
        self._down: set[int] = set()

    def begin(self) -> None:
        """From now on things go wrong."""
        knobs = self._knobs
        self._cluster.network.weather = Weather(
            knobs.lost, knobs.doubled, knobs.late, knobs.delay_us, knobs.late_us, knobs.is_ordered
        )
        for every_us, action in (
            (knobs.cut_every_us, self._cut),
            (knobs.crash_every_us, self._crash),
            (knobs.crash_all_every_us, self._crash_all),
            (knobs.clock_every_us, self._set_clock),
            (knobs.pause_every_us, self._pause),
            (knobs.transfer_every_us, self._transfer),
            (knobs.upgrade_every_us, self._upgrade),
            (knobs.disconnect_every_us, self._disconnect),
            (knobs.disk_error_every_us, self._fail_disk),
            (knobs.exporter_ends_every_us, self._cluster.exporter.restart),
        ):
            if every_us:
                self._repeat(every_us, action)
        self._watch()

    def end(self) -> None:
        """Nothing more goes wrong, and all is whole."""
        self.is_over = True
        cluster = self._cluster
        cluster.network.weather = Weather(is_ordered=True)
        cluster.network.heal()
        cluster.unreachable.clear()
        for disks in cluster.disks.values():
            for disk in disks.values():
                disk.mend()
        for clock in cluster.clocks.values():
            clock.thaw()
        for broker in cluster.brokers.values():
            broker.loop.go_on()
        for worker in cluster.workers:
            worker.carelessness = 0.0

    def _repeat(self, every_us: int, action: Callable[[], None]) -> None:
        def happen() -> None:
            if not self.is_over:
                action()
                self._repeat(every_us, action)

        self._world.after(1 + int(self._rng.expovariate(1 / every_us)), happen)

    def _around(self, mean_us: int) -> int:
        return 1 + int(self._rng.uniform(0.2, 1.8) * mean_us)

    # ── the network ───────────────────────────────────────────────────────────────────────────────

    def _cut(self) -> None:
        victim = self._victim() or BROKERS[0]
        others = [each for each in BROKERS if each != victim]
        kind = self._rng.choice(("one way", "in", "out", "apart", "clog"))
        self._world.note(f"cut {victim} {kind}")
        into = [(each, victim) for each in others]
        out = [(victim, each) for each in others]
        ways = {
            "one way": [self._rng.choice(into + out)],
            "in": into,
            "out": out,
        }.get(kind, into + out)
        for way in ways:
            if kind == "clog":
                self._cluster.network.clog(*way)
            else:
                self._cluster.network.cut(*way)
        is_alone = kind == "apart" and self._rng.random() < 0.5
        if is_alone:
            self._cluster.unreachable.add(victim)
        self._world.after(self._around(self._knobs.cut_us), partial(self._mend, ways, victim))

    def _mend(self, ways: Iterable[Way], victim: int) -> None:
        self._cluster.unreachable.discard(victim)
        for way in ways:
            self._cluster.network.mend(*way)

    def _disconnect(self) -> None:
        self._rng.choice(self._cluster.clients).disconnect()

    # ── the processes ─────────────────────────────────────────────────────────────────────────────

    def _victim(self) -> int:
        """Some broker that is up, often a leader, which has most to lose; 0 for none."""
        if self._rng.random() < 0.4:
            leader = self._cluster.leader_of(self._rng.choice(self._cluster.partition_ids))
            if leader:
                return leader
        up = sorted(self._cluster.brokers)
        return self._rng.choice(up) if up else 0

    def _crash(self) -> None:
        victim = self._victim()
        if victim:
            is_power_cut = self._rng.random() < self._knobs.power_cut
            self._take_down(victim, is_power_cut=is_power_cut)
            if self._rng.random() < self._knobs.wipe and self._may_wipe(victim):
                self._cluster.wipe(victim)
            elif (
                not is_power_cut  # a tear and damage cannot always be told from a tear alone
                and self._rng.random() < self._knobs.damage
                and self._may_wipe(victim)
            ):
                self._cluster.damage(victim)
            if self._rng.random() < self._knobs.storm:
                self._world.after(self._rng.randrange(1, STORM_US), self._crash_in_storm)

    def _crash_in_storm(self) -> None:
        if not self.is_over:
            self._crash()

    def _crash_all(self) -> None:
        for node_id in sorted(self._cluster.brokers):
            self._take_down(node_id, is_power_cut=self._rng.random() < self._knobs.power_cut)

    def _upgrade(self) -> None:
        """One broker at a time; the versions differ by what the later one adds."""
        cluster = self._cluster
        victim = self._victim()
        if not victim:
            return
        if victim in cluster.newer and self._rng.random() < DOWNGRADE:
            cluster.newer.discard(victim)
            mark(ClusterMark.DOWNGRADED)
        else:
            cluster.newer.add(victim)
        if 0 < len(cluster.newer) < len(cluster.brokers):
            mark(ClusterMark.TWO_VERSIONS)
        self._world.note(f"upgrade {victim}")
        self._take_down(victim, is_power_cut=False)

    def _set_clock(self) -> None:
        victim = self._rng.choice(BROKERS)
        clock, step_ms = self._cluster.clocks[victim], self._knobs.clock_step_ms
        self._world.note(f"clock of {victim}")
        if self._rng.random() < FREEZE:
            clock.freeze()
            return
        by_ms = self._rng.randrange(-step_ms, step_ms)
        clock.skew_ms += by_ms
        if by_ms < 0 and victim in map(self._cluster.leader_of, self._cluster.partition_ids):
            mark(ClusterMark.CLOCK_STEPPED)

    def _may_wipe(self, victim: int) -> bool:
        """Whether all others have all that is committed, durably, and have a vote."""
        cluster = self._cluster
        for node_id in BROKERS:
            if node_id == victim:
                continue
            broker = cluster.brokers.get(node_id)
            if broker is None or len(broker.partitions()) < len(cluster.partition_ids):
                return False
            for partition_id, partition in broker.partitions().items():
                flushed = partition.storage.journal.last_flushed_index
                if not partition.is_healthy or flushed < len(cluster.checker.logs[partition_id]):
                    return False
        return True

    def _take_down(self, victim: int, *, is_power_cut: bool) -> None:
        self._down.add(victim)
        self._cluster.kill(victim, is_power_cut=is_power_cut)
        self._world.after(self._around(self._knobs.down_us), partial(self._bring_up, victim))

    def _bring_up(self, victim: int) -> None:
        self._down.discard(victim)
        self._cluster.start(victim)

    def _watch(self) -> None:
        """A process whose partition has failed ends, and is begun again."""
        for node_id, broker in list(self._cluster.brokers.items()):
            if broker.failure is not None:
                self._take_down(node_id, is_power_cut=False)
        self._world.after(RESTART_US, self._watch)

    def _pause(self) -> None:
        victim = self._victim()
        if victim:
            self._world.note(f"pause {victim}")
            self._cluster.brokers[victim].loop.pause(self._around(self._knobs.pause_us))

    def _transfer(self) -> None:
        partition_id = self._rng.choice(self._cluster.partition_ids)
        leader = self._cluster.leader_of(partition_id)
        if leader:
            heir = self._rng.choice([each for each in BROKERS if each != leader])
            partition = self._cluster.brokers[leader].replicas.partitions[partition_id]
            loop = self._cluster.brokers[leader].loop
            loop.call_soon(partition.group.hand_over, heir)

    # ── the disks ─────────────────────────────────────────────────────────────────────────────────

    def _fail_disk(self) -> None:
        victim = self._victim()
        if victim:
            operation, code = self._rng.choice(DISK_ERRORS)
            self._world.note(f"{operation} of {victim} will fail")
            disk = self._cluster.disks[victim][self._rng.choice(self._cluster.partition_ids)]
            disk.fail(operation, code, self._rng.randrange(3))
