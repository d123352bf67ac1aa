"""How random tests run: without deadlines, since a slow machine is no fault, and with what repeats
a failure printed beside it.

`GREVY_SECONDS` bounds a run: tests that have not begun by then are skipped, and told as such.
"""

from __future__ import annotations

import os
import time
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "grevy", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("grevy")


SECONDS: Final = float(os.environ.get("GREVY_SECONDS", "inf"))
END_S: Final = time.monotonic() + SECONDS


def pytest_runtest_setup() -> None:
    """Skip what comes too late."""
    if time.monotonic() > END_S:
        pytest.skip(f"the {SECONDS:.0f} s of this run are over")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite`: take what transcripts say now for what they should say."""
    parser.addoption("--rewrite", action="store_true", help="rewrite the transcripts of tests/raft")
