"""A planted bug: a small change to the code under test that the simulator must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from random import Random
from unittest import mock

from tests.sim.knobs import Knobs, draw_knobs
from tests.sim.raft_group import Group


def fault_of_group(seed: int, **fixed: float) -> str:
    """What is wrong in one run of a group; empty when nothing is. Some knobs may be fixed, for a
    bug that needs them all at once.
    """
    try:
        Group(seed, Knobs(**(asdict(draw_knobs(Random(seed))) | fixed))).run()
    except Exception as error:  # noqa: BLE001 - a bug shows itself in many ways
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


@dataclass(frozen=True, slots=True)
class Bug:
    """What is changed, and who hunts it."""

    name: str
    patches: Mapping[tuple[object, str], object]
    """From an object, such as a class, and the name of its attribute, to what takes its place."""
    seeds: tuple[int, ...]
    """Some that are known to find it: the tests run these."""
    hunt: Callable[[int], str] = fault_of_group

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While it is there."""
        with ExitStack() as stack:
            for (target, attribute), replacement in self.patches.items():
                stack.enter_context(mock.patch.object(target, attribute, replacement))
            yield
