"""Tables against plain dicts: random steps on both backends, with equal contents and hashes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.state import TEXT, U64, KeyOf, LmdbBackend, MemoryBackend, State, TableSpec, WriteSet

SPEC: TableSpec[tuple[int, str], int] = TableSpec(
    1, "numbers", key=KeyOf(U64, TEXT), value=int, ordered=True
)
KEYS = st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "b", "a" * 200, "\0"]))
WRITES = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 9))), max_size=6)
STEPS = st.lists(
    st.tuples(WRITES, st.sampled_from(["seal", "seal", "rollback", "commit", "discard"])),
    max_size=25,
)
Model = dict[tuple[int, str], int]


def check(state: State, model: Model) -> None:
    """Gets and scans give what the model has."""
    table = state.table(SPEC)
    for group in range(4):
        wanted = sorted((k, v) for k, v in model.items() if k[0] == group)
        assert table.scan(group) == [v for _, v in wanted]
        assert table.first(group) == (wanted[0][1] if wanted else None)
    for key, value in model.items():
        assert table.get(key) == value


def play(state: State, steps: list[tuple[list[tuple[tuple[int, str], int | None]], str]]) -> Model:
    """Runs the steps; what is committed in the end."""
    table = state.table(SPEC)
    committed: Model = {}
    sealed: list[tuple[WriteSet, Model]] = []
    index = 0
    for writes, end in steps:
        before = dict(sealed[-1][1]) if sealed else dict(committed)
        model = dict(before)
        state.begin()
        for key, value in writes:
            if value is None:
                table.delete(key)
                model.pop(key, None)
            else:
                table.put(key, value)
                model[key] = value
        check(state, model)
        if end == "rollback":
            state.rollback()
            check(state, before)
            continue
        sealed.append((state.seal(), model))
        if end == "commit":
            index += len(sealed)
            state.commit([write_set for write_set, _ in sealed], index, index)
            committed = sealed[-1][1]
            sealed.clear()
        elif end == "discard":
            state.discard_uncommitted()
            sealed.clear()
            check(state, committed)
    state.discard_uncommitted()
    check(state, committed)
    return committed


@settings(max_examples=60)
@given(STEPS)
def test_tables_are_dicts_on_both_backends(
    steps: list[tuple[list[tuple[tuple[int, str], int | None]], str]],
) -> None:
    memory = State(MemoryBackend(), unstored_writes_max=3)
    committed = play(memory, steps)
    with tempfile.TemporaryDirectory() as folder:
        lmdb = State(LmdbBackend(Path(folder)))
        assert play(lmdb, steps) == committed
        assert lmdb.hash == memory.hash == memory.recompute_hash()
        lmdb.close()
