"""Running a client's coroutine: on uvloop where it is installed, which is faster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

_T = TypeVar("_T")


def new_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the best event loop there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    make: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return make


def run(main: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine to its end in a loop of its own, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(main)
