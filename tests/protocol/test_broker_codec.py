"""Messages between brokers: what is encoded comes back as it was, with and without pycapnp, and
whatever else comes in is refused as malformed.
"""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.protocol.golden_broker import BROKER_MESSAGE, MEMBERS, RAFT_MESSAGES, SENDER
from tests.protocol.test_codec_refuses import mutate

from grevy.protocol.broker_codec import (
    BROKER_MESSAGES,
    decode_broker_message,
    encode_broker_message,
)
from grevy.protocol.broker_messages import BrokerMessage, GroupMessage, RemoteCommand
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.intents import JobIntent
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.limits import BROKER_MESSAGE_BYTES_MAX, LIST_ITEMS_MAX
from grevy.protocol.member_ids import member_id
from grevy.protocol.raft_messages import AppendRequest, RaftMessage, TakeOver, VoteRequest
from grevy.protocol.schemas import SCHEMAS
from grevy.protocol.values import JobValue, MessageBatchValue

FRAME = encode_broker_message(BROKER_MESSAGE)
TRAILER = struct.Struct("<I4s")


def message_of(*items: RaftMessage) -> BrokerMessage:
    groups = tuple(GroupMessage(1, item) for item in items)
    return BrokerMessage("grevy", SENDER, 1_700_000_000_000, groups)


def sealed(body: bytes) -> bytes:
    """A body with its trailer, good whatever the body is."""
    return body + TRAILER.pack(crc32c(body), b"GBM1")


def is_taken_or_refused(frame: bytes) -> bool:
    """Whether a frame is read; then it is a message, which can be written."""
    try:
        message = decode_broker_message(frame)
    except (MalformedFrame, LimitExceeded):
        return False
    assert decode_broker_message(encode_broker_message(message)) == message
    assert BROKER_MESSAGES.decode_by_pycapnp(frame) == message
    return True


@settings(max_examples=100)
@given(data=st.data())
def test_messages_come_back(
    broker_messages: st.SearchStrategy[BrokerMessage], data: st.DataObject
) -> None:
    message = data.draw(broker_messages)
    frame = encode_broker_message(message)
    assert decode_broker_message(frame) == message
    assert BROKER_MESSAGES.decode_by_pycapnp(frame) == message
    assert BROKER_MESSAGES.scan(frame) in (None, message)


@pytest.mark.parametrize("message", RAFT_MESSAGES, ids=lambda item: type(item).__name__)
def test_words_of_raft_are_read_without_pycapnp(message: RaftMessage) -> None:
    frame = encode_broker_message(message_of(message, message))
    scanned = BROKER_MESSAGES.scan(frame)
    assert (scanned is None) == (type(message).__name__ == "SnapshotChunk")
    assert scanned in (None, message_of(message, message))


def test_words_of_raft_come_first() -> None:
    gossip, word = Gossip(SENDER, MEMBERS), GroupMessage(1, TakeOver(SENDER, 7))
    frame = encode_broker_message(BrokerMessage("grevy", SENDER, 1, (gossip, word)))
    assert decode_broker_message(frame).items == (word, gossip)


def test_equal_messages_have_equal_bytes() -> None:
    assert encode_broker_message(decode_broker_message(FRAME)) == FRAME


def test_every_single_bit_counts() -> None:
    for bit in range(0, len(FRAME) * 8, 3):
        flipped = bytearray(FRAME)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(MalformedFrame):
            decode_broker_message(bytes(flipped))


def test_frames_that_are_cut_or_grow() -> None:
    for size in range(len(FRAME)):
        with pytest.raises(MalformedFrame):
            decode_broker_message(FRAME[:size])
    with pytest.raises(MalformedFrame):
        decode_broker_message(FRAME + bytes(8))


def test_mutated_frames(fuzz_count: int) -> None:
    for seed in range(fuzz_count):
        mutated = mutate(FRAME, random.Random(seed))
        assert mutated == FRAME or not is_taken_or_refused(mutated)


def test_mutated_frames_with_good_checksums(fuzz_count: int) -> None:
    """What a broken broker might send: the checksum proves nothing about the words."""
    small = encode_broker_message(replace(BROKER_MESSAGE, items=BROKER_MESSAGE.items[4:8]))
    taken = 0
    for seed in range(fuzz_count):
        body = (FRAME if seed % 2 else small)[: -TRAILER.size]
        taken += is_taken_or_refused(sealed(mutate(body, random.Random(seed))))
    assert 0 < taken < fuzz_count


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_random_bytes(body: bytes) -> None:
    assert not is_taken_or_refused(body)
    is_taken_or_refused(sealed(body))


def test_a_body_of_no_whole_words_is_refused() -> None:
    with pytest.raises(MalformedFrame):
        decode_broker_message(sealed(FRAME[: -TRAILER.size] + b"1234"))


def test_bytes_behind_the_message_are_refused_or_ignored_alike() -> None:
    """Pointers past the message's end do not reach the trailer."""
    assert not BROKER_MESSAGES.scan(sealed(FRAME[: -TRAILER.size] + bytes(8)))


def test_another_form_is_refused() -> None:
    body = FRAME[: -TRAILER.size]
    with pytest.raises(MalformedFrame, match="not a message between brokers"):
        decode_broker_message(body + TRAILER.pack(crc32c(body), b"GBM2"))


def test_a_frame_over_the_limit_is_not_looked_at() -> None:
    with pytest.raises(LimitExceeded, match=f"at most {BROKER_MESSAGE_BYTES_MAX}"):
        decode_broker_message(bytes(BROKER_MESSAGE_BYTES_MAX + 8))


def test_a_message_that_another_broker_would_not_take_is_not_written() -> None:
    half = bytes(BROKER_MESSAGE_BYTES_MAX // 2)
    entries = (JournalEntry(1, 1, half), JournalEntry(2, 1, half))
    with pytest.raises(LimitExceeded, match=f"at most {BROKER_MESSAGE_BYTES_MAX}"):
        encode_broker_message(message_of(AppendRequest(SENDER, 1, 0, 0, 0, 1, entries)))


@pytest.mark.parametrize(
    "item",
    [
        GroupMessage(1, TakeOver(SENDER, 2**64)),
        RemoteCommand(1, 1, JobIntent.COMPLETE, 1, MessageBatchValue((2**64,))),
        Gossip(SENDER, (replace(MEMBERS[0], software="\ud800"),)),
    ],
    ids=["term", "value", "text"],
)
def test_what_the_schema_cannot_hold_is_not_written(item: Any) -> None:
    with pytest.raises(LimitExceeded, match="its schema cannot"):
        encode_broker_message(BrokerMessage("grevy", SENDER, 1, (item,)))


def test_a_list_beyond_the_limit_is_not_written() -> None:
    with pytest.raises(LimitExceeded, match=f"at most {LIST_ITEMS_MAX}"):
        encode_broker_message(message_of(*[TakeOver(SENDER, 1)] * (LIST_ITEMS_MAX + 1)))


def test_nobody_speaks_for_another() -> None:
    with pytest.raises(AssertionError, match="another's words"):
        encode_broker_message(message_of(TakeOver(SENDER + 1, 7)))
    frame = encode_broker_message(BrokerMessage("grevy", SENDER, 1, (Gossip(4, ()),)))
    with pytest.raises(MalformedFrame, match="gossip that another node has sent"):
        decode_broker_message(frame)


def test_a_host_speaks_for_its_broker() -> None:
    host = member_id(SENDER, 2)
    message = BrokerMessage("grevy", host, 1, (GroupMessage(1, TakeOver(SENDER, 7)),))
    frame = encode_broker_message(message)
    assert decode_broker_message(frame) == message
    assert BROKER_MESSAGES.decode_by_pycapnp(frame) == message
    with pytest.raises(AssertionError, match="another's words"):
        encode_broker_message(
            BrokerMessage("grevy", host, 1, (GroupMessage(1, TakeOver(host, 7)),))
        )


def test_entries_follow_their_predecessor() -> None:
    gap = (JournalEntry(8, 1, b""),)
    with pytest.raises(AssertionError):
        encode_broker_message(message_of(AppendRequest(SENDER, 1, 6, 1, 1, 1, gap)))


@pytest.mark.parametrize("sender", [0, -1, 2 << 16])
def test_a_message_of_no_node_is_refused(sender: int) -> None:
    with pytest.raises(MalformedFrame, match="their ids begin at 1"):
        decode_broker_message(encode_broker_message(BrokerMessage("grevy", sender, 1, ())))


def test_a_command_of_another_value_type_is_refused() -> None:
    command = RemoteCommand(1, 2, JobIntent.COMPLETE, 1, MessageBatchValue())
    frame = encode_broker_message(BrokerMessage("grevy", SENDER, 1, (command,)))
    with pytest.raises(MalformedFrame, match="value is not of its value type"):
        decode_broker_message(frame)


def test_a_command_comes_back_when_its_like_is_known() -> None:
    for key in range(6):
        command = RemoteCommand(1, 2, JobIntent.COMPLETE, key, JobValue("pay", variables=b"[1]"))
        message = BrokerMessage("grevy", SENDER, 1, (command,))
        assert decode_broker_message(encode_broker_message(message)) == message
    assert BROKER_MESSAGES.scan(encode_broker_message(message)) == message


@pytest.mark.parametrize("number", [-1, -(2**63), 2**64])
def test_numbers_of_raft_have_64_bits_and_no_sign(number: int) -> None:
    with pytest.raises(LimitExceeded, match="its schema cannot"):
        encode_broker_message(message_of(VoteRequest(SENDER, 1, number, 1)))


@pytest.mark.parametrize(
    ("terms", "sizes", "payloads"),
    [
        ([1], [], b""),
        ([], [1], b"x"),
        ([1], [2], b"x"),
        ([1, 1], [1, 1], b"xyz"),
        ([], [], b"x"),
    ],
    ids=str,
)
def test_columns_that_contradict_each_other_are_refused(
    terms: list[int], sizes: list[int], payloads: bytes
) -> None:
    builder: Any = SCHEMAS["BrokerMessage"].new_message()
    builder.sender = SENDER
    append = builder.init("groupMessages", 1)[0].init("appendRequest")
    append.terms, append.sizes, append.payloads = terms, sizes, payloads
    with pytest.raises(MalformedFrame):
        decode_broker_message(sealed(builder.to_bytes()))


def test_a_list_of_nothing_does_not_make_millions_of_structs() -> None:
    body = bytearray(encode_broker_message(message_of(TakeOver(SENDER, 7)))[: -TRAILER.size])
    # The head of the list of one body: count << 2, then the size of a body, set to none.
    at = body.index((1 << 2).to_bytes(4, "little") + b"\x09\x00\x03\x00")
    body[at : at + 8] = (100_000 << 2).to_bytes(4, "little") + bytes(4)
    body += bytes(400_000)
    body[4:8] = (len(body) // 8 - 1).to_bytes(4, "little")
    with pytest.raises((LimitExceeded, MalformedFrame)):
        decode_broker_message(sealed(bytes(body)))
