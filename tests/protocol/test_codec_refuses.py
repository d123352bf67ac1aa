"""Hostile bytes: whatever comes in is decoded and valid, or refused with our own errors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grevy.protocol import codec
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.intents import (
    INTENTS,
    JobIntent,
    ProcessInstanceCreationIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.limits import ENTRY_BYTES_MAX, MESSAGE_BYTES_MAX
from grevy.protocol.messages import (
    ActivatedJob,
    ClientMessage,
    CommandReply,
    CommandRequest,
    ErrorCode,
    ErrorReply,
    JobPush,
    OpenJobSubscription,
    ServerMessage,
)
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.schemas import SCHEMAS
from grevy.protocol.values import JobValue, ProcessInstanceCreationValue

CLIENT_ID = bytes(range(16))
CREATION = ProcessInstanceCreationValue("order", variables=b'{"a":1}', fetch_variables=("a", "b"))
JOB = JobValue("pay", "worker", 3, variables=b'{"b":[1,2]}', changed_attributes=("retries",))
ENTRY = Entry(
    1,
    1_700_000_000_000,
    100,
    100,
    (
        Record(RecordType.COMMAND, ProcessInstanceCreationIntent.CREATE, -1, CREATION),
        Record(RecordType.EVENT, JobIntent.CREATED, 2, JOB),
        Record(
            RecordType.COMMAND_REJECTION,
            JobIntent.COMPLETE,
            3,
            JOB,
            RejectionType.NOT_FOUND,
            "no such job",
        ),
    ),
    (Reply(RequestId(CLIENT_ID, 1), Answer(JobIntent.CREATED, 2, JOB)),),
)
CLIENT_MESSAGE = ClientMessage(
    CLIENT_ID,
    (
        CommandRequest(1, 1, ProcessInstanceCreationIntent.CREATE, -1, CREATION),
        OpenJobSubscription(2, 1, "pay", "worker", 1_000, ("a",), 32),
        CommandRequest(3, 1, JobIntent.COMPLETE, 5, JOB),
    ),
)
SERVER_MESSAGE = ServerMessage(
    (
        CommandReply(1, Answer(ProcessInstanceCreationIntent.CREATED, 7, CREATION)),
        ErrorReply(2, ErrorCode.NOT_LEADER, "not the leader"),
        JobPush(
            3, (ActivatedJob(1, "pay", "w", 3, 9, 1, b"{}", b'{"a":1}', "t", 2, "p", 1, 3, 4),)
        ),
    )
)

Decode = Callable[[bytes], object]
FRAMES: dict[str, tuple[bytes, Decode, Callable[[Any], bytes]]] = {
    "entry": (codec.encode_entry(ENTRY), codec.decode_entry, codec.encode_entry),
    "client message": (
        codec.encode_client_message(CLIENT_MESSAGE),
        codec.decode_client_message,
        codec.encode_client_message,
    ),
    "server message": (
        codec.encode_server_message(SERVER_MESSAGE),
        codec.decode_server_message,
        codec.encode_server_message,
    ),
}


def is_taken_or_refused(frame: bytes, decode: Decode, encode: Callable[[Any], bytes]) -> bool:
    """Whether a frame is taken; what is taken is valid, so that it can be written again."""
    refusal = None
    try:
        struct = decode(frame)
    except (MalformedFrame, LimitExceeded) as error:
        refusal = str(error)
    if refusal is not None:
        assert "capnp" not in refusal, "Cap'n Proto's own texts name source files and addresses"
        return False
    assert decode(encode(struct)) == struct
    return True


@pytest.mark.parametrize("name", FRAMES)
def test_single_bit_flips(name: str) -> None:
    frame, decode, encode = FRAMES[name]
    taken = 0
    bits = len(frame) * 8
    for bit in range(0, bits, 3):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        taken += is_taken_or_refused(bytes(flipped), decode, encode)
    # Cap'n Proto has no checksum: some flips give other content, which is why frames carry one.
    assert 0 < taken < bits // 3


@pytest.mark.parametrize("name", FRAMES)
def test_mutated_frames(name: str, fuzz_count: int) -> None:
    frame, decode, encode = FRAMES[name]
    for seed in range(fuzz_count):
        mutated = mutate(frame, random.Random(seed))
        is_taken_or_refused(mutated, decode, encode)


def mutate(frame: bytes, rng: random.Random) -> bytes:
    """A frame with some words overwritten, copied, cut off or added; most keep whole words."""
    words = [frame[i : i + 8] for i in range(0, len(frame), 8)]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(words))
        match rng.randrange(6):
            case 0:
                words[at] = rng.randbytes(8)
            case 1:
                words[at] = words[rng.randrange(len(words))]
            case 2:
                words[at] = rng.choice([bytes(8), b"\xff" * 8, b"\x01" + bytes(7)])
            case 3:
                word = bytearray(words[at])
                word[rng.randrange(8)] = rng.randrange(256)
                words[at] = bytes(word)
            case 4:
                words.insert(at, rng.randbytes(8))
            case _:
                del words[at:]
                words.append(bytes(8))
    mutated = b"".join(words)
    return mutated[: -rng.randint(1, 7)] if rng.random() < 0.05 else mutated


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes(frame: bytes) -> None:
    for _, decode, encode in FRAMES.values():
        is_taken_or_refused(frame, decode, encode)


def test_cut_frames() -> None:
    for frame, decode, _ in FRAMES.values():
        for size in range(0, len(frame), 8):
            with pytest.raises(MalformedFrame):
                decode(frame[: size + 3])


def test_other_kinds_of_frames_are_refused_or_valid() -> None:
    for frame, _, _ in FRAMES.values():
        for _, decode, encode in FRAMES.values():
            is_taken_or_refused(frame, decode, encode)


@pytest.mark.parametrize(
    ("decode", "bytes_max"),
    [
        (codec.decode_entry, ENTRY_BYTES_MAX),
        (codec.entry_mask, ENTRY_BYTES_MAX),
        (codec.decode_client_message, MESSAGE_BYTES_MAX),
    ],
)
def test_frames_over_the_limit_are_not_looked_at(decode: Decode, bytes_max: int) -> None:
    with pytest.raises(LimitExceeded, match=f"at most {bytes_max}"):
        decode(bytes(bytes_max + 8))


def entry_builder(**columns: list[int]) -> Any:
    """An entry of one `JOB.CREATED`, with other columns; pycapnp has no types."""
    builder: Any = SCHEMAS["Entry"].new_message()
    values: Any = builder.init("values", 1)
    values[0].init("job")
    whole = {
        "recordTypes": [RecordType.EVENT.value],
        "intents": [JobIntent.CREATED.value],
        "keys": [1],
        "valueIndexes": [1],
    }
    for name, column in (whole | columns).items():
        setattr(builder, name, column)
    return builder


def test_the_hand_made_entry_is_good() -> None:
    assert codec.decode_entry(entry_builder().to_bytes()).records[0].value == JobValue()


@pytest.mark.parametrize(
    "columns",
    [
        {"recordTypes": [7]},
        {"intents": [0xFFFF]},
        {"intents": [0x1100]},  # a variable's, but the value is a job's
        {"keys": [1, 2]},
        {"valueIndexes": [0]},
        {"valueIndexes": [2]},
        {"valueIndexes": []},
    ],
    ids=str,
)
def test_entries_that_contradict_themselves_are_refused(columns: dict[str, list[int]]) -> None:
    with pytest.raises(MalformedFrame):
        codec.decode_entry(entry_builder(**columns).to_bytes())


def test_a_rejection_of_no_record_is_refused() -> None:
    builder = entry_builder()
    builder.init("rejections", 1)[0].record = 5
    with pytest.raises(MalformedFrame, match="rejection of no record"):
        codec.decode_entry(builder.to_bytes())


@pytest.mark.parametrize(
    ("field", "number"), [("jobKind", 200), ("customHeaders", 9), ("jobListenerEventType", 3)]
)
def test_numbers_that_mean_nothing_are_refused(field: str, number: int) -> None:
    builder = entry_builder()
    setattr(builder.values[0].job, field, number)
    with pytest.raises(MalformedFrame):
        codec.decode_entry(builder.to_bytes())


def test_text_that_is_not_utf8_is_refused() -> None:
    builder = entry_builder()
    builder.values[0].job.type = "marker"
    frame = builder.to_bytes().replace(b"marker", b"mar\xffer")
    with pytest.raises(MalformedFrame):
        codec.decode_entry(frame)


def test_a_list_of_nothing_does_not_make_millions_of_structs() -> None:
    builder: Any = SCHEMAS["ClientMessage"].new_message()
    builder.clientId = CLIENT_ID
    builder.init("requests", 1)
    frame = bytearray(builder.to_bytes())
    # A composite list's first word is its tag: element count << 2, then the size of an element,
    # set to none. Sixteen bytes then stand for as many requests as the traversal limit lets pass.
    at = frame.index((1 << 2).to_bytes(4, "little") + b"\x01\x00\x01\x00")
    frame[at : at + 8] = (100_000 << 2).to_bytes(4, "little") + bytes(4)
    frame += bytes(400_000)
    frame[4:8] = (len(frame) // 8 - 1).to_bytes(4, "little")
    with pytest.raises((LimitExceeded, MalformedFrame)):
        codec.decode_client_message(bytes(frame))


def test_a_command_of_another_value_type_is_refused() -> None:
    message = ClientMessage(CLIENT_ID, (CommandRequest(1, 1, JobIntent.COMPLETE, 1, CREATION),))
    with pytest.raises(MalformedFrame, match="value is not of its value type"):
        codec.decode_client_message(codec.encode_client_message(message))


def test_a_record_of_another_value_type_is_not_written() -> None:
    entry = Entry(1, 1, 1, 1, (Record(RecordType.EVENT, JobIntent.CREATED, 1, CREATION),))
    with pytest.raises(AssertionError):
        codec.encode_entry(entry)


def test_every_intent_number_is_taken_with_its_value() -> None:
    for number, intent in INTENTS.items():
        message = ServerMessage((CommandReply(1, Answer(number, 1)),))
        (reply,) = codec.decode_server_message(codec.encode_server_message(message)).items
        assert isinstance(reply, CommandReply)
        assert reply.answer.intent == intent
