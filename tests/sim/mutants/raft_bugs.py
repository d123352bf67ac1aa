"""Bugs in the core."""

from __future__ import annotations

from typing import Final

from tests.sim.mutants.bug import Bug

RAFT_BUGS: Final[tuple[Bug, ...]] = ()
