"""A few runs of a whole cluster, and that a seed decides a run. `make sim` runs more of them."""

from __future__ import annotations

import os
from typing import Final

import pytest
from tests.sim.cluster import SimCluster
from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.cluster_runner import FIXED, run_cluster
from tests.sim.mutants.bug import Bug
from tests.sim.mutants.cluster_bugs import CLUSTER_BUGS

SEED: Final = int(os.environ.get("GREVY_SEED") or 0)
IS_LONG: Final = "GREVY_FLIPS" in os.environ

FEW: Final = (3, 22, 69)
"""Seeds that found something once: commands that were never sent again, a state that went back to a
snapshot, records that a subscriber was not told to be gone.
"""


def test_without_faults_all_work_is_done() -> None:
    report = SimCluster(1, ClusterKnobs(fault_us=1)).run()
    assert report.instances == ClusterKnobs().orders


def test_a_seed_decides_a_run() -> None:
    assert SimCluster(7).run() == SimCluster(7).run()


@pytest.mark.parametrize("seed", range(1, FIXED + 1) if IS_LONG else FEW)
def test_what_is_acknowledged_stays(seed: int) -> None:
    outcome = run_cluster(SEED or seed)
    assert not outcome.fault, outcome.story[:10_000]


@pytest.mark.skipif(not IS_LONG, reason="a minute, for `make sim`")
@pytest.mark.parametrize(
    "bug", [bug for bug in CLUSTER_BUGS if bug.seeds], ids=lambda bug: bug.name.replace(" ", "-")
)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    with bug.planted():
        assert any(bug.hunt(seed) for seed in bug.seeds)
