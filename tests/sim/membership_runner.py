"""Runs of clusters whose brokers come and go, by the thousand:
`python -m tests.sim.membership_runner --new 1000`; see `runner`.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from typing import Final

from tests.sim import runner
from tests.sim.membership_cluster import MembershipCluster
from tests.sim.runner import TWICE, Outcome

FIXED: Final = 20
"""The seeds that are run every time: 1 to this."""


def run_membership(seed: int) -> Outcome:
    """One run."""
    before_s = time.process_time()
    cluster = MembershipCluster(seed)
    try:
        report = cluster.run()
        if seed % TWICE == 0:
            again = MembershipCluster(seed).run()
            assert report == again, f"the same seed gives {report} and {again}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
        lines = [traceback.format_exc(), "options:", cluster.knobs.lines(), cluster.tell()]
        lines += [f"{at_us} {what} {data.hex()}" for at_us, what, data in cluster.world.recent]
        spent_s = time.process_time() - before_s
        return Outcome(seed, fault, "\n".join(lines), cluster.world.events, spent_s)
    return Outcome(seed, "", "", cluster.world.events, time.process_time() - before_s)


def main(arguments: list[str]) -> int:
    """The command line; 1 when a run has failed."""
    logging.disable(logging.CRITICAL)
    runner.KINDS["membership"] = run_membership
    return runner.main(["membership", "--fixed", str(FIXED), *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
