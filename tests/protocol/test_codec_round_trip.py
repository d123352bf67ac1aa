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


@settings(max_examples=100)
@given(data=st.data())
def test_answers_come_back(answers: st.SearchStrategy[Answer], data: st.DataObject) -> None:
    answer = data.draw(answers)
    assert codec.decode_answer(codec.encode_answer(answer)) == answer
