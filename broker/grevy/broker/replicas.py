"""The replicas that this broker holds, and how each of them begins and ends.

A folder that has a log goes on with it. Where it is damaged and others have the partition too, what
is there is put away, and the replica begins again as one that has lost its data: its leader sends
it all, and it gives no vote until then.

A folder that is empty is a new cluster's, or one that was lost, or that of a replica which is to
come. Only the others know: it waits until one of them says that the partition has a history, or all
of them that they are new too.

Which replicas there should be the cluster's plan says, and `follow` is told of each new one. What
nobody wants any more goes with `drop`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from grevy.broker.config import BrokerConfig
from grevy.broker.folders import Folders
from grevy.broker.hosts import WHOLE, Share
from grevy.cluster import placement_of, replicas_wanted
from grevy.engine import SentCommand
from grevy.partition import Outbox, Partition
from grevy.partition.threads import MakeThread, one_thread
from grevy.ports import Clock, Entropy
from grevy.protocol.errors import GrevyError
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    ClusterPlan,
    MemberState,
    PartitionPlacement,
    ReplicaState,
)
from grevy.protocol.member_ids import NEW, node_of
from grevy.protocol.raft_messages import RaftMessage
from grevy.raft import RaftConfig, Role


class Replicas:
    """All of them, by partition; those of a host's `share`. `placements` are None for a broker that
    has no plan yet; `send` is None where there are no other members.
    """

    def __init__(
        self,
        config: BrokerConfig,
        placements: ClusterConfiguration | None,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        *,
        folders: Folders,
        entropy: Entropy,
        post: Callable[[int, SentCommand], None],
        send: Callable[[int, int, RaftMessage], None] | None,
        on_lead: Callable[[int, bool], None],
        on_failed: Callable[[BaseException], None],
        partition_class: type[Partition] = Partition,
        share: Share = WHOLE,
        make_thread: MakeThread = one_thread,
    ) -> None:
        self._config = config
        self._loop = loop
        self._clock = clock
        self._post = post
        self._send = send
        self._on_lead = on_lead
        self._on_failed = on_failed
        self._outbox: Outbox | None = None
        self._waiting: dict[int, PartitionPlacement] = {}
        self._folders = folders
        self._entropy = entropy
        self._partition_class = partition_class
        self._ending: dict[int, asyncio.Future[None]] = {}
        self._is_stopping = False
        self._deleting = make_thread("grevy-delete")
        self.partition_count = 0
        """Into how many the cluster is divided; 0 for a broker that has no plan yet."""
        self.partitions: Final[dict[int, Partition]] = {}
        self._share = share
        if placements is not None:
            self.partition_count = len(placements.partitions)
            for placement in placements.partitions:
                if _is_placed(placement, config.node_id) and share.has(placement.partition_id):
                    self._open_or_wait(placement)

    async def start(self, outbox: Outbox) -> None:
        """Starts those that need not wait; raises what made one fail."""
        self._outbox = outbox
        await asyncio.gather(*(one.start(outbox) for one in self.partitions.values()))

    def follow(self, plan: ClusterPlan) -> None:
        """This plan holds: opens what is wanted of this broker, and tells replicas their ranks.
        Raises what opening does.
        """
        self.partition_count = len(plan.current.partitions)
        wanted = self._wanted(plan)
        for partition_id in sorted(wanted - self._ending.keys()):
            placement = placement_of(plan.current, partition_id)
            partition = self.partitions.get(partition_id)
            if partition is not None:
                group = group_of(placement, self._config.node_id)
                partition.group.set_priority(group.priority, group.priority_max)
            elif partition_id in self._waiting:
                self._waiting[partition_id] = placement
            elif self._open_or_wait(placement):
                assert self._outbox is not None, "plans are followed after the start"
                self.partitions[partition_id].begin(self._outbox)
        for partition_id in self._waiting.keys() - wanted:
            del self._waiting[partition_id]

    def unwanted(self, plan: ClusterPlan) -> frozenset[int]:
        """The partitions of which there is something here that the plan does not want here. What is
        led here is not among them: the lead has to go first.
        """
        held = self.partitions.keys() | self._folders.partition_ids()
        spare = held - self._wanted(plan)
        return frozenset(
            partition_id
            for partition_id in spare
            if partition_id not in self.partitions
            or self.partitions[partition_id].role is not Role.LEADER
        )

    def _wanted(self, plan: ClusterPlan) -> set[int]:
        return set(filter(self._share.has, replicas_wanted(plan, self._config.node_id)))

    async def drop(self, partition_id: int) -> None:
        """Ends a replica that nobody wants, and deletes what it had, in a thread since that may be
        much. Raises what the disk does. If it is wanted again meanwhile, it is to be said once
        more: `follow` after this. Nothing is done when all replicas are about to stop.
        """
        if self._is_stopping:
            return
        gone = self._ending[partition_id] = self._loop.create_future()
        try:
            partition = self.partitions.pop(partition_id, None)
            if partition is not None:
                await partition.stop()
            await self._loop.run_in_executor(self._deleting, self._folders.remove, partition_id)
        finally:
            del self._ending[partition_id]
            gone.set_result(None)

    async def stop(self) -> None:
        """Lets what is in flight commit, and closes the logs. What is being deleted is gone then,
        for the folder may be another process's soon.
        """
        self._is_stopping = True
        self._waiting.clear()
        await asyncio.gather(*(one.stop() for one in self.partitions.values()))
        if self._ending:
            await asyncio.wait(self._ending.values())
        self._deleting.shutdown(wait=True)

    def states(self) -> tuple[ReplicaState, ...]:
        """What this broker says of its replicas."""
        held = (
            ReplicaState(
                each.partition_id,
                each.term,
                each.leader,
                each.role.value,
                each.last_position,
                each.is_healthy,
                each.has_room,
            )
            for each in self.partitions.values()
        )
        return (*held, *(ReplicaState(each, 0, 0, NEW, is_healthy=False) for each in self._waiting))

    def hear(self, others: Iterable[MemberState]) -> None:
        """What the other brokers say of theirs: replicas that wait can perhaps begin."""
        if not self._waiting:
            return
        said = {
            (replica.partition_id, node_of(state.node_id)): replica
            for state in others
            for replica in state.replicas
        }
        for partition_id, placement in list(self._waiting.items()):
            nodes = _others(placement, self._config.node_id)
            terms = [said[partition_id, n].term for n in nodes if (partition_id, n) in said]
            has_history = any(term > 0 for term in terms)
            if has_history or len(terms) == len(nodes):
                del self._waiting[partition_id]
                self._begin(placement, has_lost_data=has_history)

    def _begin(self, placement: PartitionPlacement, *, has_lost_data: bool) -> None:
        try:
            self._open(placement, has_lost_data=has_lost_data)
        except (GrevyError, OSError) as error:
            self._on_failed(error)
            return
        assert self._outbox is not None, "nothing is heard before the start"
        self.partitions[placement.partition_id].begin(self._outbox)

    def _open_or_wait(self, placement: PartitionPlacement) -> bool:
        """Whether a replica is open now; otherwise it waits to hear what it is."""
        partition_id = placement.partition_id
        if self._folders.is_new(partition_id) and _others(placement, self._config.node_id):
            self._waiting[partition_id] = placement
            return False
        self._open(placement)
        return True

    def _open(self, placement: PartitionPlacement, *, has_lost_data: bool = False) -> None:
        partition_id = placement.partition_id
        if _others(placement, self._config.node_id):
            storage = self._folders.open_or_repair(partition_id, has_lost_data=has_lost_data)
        else:
            storage = self._folders.open(partition_id)
        self.partitions[partition_id] = self._partition_class(
            *(partition_id, self._loop, self._clock, storage),
            entropy=self._entropy,
            on_failed=self._on_failed,
            partition_count=self.partition_count,
            group=group_of(placement, self._config.node_id),
            post=partial(self._post, partition_id),
            send=None if self._send is None else partial(self._send, partition_id),
            on_lead=self._on_lead,
        )


def group_of(placement: PartitionPlacement, node_id: int) -> RaftConfig:
    """A broker's replica of a partition and the others. One that is about to join knows no voters:
    its leader will tell.
    """
    ranks = {each.node_id: each.priority for each in placement.replicas}
    if node_id not in ranks:
        return RaftConfig(node_id, voters=())
    return RaftConfig(
        node_id,
        voters=tuple(each.node_id for each in placement.replicas if not each.is_learner),
        learners=tuple(each.node_id for each in placement.replicas if each.is_learner),
        priority=ranks[node_id],
        priority_max=max(ranks.values()),
    )


def _is_placed(placement: PartitionPlacement, node_id: int) -> bool:
    return any(each.node_id == node_id for each in placement.replicas)


def _others(placement: PartitionPlacement, node_id: int) -> list[int]:
    return [each.node_id for each in placement.replicas if each.node_id != node_id]
