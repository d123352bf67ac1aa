"""The codec of messages between brokers, as replication sends them.
`pytest bench/test_broker_codec.py`.
"""

from __future__ import annotations

from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.protocol.broker_codec import decode_broker_message, encode_broker_message
from grevy.protocol.broker_messages import BrokerMessage, GroupMessage
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    GroupMembers,
    Heartbeat,
    RaftMessage,
    SnapshotChunk,
)

CHUNK_BYTES: Final = 1024 * 1024


def append(count: int, payload_bytes: int) -> AppendRequest:
    entries = [JournalEntry(101 + at, 7, bytes([at]) * payload_bytes) for at in range(count)]
    return AppendRequest(1, 7, 100, 7, 99, 42, tuple(entries))


def message(*words: RaftMessage) -> BrokerMessage:
    items = tuple(GroupMessage(place, word) for place, word in enumerate(words, 1))
    return BrokerMessage("grevy", 1, 1_700_000_000_000, items)


MESSAGES: Final = {
    "append 1 x 256 B": message(append(1, 256)),
    "append 30 x 256 B": message(append(30, 256)),
    "append 3 partitions x 10 x 1 KiB": message(*[append(10, 1024)] * 3),
    "append response": message(AppendResponse(1, 7, 130, 42)),
    "heartbeats of 3 partitions": message(*[Heartbeat(1, 7, 130, 42)] * 3),
    "snapshot chunk of 1 MiB": message(
        SnapshotChunk(1, 7, 90, 5, GroupMembers((1, 2, 3)), 0, 1 << 30, bytes(CHUNK_BYTES), 9)
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_encode(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(encode_broker_message, MESSAGES[name])


@pytest.mark.parametrize("name", MESSAGES)
def test_decode(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(decode_broker_message, encode_broker_message(MESSAGES[name]))
