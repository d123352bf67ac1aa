"""Entries that are like others before are read without pycapnp, and as pycapnp reads them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.protocol.test_imprint import broken_frame

from grevy.protocol import codec, wire
from grevy.protocol.entry_codec import ENTRIES
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.frame_writer import ROOT_AT
from grevy.protocol.intents import (
    BpmnElementType,
    JobBatchIntent,
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    VariableIntent,
)
from grevy.protocol.layout import Layout
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.schemas import SCHEMAS
from grevy.protocol.values import (
    JobBatchValue,
    JobValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    VariableValue,
)

CLIENT_ID = bytes(range(16))
EVENT = RecordType.EVENT


def creation(n: int, process: str = "order") -> Entry:
    """An instance is created, and its job is pushed."""
    intents = ProcessInstanceIntent
    created = ProcessInstanceCreationValue(process, 5, 1, n, b'{"n":%d}' % n)
    element = ProcessInstanceValue(process, 1, 5, n, process, -1, BpmnElementType.PROCESS)
    task = replace(element, element_id="pay", bpmn_element_type=BpmnElementType.SERVICE_TASK)
    job = JobValue("pay", retries=3, element_id="pay", element_instance_key=n + 3)
    batch = JobBatchValue("pay", "worker", 60_000, 32, (n + 4, n + 5), (), n)
    asked = ProcessInstanceCreationValue(process, variables=created.variables)
    records = (
        Record(RecordType.COMMAND, ProcessInstanceCreationIntent.CREATE, -1, asked),
        Record(EVENT, VariableIntent.CREATED, n + 1, VariableValue("n", b"%d" % n, n, n, 5, "")),
        Record(EVENT, ProcessInstanceCreationIntent.CREATED, n + 2, created),
        Record(EVENT, intents.ELEMENT_ACTIVATING, n, element),
        Record(EVENT, intents.ELEMENT_ACTIVATED, n, element),
        Record(EVENT, intents.ELEMENT_ACTIVATING, n + 3, task),
        Record(EVENT, JobIntent.CREATED, n + 4, job),
        Record(EVENT, JobBatchIntent.ACTIVATED, n + 6, batch),
        Record(EVENT, intents.ELEMENT_ACTIVATED, n + 3, task),
    )
    answer = Answer(ProcessInstanceCreationIntent.CREATED, n + 2, created)
    reply = Reply(RequestId(CLIENT_ID, n), answer)
    return Entry(1, 1_700_000_000_000 + n, n, n, records, (reply,), n, n % 7)


def rejection(n: int) -> Entry:
    """A job is not completed."""
    value = JobValue(activation=n)
    rejected = (RejectionType.NOT_FOUND, "no job " + "x" * (n % 40))
    records = (
        Record(RecordType.COMMAND, JobIntent.COMPLETE, n, value),
        Record(RecordType.COMMAND_REJECTION, JobIntent.COMPLETE, n, value, *rejected),
    )
    answer = Answer(JobIntent.COMPLETE, n, value, *rejected)
    return Entry(2, n, n, n, records, (Reply(RequestId(CLIENT_ID, n), answer),))


def timeout(n: int) -> Entry:
    """A job's time is over; nobody waits for an answer."""
    value = JobValue("pay", deadline=n)
    records = (
        Record(RecordType.COMMAND, JobIntent.TIME_OUT, n, value),
        Record(EVENT, JobIntent.TIMED_OUT, n, value),
    )
    return Entry(3, n, n, n, records)


MADE: dict[str, Callable[[int], Entry]] = {
    "a creation": creation,
    "a rejection": rejection,
    "a time-out": timeout,
}


def is_known(frame: bytes) -> bool:
    """Whether a frame is read without pycapnp."""
    return ENTRIES.scan(frame) is not None


def outcome(frame: bytes, read: Callable[[bytes], Entry]) -> tuple[bool, object]:
    """What becomes of a frame, and our own errors of it."""
    try:
        return True, read(frame)
    except (MalformedFrame, LimitExceeded) as error:
        return False, str(error)


@pytest.mark.parametrize("name", MADE)
def test_what_came_some_times_is_known(name: str) -> None:
    make = MADE[name]
    for number in range(10, 20):
        codec.decode_entry(codec.encode_entry(make(number)))
    for number in range(20, 40):
        frame = codec.encode_entry(make(number))
        assert is_known(frame)
        assert codec.decode_entry(frame) == make(number)


def test_many_processes_are_known_at_once() -> None:
    entries = [creation(10, f"order-{i}") for i in range(100, 200)]
    for _ in range(8):
        for entry in entries:
            assert codec.decode_entry(codec.encode_entry(entry)) == entry
    assert all(is_known(codec.encode_entry(entry)) for entry in entries)


def test_a_number_that_had_its_default_so_far_is_learned_once_it_differs() -> None:
    without, fields = timeout(-1), ("deadline", "retries", "element_instance_key")
    entries = [without]
    for field in fields:
        value = replace(without.records[0].value, **{field: 77})
        records = tuple([replace(record, value=value) for record in without.records])
        entries.append(replace(without, records=records))
    for _ in range(8):
        assert codec.decode_entry(codec.encode_entry(without)) == without
    assert [is_known(codec.encode_entry(entry)) for entry in entries] == [True, False, False, False]
    for _ in range(8):
        for entry in entries:
            assert codec.decode_entry(codec.encode_entry(entry)) == entry
    assert all(is_known(codec.encode_entry(entry)) for entry in entries)


@pytest.mark.parametrize("words", [-8, -1, 1, 1 << 20])
@pytest.mark.parametrize("name", ["rejections", "replies", "values"])
def test_lists_with_another_number_of_words_are_left_to_pycapnp(name: str, words: int) -> None:
    frame = codec.encode_entry(rejection(7))
    for _ in range(12):
        codec.decode_entry(frame)
    assert is_known(frame)
    at = (ROOT_AT + Layout(SCHEMAS["Entry"]).slots[name].word) * wire.WORD
    (pointer,) = struct.unpack_from("<Q", frame, at)
    other = bytearray(frame)
    struct.pack_into("<Q", other, at, pointer + (words << 35) & (1 << 64) - 1)
    assert not is_known(bytes(other))


def test_entries_with_two_replies_are_left_to_pycapnp() -> None:
    entry = timeout(7)
    replies = [Reply(RequestId(CLIENT_ID, n), Answer(JobIntent.TIMED_OUT, n)) for n in (1, 2)]
    for _ in range(8):
        frame = codec.encode_entry(replace(entry, replies=tuple(replies)))
        assert codec.decode_entry(frame).replies == tuple(replies)
    assert not is_known(frame)


@settings(max_examples=200)
@given(data=st.data())
def test_any_entry_is_read_alike_again_and_again(
    entries: st.SearchStrategy[Entry], data: st.DataObject
) -> None:
    entry = data.draw(entries)
    frame = codec.encode_entry(entry)
    for _ in range(8):
        assert codec.decode_entry(frame) == entry


@pytest.mark.parametrize("name", MADE)
def test_broken_frames_are_read_as_pycapnp_reads_them(name: str, fuzz_count: int) -> None:
    for _ in range(12):
        frame = codec.encode_entry(MADE[name](7))
        codec.decode_entry(frame)
    taken = 0
    for seed in range(fuzz_count):
        broken = broken_frame(frame, random.Random(seed))
        taken += is_known(broken)
        expected = outcome(broken, ENTRIES.decode_by_pycapnp)
        assert outcome(broken, codec.decode_entry) == expected
    assert taken > fuzz_count // 100


@pytest.mark.parametrize("column", ["recordTypes", "intents", "keys", "valueIndexes"])
def test_columns_of_other_lengths_are_refused(column: str) -> None:
    frame = codec.encode_entry(timeout(7))
    for _ in range(12):
        codec.decode_entry(frame)
    at = ROOT_AT + Layout(SCHEMAS["Entry"]).slots[column].word
    (pointer,) = struct.unpack_from("<Q", frame, at * wire.WORD)
    shorter = bytearray(frame)
    struct.pack_into("<Q", shorter, at * wire.WORD, pointer - (1 << 35))
    assert is_known(frame)
    assert not is_known(bytes(shorter))
    with pytest.raises(MalformedFrame):
        codec.decode_entry(bytes(shorter))
