"""The state, with the tables of the engine that work most: variables (a text in the key, ordered)
and element instances (a struct as value).

`test_step` is a step with ten writes that is sealed and committed, as an entry of a one-task
process is; half of what it writes the next step deletes again, and the rest reaches the backend
with the thousands that are stored together. `test_store` is that storing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.broker.system import OsDisk
from grevy.engine.tables import (
    ELEMENT_INSTANCES,
    VARIABLES,
    ElementInstance,
    Lifecycle,
    StoredVariable,
)
from grevy.protocol.values import ProcessInstanceValue
from grevy.state import Backend, LmdbBackend, MemoryBackend, State, open_checkpoint

BACKENDS: Final = ("memory", "lmdb")
SCOPES: Final = 20_000
"""More than the caches hold."""
NAMES: Final = tuple(f"variable{number}" for number in range(5))
VALUE: Final = b'{"a":1,"b":"abcdefghijklmnopqrstuvwxyz"}'
ELEMENT: Final = ProcessInstanceValue("order", 1, 2, 3, "task", 4)
STRIDE: Final = 7_919
"""A prime: looks at all scopes, each far from the one before."""


def make_backend(kind: str, folder: Path) -> Backend:
    """An empty backend."""
    return MemoryBackend() if kind == "memory" else LmdbBackend(folder / "state")


@pytest.fixture(params=BACKENDS)
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """An empty state."""
    state = State(make_backend(request.param, tmp_path))
    yield state
    state.close()


def fill(state: State, scopes: int = SCOPES) -> None:
    """Scopes with an element and some variables each, all of it committed and stored."""
    elements, variables = state.table(ELEMENT_INSTANCES), state.table(VARIABLES)
    for scope in range(1, scopes + 1):
        state.begin()
        elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.ACTIVATED))
        for name in NAMES:
            variables.put((scope, name), StoredVariable(scope, name, VALUE))
        state.commit([state.seal()], scope, scope)
    assert state.hash != 0


def test_step(benchmark: BenchmarkFixture, state: State) -> None:
    elements, variables = state.table(ELEMENT_INSTANCES), state.table(VARIABLES)
    numbers = count(1)

    def step() -> None:
        index = next(numbers)
        state.begin()
        for scope in (4 * index, 4 * index + 1, 4 * index + 2, 4 * index + 3):
            elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.ACTIVATED))
        variables.put((4 * index, NAMES[0]), StoredVariable(index, NAMES[0], VALUE))
        for scope in (4 * index - 4, 4 * index - 3, 4 * index - 2):
            elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.COMPLETING))
            elements.delete(scope)
        variables.delete((4 * index - 4, NAMES[0]))
        state.commit([state.seal()], index, index)

    benchmark(step)


def test_roll_back(benchmark: BenchmarkFixture, state: State) -> None:
    fill(state, 100)
    elements = state.table(ELEMENT_INSTANCES)

    def step() -> None:
        state.begin()
        for scope in range(96, 106):
            elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.COMPLETING))
        state.rollback()

    benchmark(step)


def test_get_what_is_cached(benchmark: BenchmarkFixture, state: State) -> None:
    fill(state, 100)
    elements = state.table(ELEMENT_INSTANCES)
    assert benchmark(lambda: elements.get(50)) is not None


def test_get_what_is_stored(benchmark: BenchmarkFixture, state: State) -> None:
    fill(state)
    elements = state.table(ELEMENT_INSTANCES)
    numbers = count(1)
    assert benchmark(lambda: elements.get(next(numbers) * STRIDE % SCOPES + 1)) is not None


@pytest.mark.parametrize("where", ["stored", "written"])
def test_scan_of_five(benchmark: BenchmarkFixture, state: State, where: str) -> None:
    fill(state)
    variables = state.table(VARIABLES)
    if where == "written":
        state.begin()
        for scope in range(1, 1_000):
            for name in NAMES:
                variables.put((scope, name), StoredVariable(scope, name, b"1"))
        state.seal()
    numbers = count(1)
    found = benchmark(lambda: variables.scan(next(numbers) * STRIDE % 900 + 1))
    assert len(found) == len(NAMES)


def test_store(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Some 4,000 new rows, 200 changed and 200 deleted ones."""
    state = State(LmdbBackend(tmp_path), unstored_rows_max=1 << 30)
    fill(state)
    elements, variables = state.table(ELEMENT_INSTANCES), state.table(VARIABLES)
    rounds = count(1)

    def setup() -> None:
        number = next(rounds)
        state.begin()
        for scope in range(SCOPES + number * 1_000, SCOPES + number * 1_000 + 1_000):
            elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.ACTIVATED))
            for name in NAMES[:3]:
                variables.put((scope, name), StoredVariable(scope, name, VALUE))
        for old in range(200):
            scope = (number * 400 + old * 2) % SCOPES + 1
            elements.put(scope, ElementInstance(scope, ELEMENT, Lifecycle.COMPLETING))
            variables.delete((scope, NAMES[0]))
        state.commit([state.seal()], SCOPES + number, SCOPES + number)

    pedantic: Callable[..., object] = benchmark.pedantic
    pedantic(lambda: state.hash, setup=setup, rounds=30)
    assert state.recompute_hash() == state.hash
    state.close()


@pytest.mark.parametrize("kind", BACKENDS)
def test_write_checkpoint(benchmark: BenchmarkFixture, tmp_path: Path, kind: str) -> None:
    state = State(make_backend(kind, tmp_path))
    fill(state)
    disk, numbers = OsDisk(tmp_path), count(1)

    def write() -> None:
        handle = state.checkpoint_handle()
        handle.write(disk, f"checkpoints/{next(numbers)}")
        handle.close()

    pedantic: Callable[..., object] = benchmark.pedantic
    pedantic(write, rounds=10)
    state.close()


@pytest.mark.parametrize("kind", BACKENDS)
def test_open_checkpoint(benchmark: BenchmarkFixture, tmp_path: Path, kind: str) -> None:
    state = State(make_backend(kind, tmp_path))
    fill(state)
    disk = OsDisk(tmp_path)
    handle = state.checkpoint_handle()
    handle.write(disk, "checkpoint")
    handle.close()
    expected = state.hash
    state.close()

    def start() -> int:
        opened = open_checkpoint(disk, "checkpoint", make_backend(kind, tmp_path))
        found = opened.hash
        opened.close()
        return found

    assert benchmark(start) == expected
