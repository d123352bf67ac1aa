"""Members: the processes of a cluster, as gossip and links know them.

A broker is one process, or several *partition hosts*. Each of them is a member, whose id is made of
its broker's node id and the number of the host, from 0:

    member id = node id | host << 16

So the member id of a broker's first host, and of a broker that is one process, is its node id. Raft
knows brokers only: which member of one holds a partition, the members say.
"""

from __future__ import annotations

from typing import Final

NODE_ID_BITS: Final = 16
NODE_ID_MAX: Final = (1 << NODE_ID_BITS) - 1

DOWN: Final = "down"
"""The role of a replica whose host is not heard of, while its broker is."""

NEW: Final = "new"
"""The role of a replica that waits to hear whether there is a history."""


def member_id(node_id: int, host: int) -> int:
    """The member that is a broker's host of this number."""
    assert 0 < node_id <= NODE_ID_MAX, node_id
    assert host >= 0, host
    return node_id | host << NODE_ID_BITS


def node_of(member: int) -> int:
    """The broker that a member is of."""
    return member & NODE_ID_MAX


def host_of(member: int) -> int:
    """The number of a member's host."""
    return member >> NODE_ID_BITS


def name_of(member: int) -> str:
    """A member in a sentence."""
    host = host_of(member)
    return f"broker {node_of(member)}" + (f" (host {host})" if host else "")
