"""A few runs of a whole cluster, and that a seed decides a run. `make sim` runs more of them."""

from __future__ import annotations

from typing import Final

import pytest
from tests.sim.cluster import SimCluster
from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.runner import run_seed

FEW: Final = (2, 8, 9)
"""Short ones."""


def test_without_faults_all_work_is_done() -> None:
    report = SimCluster(1, ClusterKnobs(fault_us=1)).run()
    assert report.instances == ClusterKnobs().orders


def test_a_seed_decides_a_run() -> None:
    assert SimCluster(7).run() == SimCluster(7).run()


@pytest.mark.parametrize("seed", FEW)
def test_what_is_acknowledged_stays(seed: int) -> None:
    outcome = run_seed("cluster", seed)
    assert not outcome.fault, outcome.story[:10_000]
