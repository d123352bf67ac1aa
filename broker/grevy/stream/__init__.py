"""Processing and replay of a partition's log stream, and what the leader keeps for workers and
subscribers.
"""

from __future__ import annotations

from grevy.stream.feed import RecordFeed, RecordSubscription
from grevy.stream.leases import Leases
from grevy.stream.processor import Effects, StreamProcessor
from grevy.stream.pushes import joined_pushes
from grevy.stream.topics import JobSubscription, Topics

__all__ = [
    "Effects",
    "JobSubscription",
    "Leases",
    "RecordFeed",
    "RecordSubscription",
    "StreamProcessor",
    "Topics",
    "joined_pushes",
]
