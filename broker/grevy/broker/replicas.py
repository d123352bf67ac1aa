"""The replicas that this broker holds, and how each of them begins.

A folder that has a log goes on with it. Where it is damaged and others have the partition too, what
is there is put away, and the replica begins again as one that has lost its data: its leader sends
it all, and it gives no vote until then.

A folder that is empty is a new cluster's, or one that was lost. Only the others know: it waits
until one of them says that the partition has a history, or all of them that they are new too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from grevy.broker.config import BrokerConfig
from grevy.broker.folders import Folders
from grevy.engine import SentCommand
from grevy.partition import Outbox, Partition
from grevy.ports import Clock, Entropy
from grevy.protocol.errors import GrevyError
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    MemberState,
    PartitionPlacement,
    ReplicaState,
)
from grevy.protocol.raft_messages import RaftMessage
from grevy.raft import RaftConfig

NEW: Final = "new"
"""The role of a replica that waits to hear whether there is a history."""


class Replicas:
    """All of them, by partition. `send` is None where there are no other brokers."""

    def __init__(
        self,
        config: BrokerConfig,
        placements: ClusterConfiguration,
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
        self.partitions: Final[dict[int, Partition]] = {}
        mine = [each for each in placements.partitions if group_of(each, config.node_id)]
        for placement in mine:
            is_new = folders.is_new(placement.partition_id)
            if is_new and len(placement.replicas) > 1:
                self._waiting[placement.partition_id] = placement
            else:
                self._open(placement)

    async def start(self, outbox: Outbox) -> None:
        """Starts those that need not wait; raises what made one fail."""
        self._outbox = outbox
        await asyncio.gather(*(one.start(outbox) for one in self.partitions.values()))

    async def stop(self) -> None:
        """Lets what is in flight commit, and closes the logs."""
        self._waiting.clear()
        await asyncio.gather(*(one.stop() for one in self.partitions.values()))

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
            (replica.partition_id, state.node_id): replica
            for state in others
            for replica in state.replicas
        }
        for partition_id, placement in list(self._waiting.items()):
            nodes = [each.node_id for each in placement.replicas]
            nodes.remove(self._config.node_id)
            terms = [said[partition_id, n].term for n in nodes if (partition_id, n) in said]
            has_history = any(term > 0 for term in terms)
            if has_history or len(terms) == len(nodes):
                del self._waiting[partition_id]
                self._begin(placement, has_lost_data=has_history)

    def _begin(self, placement: PartitionPlacement, *, has_lost_data: bool) -> None:
        try:
            partition = self._open(placement, has_lost_data=has_lost_data)
        except (GrevyError, OSError) as error:
            self._on_failed(error)
            return
        assert self._outbox is not None, "nothing is heard before the start"
        partition.begin(self._outbox)

    def _open(self, placement: PartitionPlacement, *, has_lost_data: bool = False) -> Partition:
        partition_id = placement.partition_id
        group = group_of(placement, self._config.node_id)
        assert group is not None, "a replica of this broker"
        if len(placement.replicas) > 1:
            storage = self._folders.open_or_repair(partition_id, has_lost_data=has_lost_data)
        else:
            storage = self._folders.open(partition_id)
        self.partitions[partition_id] = partition = self._partition_class(
            *(partition_id, self._loop, self._clock, storage),
            entropy=self._entropy,
            on_failed=self._on_failed,
            partition_count=self._config.partitions,
            group=group,
            post=partial(self._post, partition_id),
            send=None if self._send is None else partial(self._send, partition_id),
            on_lead=self._on_lead,
        )
        return partition


def group_of(placement: PartitionPlacement, node_id: int) -> RaftConfig | None:
    """A broker's replica of a partition and the others; None where it has none."""
    ranks = {each.node_id: each.priority for each in placement.replicas}
    if node_id not in ranks:
        return None
    return RaftConfig(
        node_id,
        voters=tuple(each.node_id for each in placement.replicas if not each.is_learner),
        learners=tuple(each.node_id for each in placement.replicas if each.is_learner),
        priority=ranks[node_id],
        priority_max=max(ranks.values()),
    )
