"""A few runs of a cluster whose brokers come and go. `make sim` runs more of them."""

from __future__ import annotations

import os
from typing import Final

import pytest
from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.membership_cluster import MembershipCluster
from tests.sim.runner import run_seed

SEED: Final = int(os.environ.get("GREVY_SEED") or 0)

FEW: Final = (16, 21)
"""Seeds with several changes each, under cuts and crashes. 16 gives a broker a partition again that
it has deleted.
"""


def test_brokers_come_and_go_while_all_is_well() -> None:
    cluster = MembershipCluster(2, ClusterKnobs(fault_us=12_000_000))
    report = cluster.run()
    assert report.instances == ClusterKnobs().orders
    assert len(cluster.begun) >= 3


def test_a_seed_decides_a_run() -> None:
    assert MembershipCluster(8).run() == MembershipCluster(8).run()


@pytest.mark.parametrize("seed", FEW)
def test_what_is_acknowledged_stays(seed: int) -> None:
    outcome = run_seed("membership", SEED or seed)
    assert not outcome.fault, outcome.story[:10_000]
