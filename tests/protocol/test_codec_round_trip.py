"""What is encoded comes back as it was, and shared things are written once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.protocol import codec
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.intents import (
    DeploymentIntent,
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    ValueType,
    VariableDocumentIntent,
    VariableIntent,
)
from grevy.protocol.limits import DOCUMENT_BYTES_MAX, LIST_ITEMS_MAX, MESSAGE_BYTES_MAX
from grevy.protocol.messages import (
    ClientMessage,
    CommandReply,
    CommandRequest,
    Heartbeat,
    ServerMessage,
    TopologyRequest,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import (
    VALUES,
    DeploymentValue,
    JobValue,
    MessageBatchValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ResourceFile,
    Value,
    VariableDocumentValue,
    VariableValue,
)

CLIENT_ID = bytes(range(16))


def entry_of(*records: Record, replies: tuple[Reply, ...] = ()) -> Entry:
    return Entry(1, 1_700_000_000_000, 100, 100, records, replies)


@settings(max_examples=200)
@given(data=st.data())
def test_entries_come_back(entries: st.SearchStrategy[Entry], data: st.DataObject) -> None:
    entry = data.draw(entries)
    assert codec.decode_entry(codec.encode_entry(entry)) == entry


@settings(max_examples=200)
@given(data=st.data())
def test_client_messages_come_back(
    client_messages: st.SearchStrategy[ClientMessage], data: st.DataObject
) -> None:
    message = data.draw(client_messages)
    assert codec.decode_client_message(codec.encode_client_message(message)) == message


@settings(max_examples=200)
@given(data=st.data())
def test_server_messages_come_back(
    server_messages: st.SearchStrategy[ServerMessage], data: st.DataObject
) -> None:
    message = data.draw(server_messages)
    assert codec.decode_server_message(codec.encode_server_message(message)) == message


def test_shared_values_are_written_once_and_stay_shared() -> None:
    value = ProcessInstanceValue("order", 1, 2, 3, "task", 4)
    copies = [ProcessInstanceValue("order", 1, 2, 3, "task", 4) for _ in range(4)]
    lifecycle = (
        ProcessInstanceIntent.ELEMENT_ACTIVATING,
        ProcessInstanceIntent.ELEMENT_ACTIVATED,
        ProcessInstanceIntent.ELEMENT_COMPLETING,
        ProcessInstanceIntent.ELEMENT_COMPLETED,
    )
    event = RecordType.EVENT
    shared = codec.encode_entry(entry_of(*(Record(event, i, 5, value) for i in lifecycle)))
    separate = codec.encode_entry(
        entry_of(*(Record(event, i, 5, v) for i, v in zip(lifecycle, copies, strict=True)))
    )
    assert len(shared) < len(separate) / 2
    records = codec.decode_entry(shared).records
    assert all(record.value is records[0].value for record in records)


def test_a_reply_shares_the_value_of_its_record() -> None:
    value = ProcessInstanceCreationValue("order", 1, 1, 2, b'{"a": 1}')
    intent = ProcessInstanceCreationIntent.CREATED
    record = Record(RecordType.EVENT, intent, 5, value)
    reply = Reply(RequestId(CLIENT_ID, 7), Answer(intent, 5, value))
    entry = codec.decode_entry(codec.encode_entry(entry_of(record, replies=(reply,))))
    assert entry.replies[0].answer.value is entry.records[0].value


def test_a_document_is_written_once() -> None:
    document = b'{"text":"' + b"x" * 32 * 1024 + b'"}'
    command = VariableDocumentValue(1, variables=document)
    # An equal document, but another object.
    variable = VariableValue("all", bytes(bytearray(document)), 1)
    entry = entry_of(
        Record(RecordType.COMMAND, VariableDocumentIntent.UPDATE, -1, command),
        Record(RecordType.EVENT, VariableIntent.CREATED, 2, variable),
        Record(
            RecordType.EVENT,
            VariableDocumentIntent.UPDATED,
            3,
            VariableDocumentValue(1, variables=document),
        ),
    )
    frame = codec.encode_entry(entry)
    assert len(frame) < len(document) + 1024
    decoded = codec.decode_entry(frame)
    assert decoded == entry
    assert isinstance(decoded.records[1].value, VariableValue)
    assert isinstance(decoded.records[0].value, VariableDocumentValue)
    assert decoded.records[1].value.value is decoded.records[0].value.variables


def test_equal_entries_have_equal_bytes() -> None:
    def build() -> Entry:
        return entry_of(
            Record(RecordType.EVENT, JobIntent.CREATED, 5, JobValue("pay", variables=b'{"a":1}'))
        )

    assert codec.encode_entry(build()) == codec.encode_entry(build())


def test_the_mask_names_the_value_types_of_an_entry() -> None:
    records = (
        Record(RecordType.COMMAND, JobIntent.COMPLETE, 5, JobValue()),
        Record(RecordType.EVENT, VariableIntent.CREATED, 6, VariableValue()),
    )
    mask = codec.entry_mask(codec.encode_entry(entry_of(*records)))
    assert mask == 1 << ValueType.JOB | 1 << ValueType.VARIABLE


@pytest.mark.parametrize("kind", VALUES.values(), ids=lambda kind: kind.__name__)
def test_every_value_type_has_a_bit(kind: type[Value]) -> None:
    assert kind.value_type < 64


def test_a_rejection_keeps_its_place_and_reason() -> None:
    records = (
        Record(RecordType.COMMAND, JobIntent.COMPLETE, 5, JobValue()),
        Record(
            RecordType.COMMAND_REJECTION,
            JobIntent.COMPLETE,
            5,
            JobValue(),
            RejectionType.NOT_FOUND,
            "Expected to complete job 5, but no such job was found",
        ),
    )
    decoded = codec.decode_entry(codec.encode_entry(entry_of(*records)))
    assert decoded.records == records


def command(value: Value, intent: VariableDocumentIntent | DeploymentIntent) -> ClientMessage:
    return ClientMessage(CLIENT_ID, (CommandRequest(1, 1, intent, -1, value),))


def document_of(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def test_a_document_of_the_greatest_size_is_taken() -> None:
    value = VariableDocumentValue(1, variables=document_of(DOCUMENT_BYTES_MAX))
    message = command(value, VariableDocumentIntent.UPDATE)
    assert codec.decode_client_message(codec.encode_client_message(message)) == message


def test_a_larger_document_is_refused_by_name() -> None:
    value = VariableDocumentValue(1, variables=document_of(DOCUMENT_BYTES_MAX + 1))
    frame = codec.encode_client_message(command(value, VariableDocumentIntent.UPDATE))
    with pytest.raises(LimitExceeded, match=r"^variables of 4194305 bytes; at most 4194304$"):
        codec.decode_client_message(frame)


def test_a_larger_file_is_refused_by_name() -> None:
    files = (ResourceFile("a.bpmn", b"<a/>"), ResourceFile("b.bpmn", bytes(DOCUMENT_BYTES_MAX + 1)))
    frame = codec.encode_client_message(command(DeploymentValue(files), DeploymentIntent.CREATE))
    with pytest.raises(LimitExceeded, match=r"b\.bpmn of 4194305 bytes"):
        codec.decode_client_message(frame)


def test_a_message_that_a_broker_would_not_take_is_not_written() -> None:
    files = tuple(ResourceFile(f"{i}", bytes([i]) * DOCUMENT_BYTES_MAX) for i in range(2))
    with pytest.raises(LimitExceeded, match=f"at most {MESSAGE_BYTES_MAX}"):
        codec.encode_client_message(command(DeploymentValue(files), DeploymentIntent.CREATE))


def reply_of(answer: Answer) -> ServerMessage:
    """A broker's message with an answer."""
    return ServerMessage((CommandReply(1, answer),))


@pytest.mark.parametrize(
    "value",
    [
        MessageBatchValue((1,) * (LIST_ITEMS_MAX + 1)),
        MessageBatchValue((2**63,)),
        MessageBatchValue((2**64,)),
    ],
    ids=["too many items", "too large for Int64", "too large for UInt64"],
)
def test_a_value_that_the_schema_cannot_hold_is_not_written(value: Value) -> None:
    with pytest.raises(LimitExceeded):
        codec.encode_server_message(reply_of(Answer(0x2300, 1, value)))


def test_half_a_surrogate_pair_is_not_written() -> None:
    with pytest.raises(LimitExceeded):
        codec.encode_server_message(reply_of(Answer(JobIntent.CREATED, 1, JobValue("\ud800"))))


def test_a_client_id_has_sixteen_bytes() -> None:
    frame = codec.encode_client_message(ClientMessage(b"short", (Heartbeat(1),)))
    with pytest.raises(MalformedFrame, match="client id of 5 bytes"):
        codec.decode_client_message(frame)


def test_many_requests_go_in_one_message() -> None:
    message = ClientMessage(CLIENT_ID, tuple(TopologyRequest(i) for i in range(5_000)))
    assert codec.decode_client_message(codec.encode_client_message(message)) == message
