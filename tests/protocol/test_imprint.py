"""Lists that are like others before are read without pycapnp, and as pycapnp reads them."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from grevy.protocol import codec, list_reader, wire
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.frame_writer import ROOT_AT
from grevy.protocol.intents import JobIntent, MessageIntent, ProcessInstanceCreationIntent
from grevy.protocol.layout import Layout
from grevy.protocol.message_codec import CLIENT_MESSAGES
from grevy.protocol.messages import (
    AcknowledgeRecords,
    AddCredit,
    ClientMessage,
    CommandRequest,
    Heartbeat,
    Request,
)
from grevy.protocol.schemas import SCHEMAS
from grevy.protocol.values import JobValue, MessageValue, ProcessInstanceCreationValue

CLIENT_ID = bytes(range(16))


def creation(number: int, process: str = "order") -> CommandRequest:
    value = ProcessInstanceCreationValue(process, variables=b'{"n":%d}' % number)
    return CommandRequest(number, 1, ProcessInstanceCreationIntent.CREATE, -1, value)


def completion(number: int) -> CommandRequest:
    value = JobValue(activation=number, error_message="e" * (number % 3), deadline=number)
    return CommandRequest(number, 1, JobIntent.COMPLETE, number, value)


def publication(number: int) -> CommandRequest:
    value = MessageValue("paid", f"key-{number}", "", number, variables=b'{"n":%d}' % number)
    return CommandRequest(number, 1, MessageIntent.PUBLISH, -1, value)


def mixed(number: int) -> tuple[Request, ...]:
    return (
        Heartbeat(number),
        creation(number),
        AcknowledgeRecords(2, number, b"m" * (number % 5)),
        completion(number),
        publication(number),
        AddCredit(3, number),
    )


def message(*requests: Request) -> ClientMessage:
    return ClientMessage(CLIENT_ID, requests)


MESSAGES: dict[str, Callable[[int], ClientMessage]] = {
    "a creation": lambda number: message(creation(number)),
    "a completion": lambda number: message(completion(number)),
    "a publication": lambda number: message(publication(number)),
    "all kinds": lambda number: message(*mixed(number)),
    "many": lambda number: message(*[creation(number + i) for i in range(30)]),
}


def is_known(frame: bytes) -> bool:
    """Whether a frame is read without pycapnp."""
    return CLIENT_MESSAGES.scan(frame) is not None


def outcome(frame: bytes) -> tuple[bool, object]:
    """What pycapnp makes of a frame, and our own errors of it."""
    try:
        return True, CLIENT_MESSAGES.decode_by_pycapnp(frame)
    except (MalformedFrame, LimitExceeded) as error:
        return False, str(error)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_came_some_times_is_known(name: str) -> None:
    make = MESSAGES[name]
    for number in range(10, 20):
        codec.decode_client_message(codec.encode_client_message(make(number)))
    for number in range(20, 40):
        frame = codec.encode_client_message(make(number))
        assert is_known(frame)
        assert codec.decode_client_message(frame) == make(number)


def creations(count: int, process: str) -> ClientMessage:
    """So many of a process."""
    return message(*[creation(number, process) for number in range(count)])


@pytest.mark.parametrize("count", [1, 6])
def test_other_names_are_told_apart(count: int) -> None:
    contents = [creations(count, f"order-{i}") for i in range(10, 60)]
    for _ in range(5):
        for content in contents:  # the same heads
            assert codec.decode_client_message(codec.encode_client_message(content)) == content
    assert all(is_known(codec.encode_client_message(content)) for content in contents)


def test_names_beyond_those_that_are_known_are_learned_in_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(list_reader, "CODEC_IMPRINTS_CACHED", 3)
    for _ in range(5):
        for i in range(3):
            codec.decode_client_message(codec.encode_client_message(creations(7, f"old-{i}")))
    new = creations(7, "new")
    frame = codec.encode_client_message(new)
    decoded = 0
    while not is_known(frame):
        assert codec.decode_client_message(frame) == new
        decoded += 1
        assert decoded < 100
    assert decoded > 16


def test_a_list_that_is_like_another_but_for_longer_texts_at_its_end_is_left_to_pycapnp() -> None:
    """How long the names at the end are is not always seen before them."""
    for _ in range(5):
        for scopes in (("a", "b"), ("long" * 9, "b")):
            value = ProcessInstanceCreationValue("order", start_instructions=scopes)
            intent = ProcessInstanceCreationIntent.CREATE
            content = message(CommandRequest(1, 1, intent, -1, value))
            assert codec.decode_client_message(codec.encode_client_message(content)) == content


@settings(max_examples=200)
@given(data=st.data())
def test_any_message_is_read_alike_again_and_again(
    client_messages: st.SearchStrategy[ClientMessage], data: st.DataObject
) -> None:
    content = data.draw(client_messages)
    frame = codec.encode_client_message(content)
    for _ in range(8):  # pycapnp reads the values of three, and the requests of three more
        assert codec.decode_client_message(frame) == content


@pytest.mark.parametrize("name", MESSAGES)
def test_broken_frames_are_read_as_pycapnp_reads_them(name: str, fuzz_count: int) -> None:
    for _ in range(10):
        frame = codec.encode_client_message(MESSAGES[name](7))
        codec.decode_client_message(frame)
    taken = 0
    for seed in range(fuzz_count):
        broken = broken_frame(frame, random.Random(seed))
        content = CLIENT_MESSAGES.scan(broken)
        if content is not None:
            taken += 1
            assert outcome(broken) == (True, content)
    assert taken > fuzz_count // 100


def broken_frame(frame: bytes, rng: random.Random) -> bytes:
    """A frame with a few bits or words that are others."""
    broken = bytearray(frame)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(broken) // 8) * 8
        match rng.randrange(4):
            case 0:
                broken[at + rng.randrange(8)] ^= 1 << rng.randrange(8)
            case 1:
                broken[at : at + 8] = rng.randbytes(8)
            case 2:
                other = rng.randrange(len(broken) // 8) * 8
                broken[at : at + 8] = broken[other : other + 8]
            case _:
                broken[at : at + 8] = bytes(8)
    return bytes(broken)


def test_heads_that_a_refused_frame_has_cut_short_are_never_known() -> None:
    frame = codec.encode_client_message(creations(8, "refused"))
    size, root = struct.unpack_from("<4xIQ", frame)
    # Only pycapnp reads it: its root lies a word further on.
    moved = struct.pack("<IIQQ", 0, size + 1, root + wire.offset(1), 0) + frame[16:]
    values = ROOT_AT + Layout(SCHEMAS["ClientMessage"]).slots["values"].word
    cut = bytearray(frame)
    cut[values * wire.WORD + 4 : (values + 1) * wire.WORD] = struct.pack("<I", 7)  # of no words
    for _ in range(5):
        for _ in range(2):
            with pytest.raises(MalformedFrame):
                codec.decode_client_message(bytes(cut))
        assert codec.decode_client_message(moved) == codec.decode_client_message(frame)
    assert is_known(frame)
    assert not is_known(bytes(cut))


def test_documents_that_overlap_are_left_to_pycapnp() -> None:
    """Else a short frame might stand for as many bytes as its words can point at."""
    long = b'{"n":"%s"}' % (b"n" * 400)
    requests = [creation(number) for number in range(10, 14)]
    requests[3] = replace(requests[3], value=replace(requests[3].value, variables=long))
    frame = codec.encode_client_message(message(*requests))
    for _ in range(10):
        codec.decode_client_message(frame)
    assert is_known(frame)
    at = frame.index(b'{"n":10}') - 4 * 8  # the pointers to the documents
    (last,) = struct.unpack_from("<Q", frame, at + 3 * 8)
    overlapping = bytearray(frame)
    struct.pack_into("<3Q", overlapping, at, *[last + wire.offset(n) for n in (3, 2, 1)])
    assert not is_known(bytes(overlapping))
    content = codec.decode_client_message(bytes(overlapping))
    assert {r.value.variables for r in content.requests} == {long}  # type: ignore[union-attr]
