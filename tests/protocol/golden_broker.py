"""A message between brokers with one of everything, for its golden file; never changed."""

from __future__ import annotations

from grevy.protocol.broker_messages import BrokerMessage, GroupMessage, RemoteCommand
from grevy.protocol.gossip_messages import (
    ClusterConfiguration,
    ClusterPlan,
    Gossip,
    MemberState,
    PartitionPlacement,
    ReplicaPlacement,
    ReplicaState,
)
from grevy.protocol.intents import MessageSubscriptionIntent
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    GroupMembers,
    Heartbeat,
    HeartbeatResponse,
    RaftMessage,
    SnapshotChunk,
    SnapshotResponse,
    TakeOver,
    VoteRequest,
    VoteResponse,
)
from grevy.protocol.values import MessageSubscriptionValue

SENDER = 3
TERM = 7

RAFT_MESSAGES: tuple[RaftMessage, ...] = (
    VoteRequest(SENDER, TERM, 120, 6, is_pre_vote=True),
    VoteRequest(SENDER, TERM, 120, 6, is_transfer=True),
    VoteResponse(SENDER, TERM, is_granted=True, is_pre_vote=True),
    VoteResponse(SENDER, TERM, is_granted=False),
    AppendRequest(
        SENDER, TERM, 120, 6, 119, 42, (JournalEntry(121, 6, b"first"), JournalEntry(122, 7, b""))
    ),
    AppendRequest(SENDER, TERM, 122, 7, 121, 43),
    AppendRequest(SENDER, TERM, 122, 7, 121, 43, repair_id=1 << 62, repair_index=121),
    AppendResponse(SENDER, TERM, 122, 42),
    AppendResponse(SENDER, TERM, 100, 42, is_rejected=True, hint_term=5, repair_id=9),
    Heartbeat(SENDER, TERM, 119, 44),
    HeartbeatResponse(SENDER, TERM, 44),
    HeartbeatResponse(SENDER, TERM, 44, repair_id=9),
    SnapshotChunk(
        SENDER, TERM, 90, 5, GroupMembers((1, 2, 3), (1, 2), (4,)), 4096, 1 << 40, b"piece", 45
    ),
    SnapshotChunk(SENDER, TERM, 90, 5, GroupMembers((1,)), 0, 0, b"", 46),
    SnapshotResponse(SENDER, TERM, 90, 8192, 45),
    SnapshotResponse(SENDER, TERM, 90, 1 << 40, 45, is_installed=True),
    TakeOver(SENDER, TERM),
)
SUBSCRIPTION = MessageSubscriptionValue(
    2251799813685250, 2251799813685252, 2251799813685249, "order", "paid", "order-1", -1, b"{}"
)
MEMBERS = (
    MemberState(
        1,
        1_700_000_000_000,
        17,
        "tcp://10.0.0.1:26602",
        "tcp://10.0.0.1:26600",
        "0.1.0",
        replicas=(
            ReplicaState(1, TERM, 3, "follower", 4711),
            ReplicaState(2, 4, 1, "leader", 12, False),
        ),
        instance=(1 << 63) - 1,
        plan_epoch=2,
        plan_step=3,
        plan_digest=-4,
    ),
    MemberState(2, 1, 1, "tcp://b:1", "tcp://b:2", "0.1.0", is_leaving=True),
)
PLAN = ClusterPlan(
    2,
    3,
    1,
    ClusterConfiguration(
        (1, 2),
        (PartitionPlacement(1, (ReplicaPlacement(1, 2), ReplicaPlacement(2, 1, is_learner=True))),),
    ),
    ClusterConfiguration((1,), ()),
)
BROKER_MESSAGE = BrokerMessage(
    "grevy",
    SENDER,
    1_700_000_000_123,
    (
        *(GroupMessage(place, message) for place, message in enumerate(RAFT_MESSAGES, 1)),
        RemoteCommand(2, 1, MessageSubscriptionIntent.CREATE, -1, SUBSCRIPTION),
        Gossip(SENDER, MEMBERS, is_question=True),
        Gossip(SENDER, (), contact="tcp://c:1", plans=(PLAN,)),
    ),
)
