"""Raft: who leads a partition, and what of its log is committed."""

from __future__ import annotations

from grevy.raft.messages import Message
from grevy.raft.node import HardState, RaftConfig, RawNode, Ready
from grevy.raft.roles import Role
from grevy.raft.storage import RaftStorage

__all__ = ["HardState", "Message", "RaftConfig", "RaftStorage", "RawNode", "Ready", "Role"]
