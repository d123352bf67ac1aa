"""Plays the recorded traces and says how many agree; what they are and how they are chosen is told
in `corpus`.

    python tests/traces/play.py [-v]

With -v it names those that differ, each with its first difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.traces.compare import Level, differences
from tests.traces.corpus import Trace, level, traces
from tests.traces.player import Player


def play(trace: Trace, at: Level) -> list[str]:
    """Plays one trace; where it differs."""
    player = Player(trace)
    player.play()
    return differences(trace, player.answers, player.records, at)


def main(arguments: list[str]) -> int:
    """Plays all traces; the last line of the output has the counts."""
    is_verbose = "-v" in arguments
    at, every = level(), traces()
    agreed = 0
    for trace in every:
        found = play(trace, at)
        agreed += not found
        if found and is_verbose:
            print(f"{trace['name']}: {found[0]}")
    print(f"{agreed} of {len(every)} scenarios agree at level {at}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
