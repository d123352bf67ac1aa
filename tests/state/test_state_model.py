"""A state against plain dicts: random steps over several tables on both backends, with equal
contents, scans and hashes at every moment.

The caches are made small, so that rows are read from every layer: the open step, sealed steps, what
is committed and not stored, the backend.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from msgspec import Struct
from msgspec.structs import force_setattr

from grevy.state import (
    I64,
    TEXT,
    U64,
    Backend,
    KeyOf,
    LmdbBackend,
    MemoryBackend,
    State,
    Table,
    TableSpec,
    WriteSet,
)

SEED = int(os.environ.get("GREVY_SEED", "1"))
LIVES = 60 if os.environ.get("GREVY_FLIPS") == "all" else 6
STEPS = 150
CACHED_KEYS, CACHED_VALUE_BYTES = 12, 64
K = TypeVar("K")


class Item(Struct, frozen=True, array_like=True):
    """A value of two fields."""

    name: str
    numbers: dict[str, int]


Pair = tuple[int, str]
GROUPS: TableSpec[Pair, Item] = TableSpec(
    1, "groups", key=KeyOf(U64, TEXT), value=Item, ordered=True
)
DUE: TableSpec[tuple[int, int], int] = TableSpec(
    2, "due", key=KeyOf(I64, U64), value=int, ordered=True
)
TEXTS: TableSpec[int, str] = TableSpec(200, "texts", key=U64, value=str)
GUESTS: TableSpec[int, Item] = TableSpec(
    201, "guests", key=U64, value=Item, ordered=True, editable=True
)
"""Its keys rise, and most rows are gone before anything is stored."""

SPECS = (GROUPS, DUE, TEXTS, GUESTS)
NAMES = ("", "a", "b", "ab", "a" * 200, "a" * 200 + "b", "\0", "é")

Contents = dict[int, dict[object, object]]
"""What each table holds, by its number."""


in_order_of_rows = GROUPS.key.row_encoder(GROUPS.number)
"""Long names sort by a digest; `test_keys_order` says how."""


class Life:
    """A state and its model, which has a layer for each sealed step."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.rng = Random(seed)
        self.state = State(backend, unstored_rows_max=25)
        self.groups: Table[Pair, Item] = self.state.table(GROUPS)
        self.due: Table[tuple[int, int], int] = self.state.table(DUE)
        self.texts: Table[int, str] = self.state.table(TEXTS)
        self.guests = self.state.editable_table(GUESTS)
        self.newest_guest = 0
        self.committed: Contents = {spec.number: {} for spec in SPECS}
        self.sealed: list[tuple[WriteSet, Contents]] = []
        self.index = 0

    @property
    def now(self) -> Contents:
        """What readers see between steps."""
        return self.sealed[-1][1] if self.sealed else self.committed

    def step(self) -> None:
        """Write this and that, looking at it in between; seal, or roll back."""
        before = self.now
        model = {number: dict(rows) for number, rows in before.items()}
        self.state.begin()
        for _ in range(self.rng.randrange(8)):
            self.rng.choice((self._write, self._serve))(model)
            if self.rng.random() < 0.3:
                self._look(model)
        self._look(model)
        if self.rng.random() < 0.2:
            self.state.rollback()
            self._look(before)
        else:
            self.sealed.append((self.state.seal(), model))

    def commit(self) -> None:
        """The oldest sealed steps, some or all of them."""
        if not self.sealed:
            return
        count = self.rng.randrange(1, len(self.sealed) + 1)
        steps, self.sealed = self.sealed[:count], self.sealed[count:]
        self.index += count
        self.state.commit([write_set for write_set, _ in steps], self.index, 10 * self.index)
        self.committed = steps[-1][1]
        self._look(self.now)

    def unseal(self) -> None:
        """Take the newest sealed step back."""
        if self.sealed:
            self.state.unseal(self.sealed.pop()[0])
            self._look(self.now)

    def discard(self) -> None:
        """Step down."""
        self.state.discard_uncommitted()
        self.sealed.clear()
        self._look(self.now)

    def store(self) -> None:
        """Bring all that is committed to the backend."""
        assert self.state.hash == self.state.recompute_hash()
        self._look(self.now)

    def _write(self, model: Contents) -> None:
        rng = self.rng
        pair = (rng.randrange(4), rng.choice(NAMES))
        moment = (rng.choice((-(2**63), -5, 0, 7, 2**63 - 1)), rng.randrange(3))
        number = rng.randrange(30)
        match rng.randrange(6):
            case 0 | 1:
                item = Item("x" * rng.choice((1, 200)), {"b": rng.randrange(9), "a": 1})
                self.groups.put(pair, item)
                model[GROUPS.number][pair] = item
            case 2:
                self.groups.delete(pair)
                model[GROUPS.number].pop(pair, None)
            case 3:
                self.due.put(moment, number)
                model[DUE.number][moment] = number
            case 4:
                self.due.delete(moment)
                model[DUE.number].pop(moment, None)
            case _:
                text = str(rng.random())
                self.texts.put(number, text)
                model[TEXTS.number][number] = text

    def _serve(self, model: Contents) -> None:
        """A guest comes, is changed in place, or goes."""
        guests = model[GUESTS.number]
        match self.rng.randrange(4):
            case 0:
                self.newest_guest += 1
                self.guests.put(self.newest_guest, Item("new", {}))
                guests[self.newest_guest] = Item("new", {})
            case 1 | 2:
                key = self.rng.randrange(self.newest_guest + 2)
                name = str(self.rng.random())
                own = self.guests.edit(key)
                assert (own is not None) == (key in guests)
                if own is not None:
                    assert self.guests.edit(key) is own, "it is the step's own by now"
                    force_setattr(own, "name", name)
                    guests[key] = Item(name, {})
            case _:
                for key in range(self.newest_guest, max(0, self.newest_guest - 3), -1):
                    self.guests.delete(key)
                    guests.pop(key, None)

    def _look(self, model: Contents) -> None:
        """Gets and scans of everything, against the model."""
        groups: dict[Pair, Item] = model[GROUPS.number]  # type: ignore[assignment]
        due: dict[tuple[int, int], int] = model[DUE.number]  # type: ignore[assignment]
        for number in self.rng.sample(range(30), 5):
            assert self.texts.get(number) == model[TEXTS.number].get(number)
            assert self.texts.has(number) == (number in model[TEXTS.number])
        guests = model[GUESTS.number]
        for key in range(max(0, self.newest_guest - 12), self.newest_guest + 2):
            assert self.guests.get(key) == guests.get(key)
            assert self.guests.scan(key) == ([guests[key]] if key in guests else [])
        for group in range(4):
            keys = sorted((key for key in groups if key[0] == group), key=in_order_of_rows)
            assert self.groups.scan(group) == [groups[key] for key in keys]
            assert self.groups.first(group) == (groups[keys[0]] if keys else None)
        self._look_behind(groups)
        in_order = sorted(due)
        assert self.due.scan() == [due[key] for key in in_order]
        for until in (-6, 0, 7, 2**62):
            wanted = [due[key] for key in in_order if key[0] <= until]
            assert self.due.scan_until(until, 3) == wanted[:3]

    def _look_behind(self, groups: dict[Pair, Item]) -> None:
        after = (self.rng.randrange(4), self.rng.choice(NAMES))
        keys = sorted((key for key in groups if key[0] == after[0]), key=in_order_of_rows)
        behind = [key for key in keys if in_order_of_rows(key) > in_order_of_rows(after)]
        limit = self.rng.choice((None, 0, 1, 2))
        found = self.groups.scan(after[0], after=after, limit=limit)
        assert found == [groups[key] for key in behind[:limit]]


@pytest.fixture(autouse=True)
def _small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grevy.state.layers.STATE_CACHE_KEYS_MAX", CACHED_KEYS)
    monkeypatch.setattr("grevy.state.layers.STATE_CACHED_VALUE_BYTES_MAX", CACHED_VALUE_BYTES)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Backend]]:
    """Makes a backend of a kind, to be closed in the end."""
    made: list[Backend] = []

    def new(kind: str) -> Backend:
        path = tmp_path / str(len(made))
        made.append(MemoryBackend() if kind == "memory" else LmdbBackend(path))
        return made[-1]

    yield new
    for backend in made:
        backend.close()


@pytest.mark.parametrize("number", range(LIVES))
def test_tables_are_dicts_on_both_backends(number: int, make: Callable[[str], Backend]) -> None:
    lives = [Life(make(kind), SEED * 1_000 + number) for kind in ("memory", "lmdb")]
    for life in lives:
        for _ in range(STEPS):
            doings = (life.step, life.commit, life.unseal, life.discard, life.store)
            life.rng.choices(doings, weights=(20, 10, 3, 2, 2))[0]()
    one, other = lives
    assert one.committed == other.committed
    assert one.state.hash == one.state.recompute_hash() == other.state.hash
    assert one.state.applied_index == one.index
    assert one.state.applied_position == 10 * one.index


def test_the_hash_knows_no_order_and_no_history(make: Callable[[str], Backend]) -> None:
    hashes = set()
    for order in (1, -1):
        state = State(make("memory"), unstored_rows_max=0)
        texts = state.table(TEXTS)
        for index, number in enumerate(list(range(20))[::order], 1):
            state.begin()
            texts.put(99, str(number))
            texts.put(number, str(number))
            texts.delete(99)
            state.commit([state.seal()], index, index)
        hashes.add(state.hash)
    assert len(hashes) == 1
    assert hashes != {0}
    empty = State(make("memory"))
    assert empty.hash == 0


def test_the_hash_tells_tables_keys_and_values_apart(make: Callable[[str], Backend]) -> None:
    numbers: TableSpec[int, int] = TableSpec(3, "numbers", key=U64, value=int)
    others: TableSpec[int, int] = TableSpec(4, "others", key=U64, value=int)
    seen = set()
    for spec, key, value in ((numbers, 1, 2), (numbers, 2, 1), (numbers, 1, 1), (others, 1, 2)):
        state = State(make("memory"))
        state.begin()
        state.table(spec).put(key, value)
        state.commit([state.seal()], 1, 1)
        seen.add(state.hash)
    assert len(seen) == 4


def test_what_a_step_may_not_do(make: Callable[[str], Backend]) -> None:
    state = State(make("memory"))
    texts = state.table(TEXTS)
    with pytest.raises(AssertionError, match="writes belong to a step"):
        texts.put(1, "x")
    state.begin()
    for doing in (state.begin, state.discard_uncommitted, lambda: state.commit([], 1, 1)):
        with pytest.raises(AssertionError):
            doing()
    texts.put(1, "x")
    first = state.seal()
    state.begin()
    texts.put(2, "y")
    second = state.seal()
    with pytest.raises(AssertionError, match="in the order of sealing"):
        state.commit([second], 1, 1)
    with pytest.raises(AssertionError, match="only ordered tables"):
        texts.scan()
    with pytest.raises(AssertionError, match="number 200 is taken"):
        state.table(TableSpec(200, "another", key=U64, value=str))
    assert first is not second
