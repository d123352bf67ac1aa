"""Runs of whole clusters by the thousand: `python -m tests.sim.cluster_runner --new 1000`; see
`runner`.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from typing import Final

from tests.sim import runner
from tests.sim.cluster import SimCluster
from tests.sim.runner import TWICE, Outcome

FIXED: Final = 40
"""The seeds that are run every time: 1 to this."""


def run_cluster(seed: int) -> Outcome:
    """One run of a cluster."""
    before_s = time.process_time()
    cluster = SimCluster(seed)
    try:
        report = cluster.run()
        if seed % TWICE == 0:
            again = SimCluster(seed).run()
            assert report == again, f"the same seed gives {report} and {again}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
        story = _story(cluster)
        return Outcome(seed, fault, story, cluster.world.events, time.process_time() - before_s)
    return Outcome(seed, "", "", cluster.world.events, time.process_time() - before_s)


def _story(cluster: SimCluster) -> str:
    lines = [traceback.format_exc(), "options:", cluster.knobs.lines(), cluster.tell()]
    lines.append("last events:")
    lines += [f"{at_us} {what} {data.hex()}" for at_us, what, data in cluster.world.recent]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command line; 1 when a run has failed."""
    logging.disable(logging.CRITICAL)
    runner.KINDS["cluster"] = run_cluster
    return runner.main(["cluster", "--fixed", str(FIXED), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
