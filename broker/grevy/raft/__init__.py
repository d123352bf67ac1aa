"""Raft: who leads a partition, and what of its log is committed."""

from __future__ import annotations

from grevy.protocol.raft_messages import GroupMembers, RaftMessage
from grevy.raft.config import RaftConfig
from grevy.raft.errors import MembersRefused
from grevy.raft.log import LogReader
from grevy.raft.membership import NOT_OF_ENGINE, is_of_engine
from grevy.raft.node import RawNode
from grevy.raft.ready import (
    ConfirmedRead,
    Envelope,
    HardState,
    LogStart,
    Membership,
    Ready,
    SnapshotPart,
    SnapshotRead,
)
from grevy.raft.roles import Role
from grevy.raft.storage import RaftStorage

__all__ = [
    "NOT_OF_ENGINE",
    "ConfirmedRead",
    "Envelope",
    "GroupMembers",
    "HardState",
    "LogReader",
    "LogStart",
    "MembersRefused",
    "Membership",
    "RaftConfig",
    "RaftMessage",
    "RaftStorage",
    "RawNode",
    "Ready",
    "Role",
    "SnapshotPart",
    "SnapshotRead",
    "is_of_engine",
]
