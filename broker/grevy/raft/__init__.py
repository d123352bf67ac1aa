"""Raft: who leads a partition, and what of its log is committed."""

from __future__ import annotations

from grevy.protocol.raft_messages import RaftMessage
from grevy.raft.node import HardState, RaftConfig, RawNode, Ready
from grevy.raft.roles import Role
from grevy.raft.storage import RaftStorage

__all__ = ["HardState", "RaftConfig", "RaftMessage", "RaftStorage", "RawNode", "Ready", "Role"]
