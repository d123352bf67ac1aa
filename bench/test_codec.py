"""The codec, with the two entries of an instance of a one-task process, and messages about them.
`pytest bench/test_codec.py`.
"""

from __future__ import annotations

from typing import Final

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.protocol import codec, entry_codec
from grevy.protocol.intents import (
    BpmnElementType,
    BpmnEventType,
    JobBatchIntent,
    JobIntent,
    ProcessEventIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    VariableIntent,
)
from grevy.protocol.json_form import record_json
from grevy.protocol.messages import (
    ActivatedJob,
    ClientMessage,
    CommandReply,
    CommandRequest,
    JobPush,
    ServerMessage,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import (
    JobBatchValue,
    JobValue,
    ProcessEventValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    Value,
    VariableValue,
)

KEY: Final = 2251799813685249
INSTANCE: Final = KEY + 9
CLIENT_ID: Final = bytes(range(16))
DOCUMENT: Final = b'{"orderId":1,"customer":"abcdefghijklmnopqrstuvwxyz"}'


def element(element_id: str, scope: int, kind: BpmnElementType) -> ProcessInstanceValue:
    return ProcessInstanceValue(
        "order-process", 1, KEY, INSTANCE, element_id, scope, kind, BpmnEventType.UNSPECIFIED
    )


def events(key: int, value: Value, *intents: ProcessInstanceIntent) -> tuple[Record, ...]:
    return tuple(Record(RecordType.EVENT, intent, key, value) for intent in intents)


def creation_entry() -> Entry:
    """The entry of a client's command to create an instance: it runs until it waits for a job."""
    pi = ProcessInstanceIntent
    created = ProcessInstanceCreationValue("order-process", KEY, 1, INSTANCE, DOCUMENT)
    variable = VariableValue("orderId", b"1", INSTANCE, INSTANCE, KEY, "order-process")
    job = JobValue(
        "pay",
        retries=3,
        element_id="pay",
        element_instance_key=KEY + 14,
        bpmn_process_id="order-process",
        process_definition_version=1,
        process_definition_key=KEY,
        process_instance_key=INSTANCE,
    )
    process = element("order-process", -1, BpmnElementType.PROCESS)
    start = element("start", INSTANCE, BpmnElementType.START_EVENT)
    flow = element("flow", INSTANCE, BpmnElementType.SEQUENCE_FLOW)
    task = element("pay", INSTANCE, BpmnElementType.SERVICE_TASK)
    batch = JobBatchValue("pay", "worker", 60_000, 32, (KEY + 15,), (), 1_700_000_060_000)
    creation = ProcessInstanceCreationIntent
    records = (
        Record(
            RecordType.COMMAND,
            creation.CREATE,
            -1,
            ProcessInstanceCreationValue("order-process", variables=DOCUMENT),
        ),
        Record(RecordType.EVENT, VariableIntent.CREATED, KEY + 10, variable),
        Record(RecordType.EVENT, creation.CREATED, KEY + 11, created),
        *events(INSTANCE, process, pi.ELEMENT_ACTIVATING, pi.ELEMENT_ACTIVATED),
        *events(
            KEY + 12,
            start,
            pi.ELEMENT_ACTIVATING,
            pi.ELEMENT_ACTIVATED,
            pi.ELEMENT_COMPLETING,
            pi.ELEMENT_COMPLETED,
        ),
        *events(KEY + 13, flow, pi.SEQUENCE_FLOW_TAKEN),
        *events(KEY + 14, task, pi.ELEMENT_ACTIVATING),
        Record(RecordType.EVENT, JobIntent.CREATED, KEY + 15, job),
        Record(RecordType.EVENT, JobBatchIntent.ACTIVATED, KEY + 16, batch),
        *events(KEY + 14, task, pi.ELEMENT_ACTIVATED),
    )
    reply = Reply(RequestId(CLIENT_ID, 7), Answer(creation.CREATED, KEY + 11, created))
    return Entry(1, 1_700_000_000_000, 100, 100, records, (reply,), 16, 3)


def completion_entry() -> Entry:
    """The entry of a worker's command to complete that job: it runs to the end."""
    pi = ProcessInstanceIntent
    completing = (pi.ELEMENT_COMPLETING, pi.ELEMENT_COMPLETED)
    end = element("end", INSTANCE, BpmnElementType.END_EVENT)
    job = JobValue("pay", retries=3, element_id="pay", process_instance_key=INSTANCE)
    trigger = ProcessEventValue(KEY + 14, "pay", b"{}", KEY, INSTANCE)
    task = element("pay", INSTANCE, BpmnElementType.SERVICE_TASK)
    records = (
        Record(RecordType.COMMAND, JobIntent.COMPLETE, KEY + 15, JobValue(activation=1)),
        Record(RecordType.EVENT, JobIntent.COMPLETED, KEY + 15, job),
        Record(RecordType.EVENT, ProcessEventIntent.TRIGGERING, KEY + 17, trigger),
        *events(KEY + 14, task, pi.ELEMENT_COMPLETING),
        Record(RecordType.EVENT, ProcessEventIntent.TRIGGERED, KEY + 17, trigger),
        *events(KEY + 14, task, pi.ELEMENT_COMPLETED),
        *events(
            KEY + 18,
            element("flow", INSTANCE, BpmnElementType.SEQUENCE_FLOW),
            pi.SEQUENCE_FLOW_TAKEN,
        ),
        *events(KEY + 19, end, pi.ELEMENT_ACTIVATING, pi.ELEMENT_ACTIVATED, *completing),
        *events(INSTANCE, element("order-process", -1, BpmnElementType.PROCESS), *completing),
    )
    reply = Reply(RequestId(CLIENT_ID, 8), Answer(JobIntent.COMPLETED, KEY + 15))
    return Entry(1, 1_700_000_000_000, 113, 113, records, (reply,), 18, 1)


ENTRIES: Final = {"creation": creation_entry(), "completion": completion_entry()}


def requests(count: int) -> ClientMessage:
    intent = ProcessInstanceCreationIntent.CREATE
    return ClientMessage(
        CLIENT_ID,
        tuple(
            CommandRequest(
                i,
                1,
                intent,
                -1,
                ProcessInstanceCreationValue("order-process", variables=b'{"orderId":%d}' % i),
            )
            for i in range(count)
        ),
    )


def replies(count: int) -> ServerMessage:
    intent = ProcessInstanceCreationIntent.CREATED
    return ServerMessage(
        tuple(
            CommandReply(
                i,
                Answer(intent, KEY, ProcessInstanceCreationValue("order-process", KEY, 1, i)),
            )
            for i in range(count)
        )
    )


def pushes(count: int) -> ServerMessage:
    jobs = tuple(
        ActivatedJob(
            KEY + i,
            "pay",
            "worker",
            3,
            1_700_000_000_000,
            1,
            b"{}",
            b'{"orderId":%d}' % i,
            "pay",
            KEY,
            "order-process",
            1,
            KEY,
            INSTANCE,
        )
        for i in range(count)
    )
    return ServerMessage((JobPush(1, jobs),))


@pytest.mark.parametrize("name", ENTRIES)
def test_encode_entry(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(codec.encode_entry, ENTRIES[name])


@pytest.mark.parametrize("name", ENTRIES)
def test_decode_entry(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(codec.decode_entry, codec.encode_entry(ENTRIES[name]))


@pytest.mark.parametrize("name", ENTRIES)
def test_decode_entry_by_pycapnp(benchmark: BenchmarkFixture, name: str) -> None:
    benchmark(entry_codec.ENTRIES.decode_by_pycapnp, codec.encode_entry(ENTRIES[name]))


def test_entry_mask(benchmark: BenchmarkFixture) -> None:
    benchmark(codec.entry_mask, codec.encode_entry(ENTRIES["creation"]))


@pytest.mark.parametrize("count", [1, 50])
def test_encode_requests(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.encode_client_message, requests(count))


@pytest.mark.parametrize("count", [1, 50])
def test_decode_requests(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.decode_client_message, codec.encode_client_message(requests(count)))


@pytest.mark.parametrize("count", [1, 50])
def test_encode_replies(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.encode_server_message, replies(count))


@pytest.mark.parametrize("count", [1, 50])
def test_decode_replies(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.decode_server_message, codec.encode_server_message(replies(count)))


@pytest.mark.parametrize("count", [1, 50])
def test_encode_pushes(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.encode_server_message, pushes(count))


@pytest.mark.parametrize("count", [1, 50])
def test_decode_pushes(benchmark: BenchmarkFixture, count: int) -> None:
    benchmark(codec.decode_server_message, codec.encode_server_message(pushes(count)))


def test_record_json(benchmark: BenchmarkFixture) -> None:
    benchmark(record_json, ENTRIES["creation"], 6)
