"""What clients and brokers say to each other: one Cap'n Proto message a ZeroMQ frame, each with a
list of these.

A client sends `ClientMessage`, a broker answers with `ServerMessage`; both carry as many requests,
replies and pushes as there were at hand. A request is named by its number, which the client counts
up from 1; sending it again is safe and gives the first answer. Subscriptions are named by the
client too, by a number of its own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct

from grevy.protocol.intents import Intent, ValueType
from grevy.protocol.record import Answer
from grevy.protocol.values import Document, Value


class CommandRequest(Struct, frozen=True, gc=False):
    """Do something: the command's intent and value; `key` is -1 where the command creates what it
    is about.
    """

    number: int
    partition_id: int
    intent: Intent
    key: int
    value: Value


class TopologyRequest(Struct, frozen=True, gc=False):
    """Who leads which partition?"""

    number: int


class StatusRequest(Struct, frozen=True, gc=False):
    """How is the broker? The answer is a JSON document of figures, for people and dashboards."""

    number: int


class ClusterRequestKind(IntEnum):
    """What is wanted of the cluster; the numbers go on the wire."""

    STATUS = 0
    CHANGE = 1
    CANCEL = 2
    REBALANCE = 3


class ClusterRequest(Struct, frozen=True, gc=False):
    """Something about the cluster as a whole. The answer is a `StatusReply`: how the cluster is, or
    the change that is under way then, with `is_trial`: would be.

    For `CHANGE`: brokers that come and go, by their node ids, at `addresses` (host:port, where
    brokers connect; "" for one that is known), and on how many brokers each partition is to lie, 0:
    as it is.
    """

    number: int
    kind: ClusterRequestKind
    add: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    remove: tuple[int, ...] = ()
    replication_factor: int = 0
    is_trial: bool = False


class OpenJobSubscription(Struct, frozen=True, gc=False):
    """Push me jobs of a type, as many as my credit; none of them longer than `timeout` ms. Empty
    `fetch_variables`: all.
    """

    subscription: int
    partition_id: int
    type: str
    worker: str
    timeout: int
    fetch_variables: tuple[str, ...]
    credit: int


class OpenRecordSubscription(Struct, frozen=True, gc=False):
    """Push me committed entries from the one that holds `from_position` (0: the oldest there is).

    Entries without a record of `value_types` are left out; empty means all. `credit` is counted in
    entries. A subscription with an `exporter_id` keeps the log from being compacted beyond what it
    acknowledged; `from_position` -1 then means: after what was acknowledged.
    """

    subscription: int
    partition_id: int
    from_position: int
    value_types: tuple[ValueType, ...]
    credit: int
    exporter_id: str = ""


class AddCredit(Struct, frozen=True, gc=False):
    """So many more jobs or entries may be pushed."""

    subscription: int
    credit: int


class AcknowledgeRecords(Struct, frozen=True, gc=False):
    """All records up to this position are done with; `metadata` is the exporter's own, and given
    back when it opens again.
    """

    subscription: int
    position: int
    metadata: bytes = b""


class CloseSubscription(Struct, frozen=True, gc=False):
    """No more pushes; jobs that were pushed and not finished go back."""

    subscription: int


class Heartbeat(Struct, frozen=True, gc=False):
    """I am there, and all my requests below `settled` are answered."""

    settled: int


Request: TypeAlias = (
    CommandRequest
    | TopologyRequest
    | StatusRequest
    | OpenJobSubscription
    | OpenRecordSubscription
    | AddCredit
    | AcknowledgeRecords
    | CloseSubscription
    | Heartbeat
    | ClusterRequest
)


class ClientMessage(Struct, frozen=True, gc=False):
    """What a client sends; `client_id` is its 16 random bytes."""

    client_id: bytes
    requests: tuple[Request, ...]


class ErrorCode(IntEnum):
    """Why a request was not taken; the numbers go on the wire. Rejected commands are answers, not
    errors.
    """

    MALFORMED = 0
    NOT_LEADER = 1
    RESOURCE_EXHAUSTED = 2
    UNKNOWN_PARTITION = 3
    UNSUPPORTED = 4
    TOO_LARGE = 5
    SHUTTING_DOWN = 6
    UNAVAILABLE = 7
    REFUSED = 8


class CommandReply(Struct, frozen=True, gc=False):
    """The answer to a command; what it says is committed."""

    number: int
    answer: Answer


class ErrorReply(Struct, frozen=True, gc=False):
    """The request was not taken and has no effect; `retry_after_ms` is 0 where trying again is of
    no use.
    """

    number: int
    code: ErrorCode
    message: str
    retry_after_ms: int = 0


class PartitionInfo(Struct, frozen=True, gc=False):
    """A partition and the client endpoint of its leader ("" while there is none)."""

    partition_id: int
    leader: str
    term: int


class ReplicaInfo(Struct, frozen=True, gc=False):
    """A broker's replica of a partition, as it said last: its role in a term (`grevy.raft.Role`),
    and the newest record that is applied there.
    """

    partition_id: int
    role: str
    term: int
    position: int = 0
    is_healthy: bool = True


class BrokerInfo(Struct, frozen=True, gc=False):
    """A broker of the cluster; one that is not alive has not been heard of for some seconds."""

    node_id: int
    endpoint: str
    version: str
    is_alive: bool
    replicas: tuple[ReplicaInfo, ...]


class TopologyReply(Struct, frozen=True, gc=False):
    """Who leads which partition, and how the brokers are, as far as the one that answers knows."""

    number: int
    cluster_id: str
    version: str
    partitions: tuple[PartitionInfo, ...]
    brokers: tuple[BrokerInfo, ...] = ()
    replication_factor: int = 1


class StatusReply(Struct, frozen=True, gc=False):
    """The broker's figures, a JSON document."""

    number: int
    status: Document


class ActivatedJob(Struct, frozen=True, gc=False):
    """A job for a worker, with the variables that it sees."""

    key: int
    type: str
    worker: str
    retries: int
    deadline: int
    activation: int
    custom_headers: Document
    variables: Document
    element_id: str
    element_instance_key: int
    bpmn_process_id: str
    process_definition_version: int
    process_definition_key: int
    process_instance_key: int


class JobPush(Struct, frozen=True, gc=False):
    """Jobs for a subscription; each takes one from its credit."""

    subscription: int
    jobs: tuple[ActivatedJob, ...]


class RecordPush(Struct, frozen=True, gc=False):
    """Entries for a subscription, as they lie in the log (`codec.decode_entry`), oldest first.

    `up_to` is the last position that was looked at, so that a reader whose filter let nothing pass
    moves on too.
    """

    subscription: int
    entries: tuple[bytes, ...]
    up_to: int


class SubscriptionOpened(Struct, frozen=True, gc=False):
    """A record subscription begins after `position`; `metadata` is what its exporter last left."""

    subscription: int
    position: int
    metadata: bytes = b""


class SubscriptionClosed(Struct, frozen=True, gc=False):
    """The broker ends a subscription; open it again, where the topology says."""

    subscription: int
    code: ErrorCode
    message: str


ServerItem: TypeAlias = (
    CommandReply
    | ErrorReply
    | TopologyReply
    | StatusReply
    | JobPush
    | RecordPush
    | SubscriptionOpened
    | SubscriptionClosed
)


class ServerMessage(Struct, frozen=True, gc=False):
    """What a broker sends."""

    items: tuple[ServerItem, ...]
