"""How random tests run: without deadlines, since a slow machine is no fault, and with what repeats
a failure printed beside it.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "grevy", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("grevy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--rewrite`: take what transcripts say now for what they should say."""
    parser.addoption("--rewrite", action="store_true", help="rewrite the transcripts of tests/raft")
