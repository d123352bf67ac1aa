"""Where a replica does what takes long: one thread each for flushes, checkpoints and snapshots."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeAlias

MakeThread: TypeAlias = Callable[[str], Executor]
"""Makes what runs the jobs of a name, one after another, beside the loop."""


def one_thread(name: str) -> Executor:
    """A thread of its own."""
    return ThreadPoolExecutor(1, thread_name_prefix=name)
