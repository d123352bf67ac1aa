"""Partitions: raft, log, stream processor and subscriptions, wired to sockets, disks and clocks."""

from __future__ import annotations

from grevy.partition.errors import StateDiverged, StorageFailed
from grevy.partition.partition import Outbox, Partition
from grevy.partition.storage import PartitionStorage, StorageOptions

__all__ = [
    "Outbox",
    "Partition",
    "PartitionStorage",
    "StateDiverged",
    "StorageFailed",
    "StorageOptions",
]
