"""When committed rows reach the backend: in the moment when few of them are left."""

from __future__ import annotations

from grevy.protocol.limits import STATE_LEFT_ROWS_MAX
from grevy.state import U64, MemoryBackend, State, TableSpec

NUMBERS = TableSpec(1, "numbers", key=U64, value=int)


def stored(state: State, backend: MemoryBackend) -> int:
    """How many rows the backend has, that of the progress apart."""
    return sum(1 for row, _ in backend.rows(b"\x01") if row[0] == NUMBERS.number)


def commit(state: State, index: int, put: range, delete: range = range(0)) -> None:
    """One entry that writes and deletes keys."""
    table = state.table(NUMBERS)
    state.begin()
    for key in put:
        table.put(key, key)
    for key in delete:
        table.delete(key)
    state.commit([state.seal()], index, index)


def test_rows_wait_while_they_become_more_and_are_stored_when_some_have_gone() -> None:
    backend = MemoryBackend()
    state = State(backend)
    count = STATE_LEFT_ROWS_MAX
    commit(state, 1, range(1, count + 200))
    commit(state, 2, range(count + 200, count + 400))
    assert stored(state, backend) == 0

    commit(state, 3, range(0), range(1, 101))

    assert stored(state, backend) == count + 299
    assert state.hash == state.recompute_hash()


def test_few_rows_are_not_stored_whatever_has_gone() -> None:
    backend = MemoryBackend()
    state = State(backend)
    commit(state, 1, range(1, STATE_LEFT_ROWS_MAX))
    commit(state, 2, range(0), range(1, 101))
    assert stored(state, backend) == 0
