"""Strategies for every struct of the protocol, made from their type hints."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import IntEnum
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from grevy.protocol.broker_messages import BrokerItem, BrokerMessage, GroupMessage, RemoteCommand
from grevy.protocol.entry_codec import REJECTION_CODEC, REPLY_CODEC
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.intents import INTENTS, Intent, RecordType, RejectionType
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.member_ids import NODE_ID_MAX, member_id
from grevy.protocol.message_codec import REQUEST_CODEC
from grevy.protocol.messages import ClientMessage, CommandRequest, Request, ServerMessage
from grevy.protocol.raft_messages import AppendRequest, GroupMembers, RaftMessage
from grevy.protocol.record import Answer, Entry, Record, Reply, RequestId
from grevy.protocol.values import VALUES, CommandDistributionValue, Value
from grevy.protocol.values_codec import VALUE_CODEC

Strategy = st.SearchStrategy[Any]

_INTEGERS = st.integers(-(2**63), 2**63 - 1)
_BYTES = st.sampled_from([b"{}", b"null", b""]) | st.binary(max_size=60)
_IDS = st.binary(min_size=16, max_size=16)
_INTENT_NUMBERS = st.sampled_from(list(INTENTS.values()))


def _of_hint(hint: Any) -> Strategy:
    """Whatever a field with this type hint may hold."""
    if type(None) in get_args(hint):
        return st.none() | _of_hint(get_args(hint)[0])
    if get_origin(hint) is tuple:
        return st.lists(_of_hint(get_args(hint)[0]), max_size=4).map(tuple)
    if args := get_args(hint):
        return st.one_of([_of_hint(arg) for arg in args])
    if issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    if issubclass(hint, Struct):
        return _SPECIAL.get(hint, structs)(hint)
    basic: dict[type, Strategy] = {
        int: _INTEGERS,
        str: st.text(max_size=30),
        bool: st.booleans(),
        bytes: _BYTES,
    }
    return basic[hint]


def structs(kind: type[Struct]) -> Strategy:
    """Structs of a kind, each field drawn on its own."""
    hints = get_type_hints(kind)
    fields = {name: _of_hint(hints[name]) for name in kind.__struct_fields__}
    if kind is CommandDistributionValue:
        fields["intent"] = _INTENT_NUMBERS
    return st.builds(kind, **fields)


@st.composite
def _values(draw: st.DrawFn, intent: Intent | None = None) -> Value:
    kinds = list(VALUES.values()) if intent is None else [VALUES[intent.value_type]]
    value: Value = draw(structs(draw(st.sampled_from(kinds))))
    return value


@st.composite
def _commands(draw: st.DrawFn, _: type) -> CommandRequest:
    intent = draw(_INTENT_NUMBERS)
    number, partition_id, key = draw(st.tuples(_INTEGERS, _INTEGERS, _INTEGERS))
    return CommandRequest(number, partition_id, intent, key, draw(_values(intent)))


@st.composite
def _records(draw: st.DrawFn, _: type) -> Record:
    intent = draw(_INTENT_NUMBERS)
    value = draw(_values(intent))
    kind = draw(st.sampled_from(RecordType))
    if kind is not RecordType.COMMAND_REJECTION:
        return Record(kind, intent, draw(_INTEGERS), value)
    rejection = draw(st.sampled_from(RejectionType))
    return Record(kind, intent, draw(_INTEGERS), value, rejection, draw(st.text(max_size=30)))


_SPECIAL: dict[type[Struct], Callable[[type], Strategy]] = {
    Value: lambda _: _values(),
    CommandRequest: _commands,
    Record: _records,
    RequestId: lambda _: st.builds(RequestId, client_id=_IDS, number=_INTEGERS),
    Answer: lambda kind: st.builds(
        kind,
        intent=_INTENT_NUMBERS,
        key=_INTEGERS,
        value=st.none() | _values(),
        rejection_type=st.none() | st.sampled_from(RejectionType),
        rejection_reason=st.text(max_size=30),
    ),
}

ENTRIES: Strategy = st.builds(
    Entry,
    partition_id=st.integers(1, 4095),
    timestamp=_INTEGERS,
    first_position=_INTEGERS,
    command_position=_INTEGERS,
    records=st.lists(_records(Record), max_size=5).map(tuple),
    replies=st.lists(_of_hint(Reply), max_size=2).map(tuple),
    key_counter=st.integers(0, 2**51),
    activations=st.integers(0, 10_000),
)
CLIENT_MESSAGES: Strategy = st.builds(
    ClientMessage, client_id=_IDS, requests=st.lists(_of_hint(Request), max_size=5).map(tuple)
)

_NUMBERS = st.integers(0, 2**64 - 1)


@st.composite
def _group_messages(draw: st.DrawFn, sender: int) -> GroupMessage:
    kind = draw(st.sampled_from(get_args(RaftMessage)))
    hints = get_type_hints(kind)
    strategies = {int: _NUMBERS, GroupMembers: structs(GroupMembers), bytes: st.binary()}
    drawn = {
        name: strategies.get(hints[name], st.booleans())
        for name in kind.__struct_fields__
        if name not in ("sender", "entries")
    }
    fields = {name: draw(strategy) for name, strategy in drawn.items()}
    if kind is AppendRequest:
        rows = draw(st.lists(st.tuples(_NUMBERS, st.binary(max_size=20)), max_size=8))
        first = fields["previous_index"] + 1
        fields["entries"] = tuple(JournalEntry(first + at, *row) for at, row in enumerate(rows))
    return GroupMessage(draw(_NUMBERS), kind(sender=sender, **fields))


@st.composite
def _remote_commands(draw: st.DrawFn) -> RemoteCommand:
    intent = draw(_INTENT_NUMBERS)
    partition_id, source, key = draw(st.tuples(_INTEGERS, _INTEGERS, _INTEGERS))
    return RemoteCommand(partition_id, source, intent, key, draw(_values(intent)))


@st.composite
def _broker_messages(draw: st.DrawFn) -> BrokerMessage:
    node_id = draw(st.integers(1, NODE_ID_MAX))
    sender = member_id(node_id, draw(st.integers(0, 2**40)))
    gossip = structs(Gossip).map(lambda item: replace(item, sender=sender))
    groups: list[BrokerItem] = draw(st.lists(_group_messages(node_id), max_size=5))
    others: list[BrokerItem] = draw(st.lists(_remote_commands() | gossip, max_size=2))
    cluster_id, sent_at_ms = draw(st.text(max_size=30)), draw(_INTEGERS)
    return BrokerMessage(cluster_id, sender, sent_at_ms, (*groups, *others))


@pytest.fixture(scope="session")
def broker_messages() -> Strategy:
    """Messages between brokers with items of any kind, words of Raft first."""
    return _broker_messages()


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    """What is like others before is like those of the same test only."""
    VALUE_CODEC.likes.forget()
    REQUEST_CODEC.likes.forget()
    REJECTION_CODEC.likes.forget()
    REPLY_CODEC.likes.forget()


@pytest.fixture(scope="session")
def entries() -> Strategy:
    """Entries with records of any kind."""
    return ENTRIES


@pytest.fixture(scope="session")
def client_messages() -> Strategy:
    """Client messages with requests of any kind."""
    return CLIENT_MESSAGES


@pytest.fixture(scope="session")
def server_messages() -> Strategy:
    """Server messages with items of any kind."""
    return structs(ServerMessage)


@pytest.fixture(scope="session")
def fuzz_count() -> int:
    """Mutated frames for each kind of frame; `GREVY_FUZZ` sets it for longer runs."""
    return int(os.environ.get("GREVY_FUZZ", "1500"))
