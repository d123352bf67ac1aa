"""The record feed over a log that is compacted: subscribers begin where it does, and are told."""

from __future__ import annotations

from pathlib import Path

from grevy.broker.system import OsDisk
from grevy.journal import Journal, JournalEntry, JournalOptions
from grevy.logstream import LogStream
from grevy.protocol.codec import encode_entry
from grevy.protocol.intents import JobIntent, RecordType
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import JobValue
from grevy.stream import RecordFeed

ENTRIES = 40
RECORDS = 3


def make_log(folder: Path) -> Journal:
    """Entries of three records each, in small segments; the first one is a leader's, and empty."""
    journal = Journal.open(OsDisk(folder), 1, JournalOptions(segment_bytes=2_000))
    record = Record(RecordType.EVENT, JobIntent.CREATED, 1, JobValue(type="t"))
    payloads = [b""]
    for number in range(ENTRIES):
        first = number * RECORDS + 1
        payloads.append(encode_entry(Entry(1, 0, first, first, (record,) * RECORDS)))
    journal.append([JournalEntry(index, 1, data) for index, data in enumerate(payloads, 1)])
    journal.flush()
    return journal


def test_positions_and_entries(tmp_path: Path) -> None:
    journal = make_log(tmp_path)
    feed = RecordFeed(LogStream(journal))
    subscription = feed.open("me", 1, 5, (), "")
    assert subscription.seen == 4
    subscription.credit = 2
    (fed,) = feed.pump(journal.last_index)
    assert len(fed.entries) == 2
    assert fed.up_to == 9, "the entries that hold positions 4 to 9"
    assert feed.pump(journal.last_index) == [], "no credit is left"
    journal.close()


def test_a_new_subscription_begins_where_the_log_does(tmp_path: Path) -> None:
    journal = make_log(tmp_path)
    journal.compact(20)
    first = (journal.first_index - 2) * RECORDS + 1
    assert first > 1
    subscription = RecordFeed(LogStream(journal)).open("me", 1, 1, (), "")
    assert subscription.seen == first - 1
    journal.close()


def test_a_slow_subscription_is_ended_when_the_log_overtakes_it(tmp_path: Path) -> None:
    journal = make_log(tmp_path)
    feed = RecordFeed(LogStream(journal))
    slow = feed.open("slow", 1, 1, (), "")
    quick = feed.open("quick", 1, 100, (), "")
    journal.compact(20)
    assert feed.drop_overtaken() == [slow]
    assert feed.find("slow", 1) is None
    assert feed.find("quick", 1) is quick
    journal.close()
