"""A frame says the same, whether it is written whole or list by list, and whatever is prepared."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol import codec
from grevy.protocol.cache import Cache
from grevy.protocol.entry_codec import ENTRY_WRITER
from grevy.protocol.frame_writer import FrameWriter
from grevy.protocol.intents import (
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.limits import (
    CODEC_PIECE_ITEMS_MAX,
    CODEC_SHAPE_BYTES_MAX,
    CODEC_WHOLE_ITEMS_MAX,
)
from grevy.protocol.message_codec import CLIENT_MESSAGE_WRITER, SERVER_MESSAGE_WRITER
from grevy.protocol.messages import (
    ActivatedJob,
    BrokerInfo,
    ClientMessage,
    CommandReply,
    CommandRequest,
    Heartbeat,
    JobPush,
    PartitionInfo,
    RecordPush,
    ReplicaInfo,
    ServerItem,
    ServerMessage,
    StatusReply,
    TopologyReply,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import (
    DeploymentValue,
    JobBatchValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMetadata,
    Value,
)

CLIENT_ID = bytes(range(16))
MANY = 3 * CODEC_PIECE_ITEMS_MAX + 5


def both_ways(content: Any, writer: FrameWriter[Any], decode: Callable[[bytes], object]) -> None:
    """Both ways give a frame that pycapnp takes and that says what was written."""
    for _ in range(3):  # a piece of a list gets its mold the second time
        whole = writer.write_whole(content)
        assert whole is None or decode(whole) == content
        assert decode(writer.write_by_lists(content)) == content


def renumbered(item: Any, rng: random.Random, seen: dict[int, Any] | None = None) -> Any:
    """The same texts, flags and enumerations with other numbers and other bytes of equal length;
    what was shared stays shared.
    """
    seen = {} if seen is None else seen
    if id(item) in seen:
        return seen[id(item)]
    if type(item) is int:
        return rng.randrange(2**15)
    if isinstance(item, bytes):
        return rng.randbytes(len(item))
    if isinstance(item, tuple):
        return tuple(renumbered(each, rng, seen) for each in item)
    if isinstance(item, Struct):
        new = type(item)(*[renumbered(each, rng, seen) for each in astuple(item)])
        seen[id(item)] = new
        return new
    return item


@settings(max_examples=200)
@given(data=st.data())
def test_entries_are_written_both_ways(
    entries: st.SearchStrategy[Entry], data: st.DataObject
) -> None:
    entry = data.draw(entries)
    both_ways(entry, ENTRY_WRITER, codec.decode_entry)
    both_ways(renumbered(entry, random.Random(1)), ENTRY_WRITER, codec.decode_entry)


@settings(max_examples=200)
@given(data=st.data())
def test_client_messages_are_written_both_ways(
    client_messages: st.SearchStrategy[ClientMessage], data: st.DataObject
) -> None:
    message = data.draw(client_messages)
    both_ways(message, CLIENT_MESSAGE_WRITER, codec.decode_client_message)
    other = renumbered(message, random.Random(1))
    both_ways(other, CLIENT_MESSAGE_WRITER, codec.decode_client_message)


@settings(max_examples=200)
@given(data=st.data())
def test_server_messages_are_written_both_ways(
    server_messages: st.SearchStrategy[ServerMessage], data: st.DataObject
) -> None:
    message = data.draw(server_messages)
    both_ways(message, SERVER_MESSAGE_WRITER, codec.decode_server_message)
    other = renumbered(message, random.Random(1))
    both_ways(other, SERVER_MESSAGE_WRITER, codec.decode_server_message)


def creation(number: int) -> ProcessInstanceCreationValue:
    names = ("order", "payment", "x" * 40)
    document = b'{"n":%d}' % number
    return ProcessInstanceCreationValue(names[number % 3], 7, 1, number, document)


def reply(number: int) -> Reply:
    answer = Answer(ProcessInstanceCreationIntent.CREATED, number, creation(number))
    if number % 2:
        reason = f"no such process {number}"
        answer = Answer(JobIntent.COMPLETE, number, None, RejectionType.NOT_FOUND, reason)
    return Reply(RequestId(CLIENT_ID, number), answer)


def record(number: int, value: Value | None = None) -> Record:
    intent = ProcessInstanceCreationIntent.CREATED
    return Record(RecordType.EVENT, intent, number, value or creation(number))


def entry_of(*records: Record, replies: tuple[Reply, ...] = ()) -> Entry:
    return Entry(1, 1_700_000_000_000, 100, 100, records, replies, 5, 6)


REJECTION = Record(
    RecordType.COMMAND_REJECTION,
    JobIntent.COMPLETE,
    3,
    JobValue(),
    RejectionType.NOT_FOUND,
    "no such job",
)
LIFECYCLE = tuple(
    Record(RecordType.EVENT, intent, 5, value)
    for value in [ProcessInstanceValue("order", element_id=str(i)) for i in range(10)]
    for intent in ProcessInstanceIntent
)
LONG_ENTRIES = {
    "no records": entry_of(),
    "many records": entry_of(*LIFECYCLE, *LIFECYCLE[:3]),
    "many values": entry_of(*(record(i) for i in range(MANY))),
    "many replies": entry_of(record(1), replies=tuple(reply(i) for i in range(MANY))),
    "rejections": entry_of(record(1), REJECTION, record(2), REJECTION),
}


@pytest.mark.parametrize("name", LONG_ENTRIES)
def test_long_entries_are_written_by_lists(name: str) -> None:
    entry = LONG_ENTRIES[name]
    both_ways(entry, ENTRY_WRITER, codec.decode_entry)
    assert ENTRY_WRITER.write_whole(entry) is None


@pytest.mark.parametrize("count", [1, CODEC_PIECE_ITEMS_MAX, CODEC_PIECE_ITEMS_MAX + 1, MANY])
def test_messages_of_any_length(count: int) -> None:
    requests = tuple(
        CommandRequest(i, 1, ProcessInstanceCreationIntent.CREATE, -1, creation(i))
        if i % 4
        else Heartbeat(i)
        for i in range(count)
    )
    message = ClientMessage(CLIENT_ID, requests)
    both_ways(message, CLIENT_MESSAGE_WRITER, codec.decode_client_message)
    assert (CLIENT_MESSAGE_WRITER.write_whole(message) is None) == (count > CODEC_WHOLE_ITEMS_MAX)

    jobs = tuple(
        ActivatedJob(i, "pay", "w" * (i % 9), 3, 9, 1, b"{}", b'{"a":%d}' % i, "t", 2, "p", 1, 3, 4)
        for i in range(count)
    )
    partitions = tuple(PartitionInfo(i, "tcp://127.0.0.1:1" * (i % 2), 4) for i in range(count))
    replicas = tuple(ReplicaInfo(i, "leader", i, 7, i % 2 == 0) for i in range(count))
    brokers = tuple(BrokerInfo(i, "a:1", "1", i % 2 == 1, replicas[:i]) for i in range(count))
    items: tuple[ServerItem, ...] = (
        *(CommandReply(i, reply(i).answer) for i in range(count)),
        JobPush(1, jobs),
        TopologyReply(2, "grevy", "1", partitions, brokers, 3),
        RecordPush(3, tuple(bytes(i) for i in range(count)), 9),
        StatusReply(4, b"{}"),
    )
    both_ways(ServerMessage(items), SERVER_MESSAGE_WRITER, codec.decode_server_message)


def test_structs_with_bytes_of_their_own_in_a_list() -> None:
    processes = tuple(
        ProcessMetadata(f"p{i % 3}", 1, i, "a.bpmn", bytes(i % 20), duplicate=i % 2 == 0)
        for i in range(MANY)
    )
    deployed = DeploymentValue((), processes, 5)
    items = (CommandReply(1, Answer(0x401, 1, deployed)),)
    both_ways(ServerMessage(items), SERVER_MESSAGE_WRITER, codec.decode_server_message)


@pytest.mark.parametrize("size", [1, CODEC_SHAPE_BYTES_MAX, 4 * CODEC_SHAPE_BYTES_MAX])
def test_names_of_any_length(size: int) -> None:
    for number in range(3):
        value = JobValue("ä" * size, deadline=number, changed_attributes=("b" * size, "", "c"))
        entry = entry_of(Record(RecordType.EVENT, JobIntent.CREATED, number, value))
        both_ways(entry, ENTRY_WRITER, codec.decode_entry)


def test_contents_come_in_any_number_and_size() -> None:
    """One mold serves them all: which contents are empty, and how long they are, is no shape."""
    rng = random.Random(3)
    for _ in range(50):
        sizes = [rng.choice((0, 0, 1, 7, 8, 9, 300)) for _ in range(6)]
        values: tuple[Value, ...] = (
            MessageValue("n", "k" * sizes[0], "m" * sizes[1], sizes[2], variables=bytes(sizes[3])),
            JobBatchValue("pay", job_keys=tuple(range(sizes[4])), truncated=sizes[5] > 0),
            JobValue("pay", error_message="e" * sizes[5]),
        )
        intents = (0xA00, 0xE00, JobIntent.CREATED)
        items = tuple(
            CommandReply(i, Answer(intent, i, value))
            for i, (intent, value) in enumerate(zip(intents, values, strict=True))
        )
        both_ways(ServerMessage(items), SERVER_MESSAGE_WRITER, codec.decode_server_message)


def test_a_full_cache_starts_anew() -> None:
    cache: Cache[int, str] = Cache(2)
    for key in range(5):
        cache.keep(key, str(key))
    assert cache == {4: "4"}


def test_what_was_asked_for_twice_is_worth_keeping() -> None:
    cache: Cache[int, str] = Cache(2)
    assert [cache.is_worth(key) for key in (1, 1, 2, 1, 2, 3, 1)] == [
        False,
        True,
        False,
        True,
        True,
        False,  # the memory is full, and starts anew
        False,
    ]


def test_a_list_has_the_same_bytes_with_and_without_a_mold() -> None:
    name = "a process of its own"
    values = [ProcessInstanceCreationValue(name, version=i) for i in range(MANY)]
    jobs = [JobValue("a job of its own", error_message="e" * (i % 20)) for i in range(MANY)]
    records = [record(i, value) for i, value in enumerate(values)]
    records += [Record(RecordType.EVENT, JobIntent.CREATED, i, job) for i, job in enumerate(jobs)]
    frames = {ENTRY_WRITER.write_by_lists(entry_of(*records)) for _ in range(3)}
    assert len(frames) == 1
