"""A journal against a dict: random appends, flushes, cuts, compactions and resets, with readers
that keep their place through all of it.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import Journal, JournalCompacted, JournalEntry, JournalOptions, JournalReader

SEED = int(os.environ.get("GREVY_SEED", "1"))
LIVES = 200 if os.environ.get("GREVY_FLIPS") == "all" else 12
STEPS = 150
OPTIONS = JournalOptions(segment_bytes=1500)


class Life:
    """A journal, what it should hold, and some readers of it."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.disk = SimDisk()
        self.journal = Journal.open(self.disk, 1, OPTIONS)
        self.model: dict[int, JournalEntry] = {}
        self.last_terms = {0: 0}
        self.term = 1
        self.readers: list[JournalReader] = []

    def append(self) -> None:
        """Some entries, of all sizes, at times in a new term."""
        self.term += self.rng.random() < 0.2
        first = self.journal.last_index + 1
        sizes = [self.rng.choice((0, 9, 90, 2000)) for _ in range(self.rng.randrange(1, 9))]
        entries = [
            JournalEntry(first + place, self.term, self.rng.randbytes(size))
            for place, size in enumerate(sizes)
        ]
        self.journal.append(entries)
        self.model.update({entry.index: entry for entry in entries})
        self.last_terms.update({entry.index: entry.term for entry in entries})

    def flush(self) -> None:
        """All of it."""
        self.journal.flush()
        assert self.journal.last_flushed_index == self.journal.last_index

    def truncate(self) -> None:
        """Cut the end."""
        index = self.rng.randrange(self.journal.first_index - 1, self.journal.last_index + 1)
        self.journal.truncate_after(index)
        self.model = {at: entry for at, entry in self.model.items() if at <= index}

    def compact(self) -> None:
        """Drop some of the front: whole segments, and nothing that was to stay."""
        flushed = self.journal.last_flushed_index
        up_to = self.rng.randrange(flushed + 1)
        before = self.journal.first_index
        self.journal.compact(up_to)
        assert before <= self.journal.first_index <= max(up_to + 1, before)
        first = self.journal.first_index
        self.model = {at: entry for at, entry in self.model.items() if at >= first}

    def reset(self) -> None:
        """Begin further on."""
        following = self.journal.last_index + self.rng.randrange(1, 20)
        self.journal.reset(following, previous_term=self.term)
        self.model = {}
        self.last_terms[following - 1] = self.term

    def reopen(self) -> None:
        """Close it, and find all of it again."""
        self.flush()
        self.journal.close()
        self.journal = Journal.open(self.disk, 1, OPTIONS)
        self.readers.clear()

    def read(self) -> None:
        """Readers go on from where they are; new ones begin anywhere."""
        first, last = self.journal.first_index, self.journal.last_index
        self.readers.append(self.journal.reader(self.rng.randrange(first, last + 2)))
        for reader in self.readers[-6:]:
            self._read_on(reader)

    def _read_on(self, reader: JournalReader) -> None:
        start, room = reader.next_index, self.rng.choice((0, 1, 100, 5_000))
        to_index = self.rng.randrange(start, start + 20)
        if start < self.journal.first_index:
            with pytest.raises(JournalCompacted):
                reader.next_batch(room)
            self.readers.remove(reader)
            return
        batch = reader.next_batch(room, to_index)
        assert batch == [self.model[start + n] for n in range(len(batch))]
        assert reader.next_index == start + len(batch)
        is_more = start in self.model and start <= to_index
        assert bool(batch) == is_more, "at least one entry, if there is one"
        assert sum(len(entry.payload) for entry in batch[1:]) <= room
        following = self.model.get(reader.next_index)
        if following is not None and batch and reader.next_index <= to_index:
            size = sum(len(entry.payload) for entry in (*batch, following))
            assert size > room, "no less than fits"

    def check(self) -> None:
        """Indexes, terms and entries are those of the model."""
        journal = self.journal
        assert journal.last_index - journal.first_index + 1 == len(self.model)
        assert journal.last_term == self.last_terms[journal.last_index]
        for index in self.model:
            assert journal.term_at(index) == self.model[index].term
        assert journal.term_at(journal.first_index - 1) == self.last_terms[journal.first_index - 1]
        found = journal.read(journal.first_index, 1 << 30)
        assert found == [self.model[index] for index in sorted(self.model)]


@pytest.mark.parametrize("number", range(LIVES))
def test_a_journal_is_a_dict(number: int) -> None:
    life = Life(SEED * 1_000 + number)
    doings = (life.append, life.flush, life.read, life.truncate, life.compact, life.reopen)
    for _ in range(STEPS):
        life.rng.choices((*doings, life.reset), weights=(8, 5, 8, 2, 2, 1, 0.5))[0]()
        life.check()


def test_what_was_compacted_is_told() -> None:
    journal = Journal.open(SimDisk(), 1, OPTIONS)
    journal.append([JournalEntry(index, 1, bytes(500)) for index in range(1, 21)])
    journal.flush()
    journal.compact(10)
    for asking in (lambda: journal.read(1, 1), lambda: journal.term_at(1)):
        with pytest.raises(JournalCompacted, match="begins at") as caught:
            asking()
        assert (caught.value.index, caught.value.first_index) == (1, journal.first_index)
    with pytest.raises(JournalCompacted):
        journal.truncate_after(1)
