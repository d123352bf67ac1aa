"""Several partitions with everything going wrong between them, and the bugs that this must find.

`GREVY_SEED` begins with another seed, `GREVY_PARTITION_RUNS` asks for more of them. A failure names
its seed, and `pytest -k "seed_7"` with `GREVY_SEED=7` repeats it.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest
from tests.engine.engine_mutants import MUTANTS, Mutant
from tests.engine.partition_workload import Workload

FIRST_SEED = int(os.environ.get("GREVY_SEED", "1"))
RUNS = int(os.environ.get("GREVY_PARTITION_RUNS", "6"))
SEEDS = range(FIRST_SEED, FIRST_SEED + RUNS)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed_{seed}")
def test_what_goes_wrong_between_partitions_does_no_harm(seed: int) -> None:
    Workload(seed, partition_count=2 + seed % 3).run()


def test_the_same_workload_runs_on_one_partition() -> None:
    Workload(1, partition_count=1).run()


def test_a_seed_decides_everything() -> None:
    logs = []
    for _ in range(2):
        workload = Workload(2)
        workload.run()
        logs.append([part.entries for part in workload.cluster.partitions])
    assert logs[0] == logs[1]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    with ExitStack() as stack:
        mutant.plant(stack)
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it comes out by
            Workload(mutant.seed, mutant.partition_count).run()
