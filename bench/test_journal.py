"""What the journal costs on this disk: appends of 1.5 KB entries in groups, flushes, reads,
opening.

`test_append_and_flush` waits for two syncs, the frames' and the promise's; `test_frames_only` waits
for the first alone, which is what a log would cost that cannot tell a torn tail from damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.broker.system import OsDisk
from grevy.journal import Journal, JournalEntry, JournalOptions

PAYLOAD = bytes(range(250)) * 6
READ_BYTES = 1024 * 1024
ROUNDS = 100

Group = list[JournalEntry]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal on a real disk."""
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    yield journal
    journal.close()


def group(journal: Journal, size: int) -> Group:
    """The next entries of a journal."""
    first = journal.last_index + 1
    return [JournalEntry(index, 1, PAYLOAD) for index in range(first, first + size)]


def measure(
    benchmark: BenchmarkFixture, journal: Journal, size: int, work: Callable[[Group], None]
) -> None:
    """Time `work` on new groups; making them isn't timed."""

    def setup() -> tuple[tuple[Group], dict[str, object]]:
        return (group(journal, size),), {}

    pedantic: Callable[..., object] = benchmark.pedantic
    pedantic(work, setup=setup, rounds=ROUNDS)


@pytest.mark.parametrize("size", [1, 50, 200])
def test_append(benchmark: BenchmarkFixture, journal: Journal, size: int) -> None:
    measure(benchmark, journal, size, journal.append)


@pytest.mark.parametrize("size", [1, 50, 200])
def test_append_and_flush(benchmark: BenchmarkFixture, journal: Journal, size: int) -> None:
    def append_and_flush(entries: Group) -> None:
        journal.append(entries)
        journal.flush()

    measure(benchmark, journal, size, append_and_flush)


@pytest.mark.parametrize("size", [1, 50, 200])
def test_frames_only(benchmark: BenchmarkFixture, tmp_path: Path, size: int) -> None:
    file = OsDisk(tmp_path).create("frames")
    data = PAYLOAD * size
    place = count(0, len(data))

    def write_and_sync() -> None:
        file.pwrite(data, next(place))
        file.fdatasync()

    pedantic: Callable[..., object] = benchmark.pedantic
    pedantic(write_and_sync, rounds=ROUNDS)
    file.close()


def test_read_10_000_entries(benchmark: BenchmarkFixture, journal: Journal) -> None:
    journal.append(group(journal, 10_000))

    def read_all() -> int:
        reader = journal.reader(1)
        return sum(len(batch) for batch in iter(lambda: reader.next_batch(READ_BYTES), []))

    assert benchmark(read_all) == 10_000


def test_open_10_000_entries(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    journal = Journal.open(OsDisk(tmp_path), 1, JournalOptions())
    journal.append(group(journal, 10_000))
    journal.flush()
    journal.close()

    benchmark(lambda: Journal.open(OsDisk(tmp_path), 1, JournalOptions()).close())
