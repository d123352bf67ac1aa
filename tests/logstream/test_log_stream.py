"""Positions over indexes: each position is found, whatever lies between and whatever is gone."""

from __future__ import annotations

from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import Journal, JournalEntry, JournalOptions
from grevy.logstream import LogStream
from grevy.protocol.codec import encode_entry
from grevy.protocol.intents import JobIntent, RecordType
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import JobValue

RECORD = Record(RecordType.EVENT, JobIntent.CREATED, 1, JobValue())


class Fixture:
    """A log of entries with one to five records, among them some without any, and which entry holds
    which position.
    """

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.journal = Journal.open(SimDisk(), 1, JournalOptions(segment_bytes=2000))
        self.log = LogStream(self.journal)
        self.index_of: dict[int, int] = {}
        self.first_of: dict[int, int] = {}
        self.last_of: dict[int, int] = {}
        self.times = [0]
        position = 1
        for index in range(1, 120):
            payload = b""
            if rng.random() < 0.7:
                records = (RECORD,) * rng.randrange(1, 6)
                payload = encode_entry(Entry(1, index * 10, position, position, records))
                self.first_of[index] = position
                for _ in records:
                    self.index_of[position] = index
                    position += 1
                self.last_of[index] = position - 1
            self.times.append(index * 10 if payload else self.times[-1])
            self.journal.append([JournalEntry(index, 1, payload)])
        self.journal.flush()
        self.end = position

    def check(self) -> None:
        """Ask for everything."""
        first_index, after = self.journal.first_index, self.journal.last_index + 1
        for position in (0, *self.index_of, self.end, self.end + 1, 1 << 62):
            before = [index for at, index in self.index_of.items() if at < position]
            passed = [index for index in before if self.last_of[index] < position]
            assert self.log.index_of(position) == max(*passed, first_index - 1, 0) + 1
        for index in range(first_index, after + 1):
            later = [self.first_of[at] for at in self.first_of if at >= index]
            assert self.log.first_position_from(index) == (min(later) if later else None)
        assert self.log.last_timestamp() == self.times[-1]
        payloads = dict(self.log.read(first_index, 1 << 30))
        assert {index for index, payload in payloads.items() if payload} == {
            at for at in self.first_of if at >= first_index
        }


@pytest.mark.parametrize("seed", range(5))
def test_each_position_is_found(seed: int) -> None:
    fixture = Fixture(seed)
    fixture.check()
    for up_to in (30, 60, 90):
        fixture.journal.compact(up_to)
        assert fixture.journal.first_index > 1
        fixture.check()


def test_an_empty_log_has_no_positions() -> None:
    log = LogStream(Journal.open(SimDisk(), 1, JournalOptions()))
    assert log.index_of(0) == log.index_of(5) == 1
    assert log.first_position_from(1) is None
    assert log.last_timestamp() == 0
    assert list(log.read(1, 100)) == []
