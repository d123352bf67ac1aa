"""What brokers tell each other about the cluster, again and again."""

from __future__ import annotations

from msgspec import Struct


class ReplicaState(Struct, frozen=True):
    """A broker's replica of a partition. `leader` is whom it follows (a node id, 0 for nobody) in
    `term`; `position` is the newest record that is applied here. `has_room` says that its disk has
    room for what a leader is asked.
    """

    partition_id: int
    term: int
    leader: int
    role: str
    position: int = 0
    is_healthy: bool = True
    has_room: bool = True


class MemberState(Struct, frozen=True):
    """What a broker or a host says of itself, or of another whom it has heard. `node_id` is a
    member id (`member_ids`). `incarnation` is the time of its start, in epoch milliseconds, and
    `version` counts what it has said since, once a round at least: of two states of one member the
    greater (incarnation, version) is the newer. `instance` is a number from 1 to 2**63 - 1 that is
    drawn at a member's start: of two instances with one id, one has ended, or should not be.
    (`plan_epoch`, `plan_step`) is the newest plan that it has (0: none), and `plan_digest` tells
    such plans apart.
    """

    node_id: int
    incarnation: int
    version: int
    cluster_endpoint: str
    client_endpoint: str
    software: str
    is_leaving: bool = False
    replicas: tuple[ReplicaState, ...] = ()
    instance: int = 0
    plan_epoch: int = 0
    plan_step: int = 0
    plan_digest: int = 0


class ReplicaPlacement(Struct, frozen=True):
    """A replica's place: the broker that holds it. Of the voters, the one with the highest priority
    should lead; a learner has the log and no vote.
    """

    node_id: int
    priority: int
    is_learner: bool = False


class PartitionPlacement(Struct, frozen=True):
    """Which brokers hold a partition."""

    partition_id: int
    replicas: tuple[ReplicaPlacement, ...]


class ClusterConfiguration(Struct, frozen=True):
    """Which brokers there are, and what they hold; in the order of their ids."""

    brokers: tuple[int, ...]
    partitions: tuple[PartitionPlacement, ...]


class ClusterPlan(Struct, frozen=True, omit_defaults=True):
    """What the cluster is, and what it is to become; no change is under way where both are equal.

    `epoch` counts the changes that were decided, from 1, each by its `author` (a node id, 0 for
    what brokers are started with), and `step` what has been done of this one: the greatest
    (epoch, step) is what holds. `wish` tells the request that began it (0: none is known), so that
    whoever is asked the same again gives the same answer.
    """

    epoch: int
    step: int
    author: int
    current: ClusterConfiguration
    target: ClusterConfiguration
    wish: int = 0


class Gossip(Struct, frozen=True, tag=True):
    """What a broker knows of all brokers; with `is_question`, it wants to hear what is newer.

    `contact` is the address at which somebody was asked whose id was not known yet; it comes back
    with the answer. `plans` holds the newest plan, or nothing for who has it.
    """

    sender: int
    members: tuple[MemberState, ...]
    is_question: bool = False
    contact: str = ""
    plans: tuple[ClusterPlan, ...] = ()
