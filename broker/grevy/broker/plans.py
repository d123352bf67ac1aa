"""The plan that a broker begins with: its folder's, or in a new one that of the settings."""

from __future__ import annotations

from grevy.broker.config import BrokerConfig
from grevy.broker.hosts import WHOLE, Share
from grevy.broker.membership import Plans
from grevy.broker.system import OsDisk
from grevy.cluster import PlanFile, describe, distribute, first_plan, peek_plan
from grevy.protocol.errors import GrevyError
from grevy.protocol.gossip_messages import ClusterPlan


class WrongSettings(GrevyError):
    """The broker's folder is of another cluster than the settings."""


class PlanCopy:
    """The plan of a broker's other hosts: the first one keeps it for all. What they know beyond
    that is lost with them; they hear it again.
    """

    def __init__(self, plan: ClusterPlan | None) -> None:
        self._plan = plan

    @property
    def plan(self) -> ClusterPlan | None:
        """What is known."""
        return self._plan

    def write(self, plan: ClusterPlan) -> None:
        """Replaces it."""
        self._plan = plan


def open_plans(config: BrokerConfig, share: Share = WHOLE) -> Plans:
    """Who holds which partition, as it is written down. A broker that is to join a cluster may have
    no plan yet.

    Raises `WrongSettings` where folder and settings both speak and differ: messages lie in the
    partition that their key and the number of partitions say. Where the cluster was changed since,
    its brokers and replicas are what was decided then, and the settings say nothing of them.
    """
    file = _plans(config, share)
    if config.join:
        return file
    nodes = range(1, config.cluster_size + 1)
    by_settings = first_plan(distribute(nodes, config.partitions, config.replication_factor))
    plan = file.plan
    if plan is None:
        file.write(by_settings)
    elif _is_other(plan, by_settings):
        raise WrongSettings(
            f"{config.data} is of a cluster with {describe(plan)}, but the settings say "
            f"{describe(by_settings)}: they stay as they were at the first start"
        )
    return file


def _plans(config: BrokerConfig, share: Share) -> Plans:
    if share.host:
        return PlanCopy(peek_plan(OsDisk(config.data, is_read_only=True), config.cluster_id))
    return PlanFile.open(OsDisk(config.data), config.cluster_id)


def _is_other(plan: ClusterPlan, by_settings: ClusterPlan) -> bool:
    if plan.epoch == by_settings.epoch:
        return plan.target != by_settings.target
    return len(plan.target.partitions) != len(by_settings.target.partitions)
