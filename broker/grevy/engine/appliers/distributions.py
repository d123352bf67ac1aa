"""Appliers of the distribution of commands."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.protocol.values import CommandDistributionValue


def apply_distribution_started(stores: Stores, key: int, value: CommandDistributionValue) -> None:
    """A command is to reach the other partitions."""
    stores.distributions.start(key, value)


def apply_distribution_enqueued(stores: Stores, key: int, value: CommandDistributionValue) -> None:
    """A partition is to get it, after what it is to get before."""
    stores.distributions.enqueue(key, value)


def apply_distribution_distributing(
    stores: Stores, key: int, value: CommandDistributionValue
) -> None:
    """A partition is sent it."""
    stores.distributions.send(key, value, stores.now)


def apply_distribution_acknowledged(
    stores: Stores, key: int, value: CommandDistributionValue
) -> None:
    """A partition has followed it."""
    stores.distributions.acknowledge(key, value.partition_id)


def apply_distribution_finished(stores: Stores, key: int, _value: CommandDistributionValue) -> None:
    """All partitions have followed it."""
    stores.distributions.finish(key)
