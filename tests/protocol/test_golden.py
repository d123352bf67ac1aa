"""Bytes that were written once must be read for ever, and mean the same.

`golden/*-1.bin` were written when the schemas were young and are never written again: a change
that adds fields leaves them readable, and a change that breaks them is a mistake. A new form gets
files of its own (`-2`). `golden/entry-1.jsonl` is the exported JSON of the entry, a line a record;
`GREVY_REWRITE=1` writes it anew when a field was added to the exported form.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.protocol.golden_broker import BROKER_MESSAGE
from tests.protocol.golden_decisions import DECISION_ENTRY, DECISION_RECORDS
from tests.protocol.golden_distribution import DISTRIBUTION_ENTRY, DISTRIBUTION_RECORDS

from grevy.protocol import codec
from grevy.protocol.broker_codec import decode_broker_message, encode_broker_message
from grevy.protocol.broker_messages import BrokerMessage, ClusterAnswer, ClusterQuestion
from grevy.protocol.intents import (
    BpmnElementType,
    BpmnEventType,
    DeploymentIntent,
    ErrorIntent,
    ErrorType,
    IncidentIntent,
    JobBatchIntent,
    JobIntent,
    JobKind,
    JobListenerEventType,
    MessageBatchIntent,
    MessageIntent,
    MessageStartEventSubscriptionIntent,
    MessageSubscriptionIntent,
    ProcessEventIntent,
    ProcessInstanceBatchIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessInstanceResultIntent,
    ProcessIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    RejectionType,
    SignalIntent,
    TimerIntent,
    ValueType,
    VariableDocumentIntent,
    VariableDocumentUpdateSemantic,
    VariableIntent,
)
from grevy.protocol.json_form import record_json
from grevy.protocol.messages import (
    AcknowledgeRecords,
    ActivatedJob,
    AddCredit,
    BrokerInfo,
    ClientMessage,
    CloseSubscription,
    ClusterRequest,
    ClusterRequestKind,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    Heartbeat,
    JobPush,
    OpenJobSubscription,
    OpenRecordSubscription,
    PartitionInfo,
    RecordPush,
    ReplicaInfo,
    ServerMessage,
    StatusReply,
    StatusRequest,
    SubscriptionClosed,
    SubscriptionOpened,
    TopologyReply,
    TopologyRequest,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import (
    VALUES,
    DeploymentValue,
    ErrorValue,
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageBatchValue,
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessEventValue,
    ProcessInstanceBatchValue,
    ProcessInstanceCreationValue,
    ProcessInstanceResultValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    ProcessMetadata,
    ProcessValue,
    ResourceFile,
    SignalValue,
    TimerValue,
    VariableDocumentValue,
    VariableValue,
)

GOLDEN = Path(__file__).parent / "golden"
KEY = 2251799813685249
MD5 = bytes(range(16))
DOCUMENT = b'{"total":12.50,"big":123456789012345678901234567890,"text":"\xc3\xa4"}'
CLIENT_ID = bytes(range(100, 116))
EVENT, COMMAND = RecordType.EVENT, RecordType.COMMAND

TASK = ProcessInstanceValue(
    "order",
    1,
    KEY,
    KEY + 1,
    "pay",
    KEY + 1,
    BpmnElementType.SERVICE_TASK,
    BpmnEventType.UNSPECIFIED,
    KEY + 8,
    KEY + 9,
)
METADATA = ProcessMetadata("order", 1, KEY, "order.bpmn", MD5, True, KEY + 2, "v1")
JOB = JobValue(
    "pay",
    "worker-1",
    3,
    1_000,
    1_700_000_001_000,
    1_700_000_002_000,
    60_000,
    "no money",
    "E-1",
    b'{"k":"v"}',
    DOCUMENT,
    "pay",
    KEY + 3,
    "order",
    1,
    KEY,
    KEY + 1,
    JobKind.EXECUTION_LISTENER,
    JobListenerEventType.END,
    ("retries", "timeout"),
    2,
)
RECORDS = (
    Record(
        COMMAND,
        DeploymentIntent.CREATE,
        -1,
        DeploymentValue((ResourceFile("order.bpmn", b"<definitions/>"),)),
    ),
    Record(
        EVENT,
        ProcessIntent.CREATED,
        KEY,
        ProcessValue("order", 1, KEY, "order.bpmn", b"<definitions/>", MD5, False, KEY + 2, "v1"),
    ),
    Record(EVENT, DeploymentIntent.CREATED, KEY + 2, DeploymentValue((), (METADATA,), KEY + 2)),
    Record(
        COMMAND,
        ProcessInstanceCreationIntent.CREATE,
        -1,
        ProcessInstanceCreationValue("order", KEY, 1, KEY + 1, DOCUMENT, ("pay",), ("total",)),
    ),
    Record(EVENT, ProcessInstanceIntent.ELEMENT_ACTIVATING, KEY + 3, TASK),
    Record(EVENT, ProcessInstanceIntent.ELEMENT_ACTIVATED, KEY + 3, TASK),
    Record(
        EVENT,
        ProcessInstanceResultIntent.COMPLETED,
        KEY + 1,
        ProcessInstanceResultValue("order", 1, KEY, KEY + 1, DOCUMENT),
    ),
    Record(
        COMMAND,
        ProcessInstanceBatchIntent.TERMINATE,
        KEY + 4,
        ProcessInstanceBatchValue(KEY + 1, KEY, KEY + 5, KEY + 6),
    ),
    Record(
        EVENT,
        ProcessEventIntent.TRIGGERING,
        KEY + 7,
        ProcessEventValue(KEY + 3, "pay", DOCUMENT, KEY, KEY + 1),
    ),
    Record(EVENT, JobIntent.FAILED, KEY + 10, JOB),
    Record(
        RecordType.COMMAND_REJECTION,
        JobIntent.COMPLETE,
        KEY + 10,
        JOB,
        RejectionType.INVALID_STATE,
        "Expected to complete job, but it has failed",
    ),
    Record(
        EVENT,
        JobBatchIntent.ACTIVATED,
        KEY + 11,
        JobBatchValue("pay", "w", 60_000, 32, (KEY + 10,), ("total",), 1_700_000_060_000, True),
    ),
    Record(
        EVENT,
        IncidentIntent.CREATED,
        KEY + 12,
        IncidentValue(
            ErrorType.JOB_NO_RETRIES,
            "no money",
            "order",
            KEY,
            KEY + 1,
            "pay",
            KEY + 3,
            KEY + 10,
            KEY + 3,
        ),
    ),
    Record(
        EVENT,
        MessageIntent.PUBLISHED,
        KEY + 13,
        MessageValue("paid", "order-1", "m-1", 3_600_000, 1_700_003_600_000, DOCUMENT),
    ),
    Record(COMMAND, MessageBatchIntent.EXPIRE, -1, MessageBatchValue((KEY + 13, KEY + 14))),
    Record(
        EVENT,
        MessageSubscriptionIntent.CORRELATING,
        KEY + 15,
        MessageSubscriptionValue(
            KEY + 1, KEY + 3, KEY, "order", "paid", "order-1", KEY + 13, DOCUMENT, False
        ),
    ),
    Record(
        EVENT,
        ProcessMessageSubscriptionIntent.CORRELATED,
        KEY + 16,
        ProcessMessageSubscriptionValue(
            2, KEY + 1, KEY + 3, KEY, "order", KEY + 13, "paid", "order-1", "pay", DOCUMENT, False
        ),
    ),
    Record(
        EVENT,
        MessageStartEventSubscriptionIntent.CORRELATED,
        KEY + 17,
        MessageStartEventSubscriptionValue(
            KEY, "order", "start", "paid", KEY + 1, "order-1", KEY + 13, DOCUMENT
        ),
    ),
    Record(
        EVENT,
        TimerIntent.CREATED,
        KEY + 18,
        TimerValue(KEY + 3, KEY + 1, 1_700_000_100_000, "wait", -1, KEY),
    ),
    Record(EVENT, SignalIntent.BROADCASTED, KEY + 19, SignalValue("stop", DOCUMENT)),
    Record(
        EVENT,
        VariableIntent.CREATED,
        KEY + 20,
        VariableValue("total", b'{"x":"\xc3\xa4"}', KEY + 1, KEY + 1, KEY, "order"),
    ),
    Record(
        EVENT,
        VariableDocumentIntent.UPDATED,
        KEY + 21,
        VariableDocumentValue(KEY + 1, VariableDocumentUpdateSemantic.LOCAL, DOCUMENT),
    ),
    Record(EVENT, ErrorIntent.CREATED, KEY + 22, ErrorValue("boom", "at line 1", 17, KEY + 1)),
)
ENTRY = Entry(
    1,
    1_700_000_000_000,
    41,
    41,
    RECORDS,
    (
        Reply(RequestId(CLIENT_ID, 7), Answer(DeploymentIntent.CREATED, KEY + 2, RECORDS[2].value)),
        Reply(
            RequestId(CLIENT_ID, 8),
            Answer(JobIntent.COMPLETE, KEY + 10, None, RejectionType.NOT_FOUND, "no such job"),
        ),
    ),
    23,
    4,
)
CLIENT_MESSAGE = ClientMessage(
    CLIENT_ID,
    (
        CommandRequest(1, 2, JobIntent.COMPLETE, KEY + 10, JOB),
        TopologyRequest(2),
        StatusRequest(3),
        OpenJobSubscription(4, 1, "pay", "worker-1", 60_000, ("total",), 32),
        OpenRecordSubscription(5, 1, 41, (ValueType.JOB, ValueType.INCIDENT), 64, "es"),
        AddCredit(4, 16),
        AcknowledgeRecords(5, 63, b"\x01\x02"),
        CloseSubscription(4),
        Heartbeat(3),
    ),
)
ACTIVATED_JOB = ActivatedJob(
    KEY + 10,
    "pay",
    "worker-1",
    3,
    1_700_000_060_000,
    2,
    b'{"k":"v"}',
    DOCUMENT,
    "pay",
    KEY + 3,
    "order",
    1,
    KEY,
    KEY + 1,
)
SERVER_MESSAGE = ServerMessage(
    (
        CommandReply(1, Answer(JobIntent.COMPLETED, KEY + 10, JOB)),
        ErrorReply(2, ErrorCode.RESOURCE_EXHAUSTED, "too much in flight", 50),
        TopologyReply(3, "grevy", "0.1.0", (PartitionInfo(1, "tcp://127.0.0.1:26501", 4),)),
        StatusReply(4, b'{"partitions":1}'),
        JobPush(5, (ACTIVATED_JOB,)),
        RecordPush(6, (b"\x00" * 16,), 63),
        SubscriptionOpened(7, 41, b"\x01\x02"),
        SubscriptionClosed(8, ErrorCode.NOT_LEADER, "no longer the leader"),
    )
)
CLUSTER_REQUEST = ClusterRequest(
    10, ClusterRequestKind.CHANGE, (4, 5), ("10.0.0.4:26602", ""), (1,), 3, is_trial=True
)
CLUSTER_MESSAGE = ClientMessage(
    CLIENT_ID, (CLUSTER_REQUEST, ClusterRequest(11, ClusterRequestKind.STATUS))
)
BROKERS_OF_CLUSTER_MESSAGE = BrokerMessage(
    "grevy",
    2,
    1_700_000_000_456,
    (
        ClusterQuestion(3, CLUSTER_REQUEST),
        ClusterAnswer(3, b'{"epoch":2,"steps":[]}'),
        ClusterAnswer(4, b"", "nothing would change"),
    ),
)
TOPOLOGY_MESSAGE = ServerMessage(
    (
        TopologyReply(
            5,
            "grevy",
            "0.1.0",
            (PartitionInfo(1, "127.0.0.1:26600", 4), PartitionInfo(2, "", -1)),
            (
                BrokerInfo(
                    1,
                    "127.0.0.1:26600",
                    "0.1.0",
                    True,
                    (ReplicaInfo(1, "leader", 4, 63), ReplicaInfo(2, "follower", 3, 17, False)),
                ),
                BrokerInfo(2, "127.0.0.1:26700", "0.1.0", False, ()),
            ),
            2,
        ),
    )
)


def golden(name: str, now: bytes) -> bytes:
    """The bytes of a golden file; a file that is not there yet is written."""
    path = GOLDEN / name
    if not path.exists():
        assert os.environ.get("GREVY_REWRITE"), f"{name} is gone; it must not be"
        path.write_bytes(now)
    return path.read_bytes()


def test_the_golden_entries_have_every_value_type() -> None:
    records = RECORDS + DECISION_RECORDS + DISTRIBUTION_RECORDS
    assert {record.value_type for record in records} == set(VALUES)


def test_golden_entry() -> None:
    assert codec.decode_entry(golden("entry-1.bin", codec.encode_entry(ENTRY))) == ENTRY


def test_golden_entry_of_decisions() -> None:
    frame = golden("entry-2.bin", codec.encode_entry(DECISION_ENTRY))
    assert codec.decode_entry(frame) == DECISION_ENTRY


def test_golden_entry_of_distributions() -> None:
    frame = golden("entry-3.bin", codec.encode_entry(DISTRIBUTION_ENTRY))
    assert codec.decode_entry(frame) == DISTRIBUTION_ENTRY


def test_golden_client_message() -> None:
    frame = golden("client-message-1.bin", codec.encode_client_message(CLIENT_MESSAGE))
    assert codec.decode_client_message(frame) == CLIENT_MESSAGE


def test_golden_server_message() -> None:
    frame = golden("server-message-1.bin", codec.encode_server_message(SERVER_MESSAGE))
    assert codec.decode_server_message(frame) == SERVER_MESSAGE


def test_golden_broker_message() -> None:
    frame = golden("broker-message-1.bin", encode_broker_message(BROKER_MESSAGE))
    assert decode_broker_message(frame) == BROKER_MESSAGE


def test_golden_cluster_request() -> None:
    frame = golden("client-message-2.bin", codec.encode_client_message(CLUSTER_MESSAGE))
    assert codec.decode_client_message(frame) == CLUSTER_MESSAGE


def test_golden_cluster_request_between_brokers() -> None:
    frame = golden("broker-message-2.bin", encode_broker_message(BROKERS_OF_CLUSTER_MESSAGE))
    assert decode_broker_message(frame) == BROKERS_OF_CLUSTER_MESSAGE


def test_golden_topology_of_a_cluster() -> None:
    frame = golden("server-message-2.bin", codec.encode_server_message(TOPOLOGY_MESSAGE))
    assert codec.decode_server_message(frame) == TOPOLOGY_MESSAGE


def test_a_golden_file_is_not_made_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GREVY_REWRITE", raising=False)
    with pytest.raises(AssertionError, match="is gone"):
        golden("no-such-file.bin", b"")


@pytest.mark.parametrize(
    ("name", "written"),
    [("entry-1", ENTRY), ("entry-2", DECISION_ENTRY), ("entry-3", DISTRIBUTION_ENTRY)],
)
def test_exported_json_of_the_golden_entries(name: str, written: Entry) -> None:
    entry = codec.decode_entry(codec.encode_entry(written))
    lines = [record_json(entry, index) for index in range(len(entry.records))]
    path = GOLDEN / f"{name}.jsonl"
    if os.environ.get("GREVY_REWRITE"):
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    assert path.read_bytes().splitlines() == lines
