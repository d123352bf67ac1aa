"""Tests that are coroutines, and the ports that they knock at."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.security.ports import Guarded, guarded_ports

PATIENCE_S = 20


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests that are coroutines, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    story: Coroutine[object, object, None] = pyfuncitem.obj(**arguments)
    asyncio.run(asyncio.wait_for(story, PATIENCE_S))
    return True


@pytest.fixture
def ports(tmp_path: Path) -> Callable[[], AbstractContextManager[dict[str, Guarded]]]:
    """`with ports() as ports`: both ports of a broker."""
    return lambda: guarded_ports(tmp_path)
