"""The cluster: which brokers there are, who leads, what lies where, and how that is changed."""

from grevy.cluster.distribution import distribute, fixed, primary_of, redistribute
from grevy.cluster.errors import (
    ChangeRefused,
    ClusterError,
    DistributionError,
    MembershipConflict,
    NodeIdTaken,
    OtherCluster,
    OtherSettings,
    OtherVersion,
    PlanCorrupted,
)

__all__ = [
    "ChangeRefused",
    "ClusterError",
    "DistributionError",
    "MembershipConflict",
    "NodeIdTaken",
    "OtherCluster",
    "OtherSettings",
    "OtherVersion",
    "PlanCorrupted",
    "distribute",
    "fixed",
    "primary_of",
    "redistribute",
]
