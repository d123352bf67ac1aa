"""Exported records have Zeebe's envelope and values; `test_golden` has an example of each."""

from __future__ import annotations

import json

import orjson
import pytest

from grevy.protocol.intents import (
    JobIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    VariableDocumentIntent,
    VariableIntent,
)
from grevy.protocol.json_form import record_dict, record_json
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    JobValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    VariableDocumentValue,
    VariableValue,
)

ENVELOPE = [
    "position",
    "sourceRecordPosition",
    "key",
    "timestamp",
    "partitionId",
    "recordType",
    "valueType",
    "intent",
    "rejectionType",
    "rejectionReason",
    "brokerVersion",
    "recordVersion",
    "authorizations",
    "operationReference",
    "batchOperationReference",
    "value",
]


def entry_of(*records: Record, command_position: int = 41) -> Entry:
    return Entry(2, 1_700_000_000_000, 41, command_position, records)


def test_the_envelope() -> None:
    event = Record(
        RecordType.EVENT, ProcessInstanceIntent.ELEMENT_ACTIVATED, 7, ProcessInstanceValue()
    )
    exported = record_dict(entry_of(event), 0)
    assert list(exported) == ENVELOPE
    del exported["value"]
    assert exported == {
        "position": 41,
        "sourceRecordPosition": -1,
        "key": 7,
        "timestamp": 1_700_000_000_000,
        "partitionId": 2,
        "recordType": "EVENT",
        "valueType": "PROCESS_INSTANCE",
        "intent": "ELEMENT_ACTIVATED",
        "rejectionType": "NULL_VAL",
        "rejectionReason": "",
        "brokerVersion": "8.8.0",
        "recordVersion": 1,
        "authorizations": {},
        "operationReference": -1,
        "batchOperationReference": -1,
    }


def test_a_rejection_says_why() -> None:
    rejection = Record(
        RecordType.COMMAND_REJECTION,
        JobIntent.COMPLETE,
        7,
        JobValue(),
        RejectionType.NOT_FOUND,
        "no such job",
    )
    exported = record_dict(entry_of(rejection), 0)
    assert exported["recordType"] == "COMMAND_REJECTION"
    assert exported["rejectionType"] == "NOT_FOUND"
    assert exported["rejectionReason"] == "no such job"


def test_what_followed_names_the_position_of_its_command() -> None:
    command = Record(RecordType.COMMAND, JobIntent.COMPLETE, 7, JobValue())
    event = Record(RecordType.EVENT, JobIntent.COMPLETED, 7, JobValue())
    entry = entry_of(command, event, command)
    exported = [record_dict(entry, i) for i in range(3)]
    assert [e["position"] for e in exported] == [41, 42, 43]
    assert [e["sourceRecordPosition"] for e in exported] == [-1, 41, 41]


def test_a_batch_that_goes_on_names_the_earlier_command() -> None:
    event = Record(RecordType.EVENT, JobIntent.COMPLETED, 7, JobValue())
    assert record_dict(entry_of(event, command_position=30), 0)["sourceRecordPosition"] == 30


def test_documents_keep_every_digit() -> None:
    document = b'{"n":1.10,"big":123456789012345678901234567890,"e":1e400}'
    event = Record(
        RecordType.EVENT,
        VariableDocumentIntent.UPDATED,
        7,
        VariableDocumentValue(1, variables=document),
    )
    assert b'"variables":' + document in record_json(entry_of(event), 0)


def test_a_variable_is_json_text_in_a_string() -> None:
    def value_of(text: bytes) -> object:
        event = Record(RecordType.EVENT, VariableIntent.CREATED, 7, VariableValue("v", text))
        value = record_dict(entry_of(event), 0)["value"]
        assert isinstance(value, dict)
        return value["value"]

    assert value_of(b"1.10") == "1.10"
    assert value_of('"ä"'.encode()) == '"ä"'
    assert value_of(b'{"x":[1]}') == '{"x":[1]}'


@pytest.mark.parametrize("document", [b'{"a":', b"", b"1", b"[]", b"\xff", b'{"a":1}}'])
def test_a_command_with_a_bad_document_is_exported_without_it(document: bytes) -> None:
    value = ProcessInstanceCreationValue("p", variables=document)
    command = Record(RecordType.COMMAND, ProcessInstanceCreationIntent.CREATE, -1, value)
    line = record_json(entry_of(command), 0)
    exported = json.loads(line)["value"]
    assert exported["bpmnProcessId"] == "p"
    assert exported["variables"] == {}


def test_a_command_with_a_good_document_keeps_it() -> None:
    value = ProcessInstanceCreationValue("p", variables=b'{"a":1.10}')
    command = Record(RecordType.COMMAND, ProcessInstanceCreationIntent.CREATE, -1, value)
    assert b'"variables":{"a":1.10}' in record_json(entry_of(command), 0)


def test_our_own_fields_are_not_exported() -> None:
    value = ProcessInstanceCreationValue("p", fetch_variables=("a",), start_instructions=("t",))
    creation = Record(RecordType.COMMAND, ProcessInstanceCreationIntent.CREATE, -1, value)
    job = Record(RecordType.EVENT, JobIntent.CREATED, 7, JobValue(activation=4))
    entry = entry_of(creation, job)
    exported = orjson.loads(record_json(entry, 0))["value"]
    assert exported["startInstructions"] == [{"elementId": "t"}]
    assert "fetchVariables" not in exported
    assert "activation" not in orjson.loads(record_json(entry, 1))["value"]


def test_the_dictionary_is_the_callers_own() -> None:
    entry = entry_of(Record(RecordType.EVENT, JobIntent.CREATED, 7, JobValue()))
    value = record_dict(entry, 0)["value"]
    assert isinstance(value, dict)
    value["result"]["denied"] = True
    again = record_dict(entry, 0)["value"]
    assert isinstance(again, dict)
    assert again["result"]["denied"] is False
