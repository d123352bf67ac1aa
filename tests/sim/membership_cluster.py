"""A cluster whose brokers come and go: the faults of `cluster_nemesis`, and, among them, somebody
who has brokers added and removed, changes cancelled and leads handed back.

The world is the same, but that there are five machines, of which at least three are members at any
time; who is removed starts again a little later, with what its disks have, and waits to be added.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from random import Random
from typing import Final

import msgspec
from tests.sim.cluster import SimCluster
from tests.sim.cluster_broker import BROKERS, BrokerClock, SimBroker
from tests.sim.cluster_checker import ClusterChecker
from tests.sim.cluster_knobs import ClusterKnobs, draw_cluster_knobs
from tests.sim.cluster_links import CLUSTER_ID, PORT, host_of
from tests.sim.cluster_nemesis import ClusterNemesis
from tests.sim.disk import SimDisk
from tests.sim.marks import mark
from tests.sim.membership_marks import MembershipMark
from tests.sim.network import SimNetwork
from tests.sim.world import World

from grevy.cluster import PlanFile, distribute, first_plan, is_under_way, placement_of, voters_of
from grevy.partition import StorageOptions
from grevy.protocol.gossip_messages import ClusterPlan
from grevy.protocol.messages import ClusterRequest, ClusterRequestKind

MACHINES: Final = (1, 2, 3, 4, 5)
MEMBERS_MIN: Final = len(BROKERS)
ASK_EVERY_US: Final = 1_500_000
"""The mean time between two requests."""
PAUSE_MAX_US: Final = 4_000_000
RETURN_US: Final = 1_000_000
"""How soon the process of a broker that was removed begins again."""


class MemberBroker(SimBroker):
    """A broker with a plan on its disk."""

    lead_back_s = 1.0

    def __init__(
        self,
        world: World,
        network: SimNetwork,
        node_id: int,
        disks: dict[int, SimDisk],
        *,
        plan_disk: SimDisk,
        removed: Callable[[MemberBroker], None],
        options: StorageOptions,
        job_us: Callable[[str], int],
        clock: BrokerClock,
        checker: ClusterChecker,
        damaged: Collection[SimDisk],
        is_newer: bool = False,
    ) -> None:
        self._plan_disk = plan_disk
        self._removed = removed
        self.plan_file: PlanFile | None = None
        super().__init__(
            *(world, network, node_id, disks),
            options=options,
            job_us=job_us,
            clock=clock,
            checker=checker,
            damaged=damaged,
            is_newer=is_newer,
        )

    def plans(self, partitions: int) -> PlanFile:
        """As in a broker's composition: the first brokers begin with a plan from settings."""
        self.plan_file = file = PlanFile.open(self._plan_disk, CLUSTER_ID)
        if file.plan is None and self.node_id in BROKERS:
            file.write(first_plan(distribute(BROKERS, partitions, len(BROKERS))))
        return file

    @property
    def plan(self) -> ClusterPlan | None:
        """The plan that holds here."""
        assert self.plan_file is not None
        return self.plan_file.plan

    def on_removed(self) -> None:
        """It ends."""
        self._removed(self)


class MembershipNemesis(ClusterNemesis):
    """Asks for changes beside what else goes wrong."""

    def __init__(self, cluster: MembershipCluster) -> None:
        super().__init__(cluster)
        self._members = cluster
        self._number = 0

    def begin(self) -> None:
        """As ever, and somebody asks for changes."""
        super().begin()
        self._repeat(ASK_EVERY_US, self._ask)

    def _ask(self) -> None:
        cluster, rng = self._members, self._rng
        node_id = self._victim()
        if not node_id:
            return
        broker = cluster.brokers[node_id]
        assert isinstance(broker, MemberBroker)
        if broker.plan is None:
            return
        request = self._draw(broker.plan)
        self._world.note(f"ask {node_id} {request.kind.name} +{request.add} -{request.remove}")
        broker.loop.call_soon(broker.cluster.requests.ask, request, partial(self._heard, request))
        if rng.random() < 0.2:  # the answer was lost, and a client asks again
            broker.loop.call_soon(
                broker.cluster.requests.ask, request, partial(self._heard, request)
            )

    def _draw(self, plan: ClusterPlan) -> ClusterRequest:
        rng = self._rng
        self._number += 1
        if rng.random() < 0.1:
            return ClusterRequest(self._number, ClusterRequestKind.CANCEL)
        if rng.random() < 0.2:
            return ClusterRequest(self._number, ClusterRequestKind.REBALANCE)
        members = sorted(plan.target.brokers)
        others = [each for each in MACHINES if each not in members]
        coming = [rng.choice(others)] if others and rng.random() < 0.7 else []
        going = [rng.choice(members)] if rng.random() < 0.5 else []
        if len(members) + len(coming) - len(going) < MEMBERS_MIN:
            going = []
        return ClusterRequest(
            self._number,
            ClusterRequestKind.CHANGE,
            tuple(coming),
            tuple(f"{host_of(each)}:{PORT}" for each in coming),
            tuple(going),
        )

    def _heard(self, request: ClusterRequest, document: bytes, reason: str) -> None:
        """A change was begun, or refused with a reason."""
        assert bool(document) != bool(reason), "an answer, or why there is none"
        if request.kind is ClusterRequestKind.CHANGE and document:
            mark(MembershipMark.BEGUN)
            self._members.begun.add(int(msgspec.json.decode(document)["epoch"]))
        elif request.kind is ClusterRequestKind.CHANGE and self._members.are_changing():
            mark(MembershipMark.BUSY)
        elif request.kind is ClusterRequestKind.CANCEL and document:
            mark(MembershipMark.CANCELLED)

    def _pause(self) -> None:
        """Not for longer than a cluster may take to be well again, nor who stands already."""
        victim = self._victim()
        if victim:
            pause_us = min(self._around(self._knobs.pause_us), PAUSE_MAX_US)
            loop = self._cluster.brokers[victim].loop
            if not loop.is_paused:
                self._world.note(f"pause {victim}")
                loop.pause(pause_us)

    def _may_wipe(self, victim: int) -> bool:
        """One that nothing depends on: the others have all, and no group is changing."""
        cluster = self._members
        if not set(BROKERS) & cluster.brokers.keys():
            return False  # nobody knows what the plan is
        plan = cluster.newest_plan()
        if cluster.are_changing() or set(plan.current.brokers) - cluster.brokers.keys() - {victim}:
            return False
        for partition_id in cluster.partition_ids:
            for node_id in voters_of(placement_of(plan.current, partition_id)) - {victim}:
                partition = cluster.brokers[node_id].partitions().get(partition_id)
                if partition is None or not partition.is_healthy:
                    return False
                flushed = partition.storage.journal.last_flushed_index
                if flushed < len(cluster.checker.logs[partition_id]):
                    return False
        return True


class MembershipCluster(SimCluster):
    """See the module."""

    def __init__(self, seed: int, knobs: ClusterKnobs | None = None) -> None:
        super().__init__(seed, knobs or draw_cluster_knobs(Random(seed)))
        self.disks = {
            node_id: {each: SimDisk() for each in self.partition_ids} for node_id in MACHINES
        }
        self.clocks = {node_id: self._make_clock(node_id) for node_id in MACHINES}
        self.plan_disks = {node_id: SimDisk() for node_id in MACHINES}
        self.begun: set[int] = set()
        """The changes that were begun, by their epochs."""
        self._removed: set[int] = set()
        self.nemesis = MembershipNemesis(self)
        for node_id in set(MACHINES) - set(BROKERS):
            self.world.after(0, partial(self.start, node_id))

    def kill(self, node_id: int, *, is_power_cut: bool) -> None:
        """As ever; the plan's disk is another one."""
        if self._members() and self.are_changing():
            mark(MembershipMark.KILLED_CHANGING)
        super().kill(node_id, is_power_cut=is_power_cut)
        if is_power_cut:
            self.plan_disks[node_id] = self.plan_disks[node_id].crash(self.rng)

    def wipe(self, node_id: int) -> None:
        """The plan goes too."""
        super().wipe(node_id)
        self.plan_disks[node_id] = SimDisk()

    def newest_plan(self) -> ClusterPlan:
        """The plan that holds, of those that brokers have which are up."""
        plans = [broker.plan for broker in self._members() if broker.plan is not None]
        return max(plans, key=lambda plan: (plan.epoch, plan.step))

    def are_changing(self) -> bool:
        """Whether a change is under way, or not everybody knows that it is not."""
        plans = {broker.plan for broker in self._members()}
        return len(plans) > 1 or is_under_way(self.newest_plan())

    def _members(self) -> list[MemberBroker]:
        return [each for each in self.brokers.values() if isinstance(each, MemberBroker)]

    def _make_broker(self, node_id: int) -> SimBroker:
        return MemberBroker(
            *(self.world, self.network, node_id, self.disks[node_id]),
            plan_disk=self.plan_disks[node_id],
            removed=self._on_removed,
            options=self._options,
            job_us=partial(self._job_us, node_id),
            clock=self.clocks[node_id],
            checker=self.checker,
            damaged=self.damaged,
            is_newer=node_id in self.newer,
        )

    def _on_removed(self, broker: MemberBroker) -> None:
        """Its process ends, in a moment, and begins again later."""
        mark(MembershipMark.REMOVED)
        self._removed.add(broker.node_id)

        def end() -> None:
            if self.brokers.get(broker.node_id) is broker:
                self.kill(broker.node_id, is_power_cut=False)
                self.world.after(RETURN_US, partial(self._return, broker.node_id))

        self.world.after(0, end)

    def _return(self, node_id: int) -> None:
        if node_id not in self.brokers:
            self.start(node_id)

    def _is_led(self) -> bool:
        return len(self.brokers) == len(MACHINES) and super()._is_led()

    def _is_equal(self) -> bool:
        """All changes are carried out, who is placed has all there is, and nobody else anything;
        each partition is led by the broker that should.
        """
        if len(self.brokers) < len(MACHINES) or self.are_changing():
            return False
        plan = self.newest_plan()
        if self._removed & set(plan.current.brokers):
            mark(MembershipMark.ADDED_AGAIN)
        for placement in plan.current.partitions:
            partition_id = placement.partition_id
            placed = {each.node_id for each in placement.replicas}
            for node_id, broker in self.brokers.items():
                partition = broker.partitions().get(partition_id)
                if (partition is not None) != (node_id in placed):
                    return False
                if partition is None:
                    continue
                if partition.storage.state.applied_index != len(self.checker.logs[partition_id]):
                    return False
                if partition.group.is_led and set(partition.group.members.voters) != placed:
                    return False
            best = max(placement.replicas, key=lambda each: each.priority)
            if self.leader_of(partition_id) != best.node_id:
                return False
        return True

    def tell(self) -> str:
        """How things are, for people."""
        plans = [f"plan of broker {each.node_id}: {each.plan}" for each in self._members()]
        return "\n".join([super().tell(), *plans])
