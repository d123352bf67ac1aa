"""The kinds of runs, and how many of each: with every change, and in a night on two cores."""

from __future__ import annotations

from typing import Final

from tests.sim.cluster import SimCluster
from tests.sim.cluster_marks import ClusterMark
from tests.sim.engine_life import EngineLife, EngineMark
from tests.sim.journal_life import JournalLife, JournalMark
from tests.sim.membership_cluster import MembershipCluster
from tests.sim.membership_marks import MembershipMark
from tests.sim.partitions_life import PartitionsLife, PartitionsMark
from tests.sim.raft_group import Group
from tests.sim.raft_marks import RaftMark
from tests.sim.simulation import Column, Kind

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(
            *("raft", Group, "events"),
            pull_request=Column(fixed=100, new=200),
            nightly=Column(fixed=100, new=29_900),
            marks=RaftMark,
            marks_seeds=5_000,
        ),
        Kind(
            *("journal", JournalLife, "crash states"),
            pull_request=Column(fixed=4, new=6),
            nightly=Column(fixed=4, new=1_196),
            marks=JournalMark,
            marks_seeds=500,
        ),
        Kind(
            *("engine", EngineLife, "records"),
            pull_request=Column(fixed=100, new=400),
            nightly=Column(fixed=100, new=99_900),
            marks=EngineMark,
            marks_seeds=5_000,
        ),
        Kind(
            *("partitions", PartitionsLife, "records"),
            pull_request=Column(fixed=20, new=40),
            nightly=Column(fixed=20, new=4_980),
            marks=PartitionsMark,
            marks_seeds=1_000,
        ),
        Kind(
            *("cluster", SimCluster, "events"),
            pull_request=Column(fixed=20, new=20),
            nightly=Column(fixed=20, new=4_980),
            marks=ClusterMark,
            marks_seeds=5_000,
        ),
        Kind(
            *("membership", MembershipCluster, "events"),
            pull_request=Column(fixed=10, new=10),
            nightly=Column(fixed=10, new=1_990),
            marks=MembershipMark,
            marks_seeds=1_000,
        ),
    )
}
"""By name."""
