"""After every step of a journal's life the power may go: what was acknowledged is there again.

A workload of group commits (a few of which settle their promise), rolls, cuts, compactions and
resets runs on a disk that draws crash states after each step. Each is opened. Its log must be one
that the history allows: all that was acknowledged, and nothing that was not written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import Journal, JournalEntry, JournalOptions

SEED = int(os.environ.get("GREVY_SEED", "1"))
SAMPLES = 256 if os.environ.get("GREVY_FLIPS") == "all" else 10
OPTIONS = JournalOptions(segment_bytes=4096)
LIFE_STEPS = 50
LIVES = 8
STATES_MIN = 5_000
"""Crash states that all lives together must have tried."""


@dataclass
class Allowed:
    """A log that a crash may leave: entries, and the range of them that must be there."""

    entries: dict[int, JournalEntry] = field(default_factory=dict)
    first: int = 1
    acknowledged: int = 0

    def why_not(self, journal: Journal) -> str:
        """What in the journal contradicts this; empty when nothing does."""
        if journal.last_index < self.acknowledged:
            return f"ends at {journal.last_index}, acknowledged was {self.acknowledged}"
        if journal.first_index > self.first:
            return f"begins at {journal.first_index}, not {self.first}"
        for entry in _read_all(journal):
            if self.entries.get(entry.index) != entry:
                return f"entry {entry.index} is another"
        return ""


def _read_all(journal: Journal) -> list[JournalEntry]:
    entries = journal.read(journal.first_index, 1 << 30)
    assert len(entries) == journal.last_index - journal.first_index + 1
    return entries


def _check_tidy(disk: SimDisk, journal: Journal) -> None:
    """Recovery leaves no torn bytes and no files of nobody."""
    names = [name for name in disk.list(OPTIONS.directory) if name.startswith("segment-")]
    found = sum(len(disk.contents(f"{OPTIONS.directory}/{name}")) for name in names)
    assert len(names) == journal.statistics().segments
    assert found == journal.statistics().bytes


class Life:
    """A journal with its owner's memory of what it was told."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.disk = SimDisk(self.crash_here)
        self.allowed = [Allowed()]
        self.states = 0
        self.term = 1
        self.journal = Journal.open(self.disk, 1, OPTIONS)

    @property
    def now(self) -> Allowed:
        """The log as the owner believes it to be."""
        return self.allowed[-1]

    def crash_here(self) -> None:
        """Draw crash states of this moment, and open them."""
        for _ in range(SAMPLES):
            self.states += 1
            after = self.disk.crash(self.rng)
            journal = Journal.open(after, 1, OPTIONS)
            _check_tidy(after, journal)
            reasons = [each.why_not(journal) for each in self.allowed]
            assert "" in reasons, reasons
            if self.states % 8 == 0:
                self._check_repair(after, journal)

    def _check_repair(self, disk: SimDisk, journal: Journal) -> None:
        """What recovery reported is durable, and the journal works."""
        assert journal.last_flushed_index == journal.last_index
        again = Journal.open(disk.crash(self.rng, 0.0), 1, OPTIONS)
        assert _read_all(again) == _read_all(journal)
        again.append([JournalEntry(again.last_index + 1, self.term + 1, b"after the crash")])
        again.flush()
        assert _read_all(again)[-1].payload == b"after the crash"

    def append(self) -> None:
        """Write some entries; a crash may show them from the first byte on."""
        first = self.journal.last_index + 1
        self.term += self.rng.random() < 0.2
        sizes = [self.rng.choice((0, 40, 700)) for _ in range(self.rng.randrange(1, 6))]
        entries = [
            JournalEntry(first + number, self.term, self.rng.randbytes(size))
            for number, size in enumerate(sizes)
        ]
        self.now.entries.update({entry.index: entry for entry in entries})
        self.journal.append(entries)

    def flush(self) -> None:
        """Flush; often more is appended meanwhile. Only then is it acknowledged."""
        handle = self.journal.flush_handle(settles=self.rng.random() < 0.3)
        if self.rng.random() < 0.5:
            self.append()
        handle.sync()
        self.journal.flushed(handle)
        self.now.acknowledged = handle.index

    def truncate(self) -> None:
        """Cut the log somewhere; its owner no longer relies on what comes after."""
        low = max(self.journal.first_index - 1, self.journal.last_index - 8)
        index = self.rng.randrange(low, self.journal.last_index + 1)
        self.now.acknowledged = min(self.now.acknowledged, index)
        kept = {at: entry for at, entry in self.now.entries.items() if at <= index}
        with self._becoming(Allowed(kept, self.now.first, self.now.acknowledged)):
            self.journal.truncate_after(index)

    def compact(self) -> None:
        """Drop the front."""
        index = max(self.journal.last_flushed_index - self.rng.randrange(6), 0)
        self.now.first = max(self.now.first, index + 1)
        self.journal.compact(index)

    def reset(self) -> None:
        """Begin anew further on, as after a snapshot from elsewhere."""
        following = self.journal.last_index + self.rng.randrange(1, 10)
        with self._becoming(Allowed({}, following, following - 1)):
            self.journal.reset(following, previous_term=self.term)

    @contextmanager
    def _becoming(self, after: Allowed) -> Iterator[None]:
        """While an operation is under way, a crash may leave the log before or after it."""
        self.allowed.append(after)
        yield
        self.allowed = [after]

    def live(self, steps: int) -> None:
        """Do things at random."""
        doings = [self.append, self.flush, self.truncate, self.compact, self.reset]
        for _ in range(steps):
            self.rng.choices(doings, weights=(8, 8, 2, 2, 1))[0]()
        assert "" in [each.why_not(self.journal) for each in self.allowed]


@pytest.mark.parametrize("number", range(LIVES))
def test_every_crash_state_holds_what_was_acknowledged(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    life = Life(SEED * 1_000 + number)
    life.live(LIFE_STEPS)
    record_property("crash states", life.states)
    assert life.states * LIVES >= STATES_MIN, life.states


def test_the_same_seed_gives_the_same_life() -> None:
    first, second = Life(SEED), Life(SEED)
    for life in (first, second):
        life.live(10)
    assert first.now.entries == second.now.entries
    assert first.rng.random() == second.rng.random()
