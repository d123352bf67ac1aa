"""Bugs in what brokers that come and go do: plans, members of groups, leads."""

from __future__ import annotations

from typing import Final

from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.membership_cluster import MembershipCluster
from tests.sim.mutants.bug import Bug, fault_of

from grevy.broker.membership import Membership
from grevy.cluster import conductor
from grevy.cluster.conductor import LedGroup
from grevy.protocol.gossip_messages import ClusterConfiguration, ClusterPlan


def fault_of_membership(seed: int) -> str:
    """Of a cluster whose brokers come and go, and are killed once in a while."""
    knobs = ClusterKnobs(orders=10, fault_us=12_000_000, crash_every_us=3_000_000)
    return fault_of(lambda seed: MembershipCluster(seed, knobs), seed)


def _as_planned(planned: ClusterPlan, _group: LedGroup) -> ClusterConfiguration:
    return planned.current


def _never_on(planned: ClusterPlan, _current: ClusterConfiguration) -> ClusterPlan:
    return planned


def _keep_all(self: Membership, _plan: ClusterPlan, _now_ms: int) -> None:
    pass


def _keep_the_lead(self: Membership, _now_ms: int) -> None:
    pass


def _stay(self: Membership, _action: object) -> None:
    pass


MEMBERSHIP_BUGS: Final = (
    Bug(
        "a plan does not go by what groups are",
        {(conductor, "with_truth"): _as_planned},
        (1,),
        fault_of_membership,
    ),
    Bug(
        "a step that was done is not written down, and done again",
        {(conductor, "with_current"): _never_on},
        (1,),
        fault_of_membership,
    ),
    Bug(
        "who has left a group keeps its replica",
        {(Membership, "_tidy"): _keep_all},
        (1,),
        fault_of_membership,
    ),
    Bug(
        "leads are not handed back",
        {(Membership, "_hand_back"): _keep_the_lead},
        (1,),
        fault_of_membership,
    ),
    Bug(
        "a leader that is to leave does not hand over",
        {(Membership, "_hand_over"): _stay},
        (1,),
        fault_of_membership,
    ),
)
