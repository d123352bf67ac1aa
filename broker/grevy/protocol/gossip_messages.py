"""What brokers tell each other about the cluster, again and again."""

from __future__ import annotations

from msgspec import Struct


class ReplicaState(Struct, frozen=True):
    """A broker's replica of a partition. `leader` is whom it follows (a node id, 0 for nobody) in
    `term`; `position` is the newest record that is applied here.
    """

    partition_id: int
    term: int
    leader: int
    role: str
    position: int = 0


class MemberState(Struct, frozen=True):
    """What a broker says of itself, or of another whom it has heard. `incarnation` is the time of
    its start, in epoch milliseconds, and `version` counts what it has said since: of two states of
    one broker the greater (incarnation, version) is the newer.
    """

    node_id: int
    incarnation: int
    version: int
    cluster_endpoint: str
    client_endpoint: str
    software: str
    is_leaving: bool = False
    replicas: tuple[ReplicaState, ...] = ()


class Gossip(Struct, frozen=True, tag=True):
    """What a broker knows of all brokers; with `is_question`, it wants to hear the same."""

    sender: int
    members: tuple[MemberState, ...]
    is_question: bool = False
