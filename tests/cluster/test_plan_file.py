"""The plan on the disk: power cuts at each step, damage, strangers' files."""

from __future__ import annotations

from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.cluster import PlanCorrupted, PlanFile, distribute, first_plan, peek_plan
from grevy.protocol.gossip_messages import ClusterPlan

CONFIGURATION = distribute([1, 2, 3], 3, 3)


def numbered(epoch: int) -> ClusterPlan:
    return ClusterPlan(epoch, 0, 1, CONFIGURATION, CONFIGURATION)


def test_a_new_broker_has_no_plan() -> None:
    disk = SimDisk()
    assert PlanFile.open(disk, "grevy").plan is None
    assert PlanFile.open(disk, "grevy").plan is None


def test_what_was_written_is_read_again() -> None:
    disk = SimDisk()
    file = PlanFile.open(disk, "grevy")
    file.write(first_plan(CONFIGURATION))
    for epoch in range(2, 6):
        file.write(numbered(epoch))
        assert file.plan == PlanFile.open(disk, "grevy").plan == numbered(epoch)
    assert disk.files() == ["cluster/plan.a", "cluster/plan.b"]


def test_others_may_look_while_it_is_written() -> None:
    """Each moment of a write is one at which another process may read: it changes nothing."""
    disk = SimDisk()
    assert peek_plan(disk, "grevy") is None
    file = PlanFile.open(disk, "grevy")
    file.write(numbered(1))
    disk.create("cluster/plan.new").close()
    assert peek_plan(disk, "grevy") == numbered(1)
    assert disk.exists("cluster/plan.new")
    with pytest.raises(PlanCorrupted, match="is of cluster 'grevy', this broker of 'other'"):
        peek_plan(disk, "other")


def test_a_power_cut_at_any_moment_leaves_the_plan_before_or_after() -> None:
    rng = Random(1)
    acknowledged = 1
    found: set[int] = set()

    def cut() -> None:
        for _ in range(20):
            plan = PlanFile.open(disk.crash(rng), "grevy").plan
            epoch = 0 if plan is None else plan.epoch
            found.add(epoch - acknowledged)
            assert epoch in (acknowledged, acknowledged + 1)

    disk = SimDisk()
    file = PlanFile.open(disk, "grevy")
    file.write(numbered(1))
    disk.on_change = cut
    for epoch in range(2, 8):
        file.write(numbered(epoch))
        acknowledged = epoch
    assert found == {0, 1}


def test_a_damaged_file_leaves_the_one_before() -> None:
    for bit in range(0, 8 * 300, 7):
        disk = SimDisk()
        file = PlanFile.open(disk, "grevy")
        file.write(numbered(1))
        file.write(numbered(2))
        disk.contents("cluster/plan.a")[bit // 8] ^= 1 << bit % 8
        assert PlanFile.open(disk, "grevy").plan == numbered(1)


def test_damage_to_both_is_told_and_nothing_begins_anew() -> None:
    disk = SimDisk()
    file = PlanFile.open(disk, "grevy")
    file.write(numbered(1))
    disk.contents("cluster/plan.b")[40] ^= 1
    with pytest.raises(PlanCorrupted, match=r"plan\.b cannot be read"):
        PlanFile.open(disk, "grevy")


def test_the_plan_of_another_cluster_is_refused() -> None:
    disk = SimDisk()
    PlanFile.open(disk, "grevy").write(numbered(1))
    with pytest.raises(PlanCorrupted, match="is of cluster 'grevy', this broker of 'other'"):
        PlanFile.open(disk, "other")
