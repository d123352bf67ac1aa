"""What is read from the device without asking is what recovery finds there."""

from __future__ import annotations

from random import Random

import pytest
from tests.sim.disk import SimDisk
from tests.sim.stable_log import StableLog

from grevy.journal import Journal, JournalEntry, JournalOptions

OPTIONS = JournalOptions(segment_bytes=1024)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_recovery_finds(seed: int) -> None:
    rng = Random(seed)
    disk = SimDisk()
    journal = Journal.open(disk, 1, OPTIONS)
    stable = StableLog(disk, 1, OPTIONS)
    for step in range(60):
        if rng.random() < 0.5:
            index = journal.last_index + 1
            journal.append([JournalEntry(index, step + 1, rng.randbytes(rng.randrange(300)))])
        elif rng.random() < 0.6:
            journal.flush()
        elif rng.random() < 0.5:
            journal.truncate_after(rng.randint(journal.first_index - 1, journal.last_index))
        elif rng.random() < 0.7:
            journal.compact(rng.randint(0, journal.last_flushed_index))
        else:
            journal.reset(journal.last_index + rng.randrange(1, 5), previous_term=step + 1)
        found = Journal.open(disk.crash(rng, 0.0), 1, OPTIONS)
        assert stable.last_index() == found.last_index
        assert stable.term_at(found.last_index) == found.last_term
        assert stable.term_at(found.last_index + 1) is None
        for index in range(found.first_index, found.last_index + 1):
            assert stable.term_at(index) == found.term_at(index)
