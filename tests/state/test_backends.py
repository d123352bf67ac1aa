"""What a backend owes the state: the same for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import lmdb
import pytest

from grevy.state import Backend, LmdbBackend, MemoryBackend
from grevy.state.backend import Row, WriteTransaction

Make = Callable[[], Backend]


@pytest.fixture(params=["memory", "lmdb"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes empty backends, which are closed in the end."""
    made: list[Backend] = []

    def new() -> Backend:
        path = tmp_path / str(len(made))
        made.append(MemoryBackend() if request.param == "memory" else LmdbBackend(path))
        return made[-1]

    yield new
    for backend in made:
        backend.close()


def put(backend: Backend, rows: dict[bytes, bytes]) -> None:
    """Set rows in one transaction."""

    def job(txn: WriteTransaction) -> None:
        for key, value in rows.items():
            txn.replace(key, value)

    backend.write(job)


def all_rows(backend: Backend) -> list[Row]:
    """Everything."""
    return list(backend.rows(b""))


def test_a_backend_is_a_sorted_map(make: Make) -> None:
    backend, model, rng = make(), dict[bytes, bytes](), Random(1)
    for _ in range(60):
        changes = {rng.randbytes(rng.randrange(1, 4)): rng.randbytes(5) for _ in range(5)}
        gone = rng.sample(sorted(model), min(len(model), 3))

        def job(txn: WriteTransaction, changes: dict[bytes, bytes], gone: list[bytes]) -> None:
            for key, value in changes.items():
                assert txn.replace(key, value) == model.get(key)
                model[key] = value
            for key in gone:
                assert txn.pop(key) == model.pop(key, None)

        backend.write(lambda txn, c=changes, g=gone: job(txn, c, g))  # type: ignore[misc]
        assert all_rows(backend) == sorted(model.items())
        for key in (*model, b"\0", b"\xff" * 9, rng.randbytes(2)):
            assert backend.get(key) == model.get(key)
            assert list(backend.rows(key)) == sorted(r for r in model.items() if r[0] >= key)
            assert backend.last_below(key) == max((k for k in model if k < key), default=None)


def test_a_transaction_that_raises_leaves_nothing(make: Make) -> None:
    backend = make()
    put(backend, {b"a": b"1"})

    def job(txn: WriteTransaction) -> None:
        txn.replace(b"a", b"2")
        txn.insert([(b"b", b"3")])
        raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        backend.write(job)
    assert all_rows(backend) == [(b"a", b"1")]


def test_a_transaction_sees_itself(make: Make) -> None:
    def job(txn: WriteTransaction) -> list[bytes | None]:
        return [
            *(txn.replace(b"a", b"1"), txn.replace(b"a", b"2"), txn.pop(b"a"), txn.pop(b"a")),
            txn.replace(b"a", b"3"),
        ]

    backend = make()
    assert backend.write(job) == [None, b"1", b"2", None, None]
    assert all_rows(backend) == [(b"a", b"3")]


def test_a_snapshot_stays_as_it_was(make: Make) -> None:
    backend, copy = make(), make()
    before = {b"%03d" % number: bytes(100) for number in range(300)}
    put(backend, before)
    snapshot = backend.snapshot()
    put(backend, dict.fromkeys(before, b"later") | {b"new": b"row"})
    copy.load(snapshot.image())
    snapshot.close()
    snapshot.close()
    assert all_rows(copy) == sorted(before.items())
    assert backend.get(b"new") == b"row"


def test_an_image_replaces_what_was_there(make: Make) -> None:
    backend, other = make(), make()
    put(backend, {b"a": b"1"})
    put(other, {b"b": b"2"})
    snapshot = other.snapshot()
    backend.load(snapshot.image())
    snapshot.close()
    assert all_rows(backend) == [(b"b", b"2")]
    put(backend, {b"c": b"3"})
    assert all_rows(backend) == [(b"b", b"2"), (b"c", b"3")]


def test_a_runtime_folder_is_wiped(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    put(backend, {b"a": b"1"})
    backend.close()
    again = LmdbBackend(tmp_path)
    assert all_rows(again) == []
    again.close()


def test_the_map_grows(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path, map_bytes=64 * 1024)
    rows = {b"%05d" % number: bytes(1_000) for number in range(500)}
    put(backend, rows)
    assert all_rows(backend) == sorted(rows.items())
    put(backend, {b"more" + key: value for key, value in rows.items()})
    assert len(all_rows(backend)) == 2 * len(rows)
    backend.close()


def test_the_map_does_not_move_under_a_snapshot(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path, map_bytes=64 * 1024)
    put(backend, {b"a": b"1"})
    snapshot = backend.snapshot()
    rows = {b"%05d" % number: bytes(1_000) for number in range(500)}
    with pytest.raises(lmdb.MapFullError):
        put(backend, rows)
    assert all_rows(backend) == [(b"a", b"1")]
    snapshot.close()
    put(backend, rows)
    assert len(all_rows(backend)) == 501
    backend.close()
