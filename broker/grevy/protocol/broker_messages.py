"""What brokers send each other: one `BrokerMessage` a peer and turn of the loop, with all that
there is to say; the twin of schemas/broker.capnp.

ZeroMQ delivers what it queued before a cut, seconds late: every message says which cluster it is
of, who sent it, and when.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.intents import Intent
from grevy.protocol.messages import ClusterRequest
from grevy.protocol.raft_messages import RaftMessage
from grevy.protocol.values import Document, Value


class GroupMessage(Struct, frozen=True, tag=True):
    """A word of Raft, for the receiver's replica of a partition."""

    partition_id: int
    message: RaftMessage


class RemoteCommand(Struct, frozen=True, tag=True):
    """A command that another partition's committed entry sends; to the leader of `partition_id`."""

    partition_id: int
    source_partition_id: int
    intent: Intent
    key: int
    value: Value


class ClusterQuestion(Struct, frozen=True, tag=True):
    """A client's request about the cluster, for the broker that decides; the sender has numbered
    it, from 1, and 0 wants no answer.
    """

    number: int
    request: ClusterRequest


class ClusterAnswer(Struct, frozen=True, tag=True):
    """What became of it: a JSON document, or why nothing did."""

    number: int
    document: Document
    reason: str = ""


BrokerItem: TypeAlias = GroupMessage | RemoteCommand | Gossip | ClusterQuestion | ClusterAnswer


class BrokerMessage(Struct, frozen=True):
    """One frame between two members. `sender` is a member id, whose node id is that of the words of
    Raft inside; `sent_at_ms` is the sender's wall clock, in epoch milliseconds.
    """

    cluster_id: str
    sender: int
    sent_at_ms: int
    items: tuple[BrokerItem, ...]
