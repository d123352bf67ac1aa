"""The codec of messages between brokers.

    frame = Cap'n Proto message | u32 CRC-32C of it | u32 mark of this form

Most say one word of Raft and nothing else. There, all that comes before the word, but for length,
sender and time, is the same for one cluster: it is compared, and not made or read again.

Little-endian. All that reads raises `MalformedFrame` or `LimitExceeded` for bytes that no broker
would send, and nothing else; all that it gives is valid and copied.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

from crc32c import crc32c

from grevy.protocol import wire
from grevy.protocol.broker_messages import (
    BrokerMessage,
    ClusterAnswer,
    ClusterQuestion,
    GroupMessage,
    RemoteCommand,
)
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.forms import check_count
from grevy.protocol.frame import BAD_STRUCT, FrameReader
from grevy.protocol.frame_writer import ROOT_AT
from grevy.protocol.gossip_messages import Gossip
from grevy.protocol.group_codec import (
    HEAD_OF_ONE,
    LIST_OF_ONE,
    read_group_messages,
    scan_group_message,
    scan_group_messages,
    write_group_messages,
)
from grevy.protocol.layout import Layout
from grevy.protocol.limits import BROKER_MESSAGE_BYTES_MAX
from grevy.protocol.member_ids import node_of
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.source import UNUSUAL, Source
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values_codec import KIND_OF_INTENT, VALUE_CODEC, UnionCodec

__all__ = ["BROKER_MESSAGES", "decode_broker_message", "encode_broker_message"]

Item: TypeAlias = RemoteCommand | Gossip | ClusterQuestion | ClusterAnswer
"""What is no word of Raft."""

_TRAILER: Final = Struct("<II")
_MARK: Final = int.from_bytes(b"GBM1", "little")

_NAME: Final = "a message between brokers"
_SCHEMA: Final = SCHEMAS["BrokerMessage"]
_LAYOUT: Final = Layout(_SCHEMA)
_FIELDS: Final[dict[str, Field]] = _SCHEMA.schema.fields
_CLUSTER_ID, _SENDER, _SENT_AT, _GROUP_MESSAGES, _ITEMS = [
    _FIELDS[name] for name in ("clusterId", "sender", "sentAtMs", "groupMessages", "items")
]
_AT: Final = {name: ROOT_AT + slot.word for name, slot in _LAYOUT.slots.items()}
_ROOT: Final = ("sender", "sentAtMs", "clusterId", "groupMessages", "items", "values", "documents")
assert list(_ROOT) == sorted(_ROOT, key=lambda name: _LAYOUT.slots[name].at)
_PACK: Final = Struct("<IIQ2q5Q").pack
_HEAD: Final = Struct("<IIQ2q")
_POINTERS: Final = Struct("<5Q")
_SAME_AT: Final = _AT["clusterId"] * wire.WORD
assert [_AT[name] for name in _ROOT[:4]] == [ROOT_AT, ROOT_AT + 1, ROOT_AT + 2, ROOT_AT + 3]
assert _HEAD.size == _SAME_AT
_ITEM_CODEC: Final[UnionCodec[Item]] = UnionCodec(
    "BrokerItem",
    {
        "remoteCommand": RemoteCommand,
        "gossip": Gossip,
        "clusterQuestion": ClusterQuestion,
        "clusterAnswer": ClusterAnswer,
    },
)


def _write(content: BrokerMessage) -> list[bytes]:
    """A message, in parts, without its trailer. There is one way only, and no mold: most messages
    are numbers of Raft, and bytes that have been written before.
    """
    items = content.items
    if len(items) == 1 and type(items[0]) is GroupMessage:
        return _write_one(content, items[0])
    groups = [item for item in items if isinstance(item, GroupMessage)]
    node_id = node_of(content.sender)
    assert {item.message.sender for item in groups} <= {node_id}, "another's words"
    cluster_tag, cluster = _cluster(content.cluster_id)
    groups_tag, blocks = write_group_messages(groups)
    words = [
        cluster_tag and cluster_tag + wire.offset(_LISTS),
        groups_tag and groups_tag + wire.offset(_LISTS - 1 + len(cluster) // wire.WORD),
    ]
    parts = [cluster, *blocks]
    size = sum(map(len, parts))
    if len(groups) == len(items):
        words += _NO_OTHERS
    else:
        others = [item for item in items if not isinstance(item, GroupMessage)]
        for place, (tag, block) in enumerate(_write_others(others), 2):
            words.append(tag and tag + wire.offset(_LISTS - place + size // wire.WORD))
            parts.append(block)
            size += len(block)
    numbers = (content.sender, content.sent_at_ms)
    segment_words = 1 + _LAYOUT.words + size // wire.WORD
    return [_PACK(0, segment_words, _LAYOUT.tag, *numbers, *words), *parts]


def _write_one(content: BrokerMessage, item: GroupMessage) -> list[bytes]:
    """The same, for one word of Raft."""
    sender = content.sender
    assert item.message.sender == node_of(sender), "another's words"
    same = _before_one(content.cluster_id)
    _, blocks = write_group_messages((item,))
    words = (_HEAD.size + len(same) + sum(map(len, blocks)) >> 3) - 1
    return [_HEAD.pack(0, words, _LAYOUT.tag, sender, content.sent_at_ms), same, *blocks]


@lru_cache(maxsize=16)
def _before_one(cluster_id: str) -> bytes:
    """What a message of one word of Raft has between its time and the list with that word."""
    tag, cluster = wire.text(cluster_id)
    groups = LIST_OF_ONE + wire.offset(_LISTS - 1 + len(cluster) // wire.WORD)
    return _POINTERS.pack(tag and tag + wire.offset(_LISTS), groups, *_NO_OTHERS) + cluster


_LISTS: Final = 4
_NO_OTHERS: Final = (0, 0, 0)


def _write_others(others: list[Item]) -> tuple[wire.Pointer, wire.Pointer, wire.Pointer]:
    """What is no word of Raft, and the two tables."""
    tables = TableWriter()
    items = _ITEM_CODEC.writer.write(others, tables)
    values = VALUE_CODEC.writer.write(tables.values, tables)
    check_count(tables.documents)
    return items, values, wire.documents(tables.documents)


@lru_cache(maxsize=16)
def _cluster(cluster_id: str) -> wire.Pointer:
    return wire.text(cluster_id)


def _read(reader: Reader, tables: TableReader) -> BrokerMessage:
    get = reader._get_by_field
    sender: int = get(_SENDER)
    groups = read_group_messages(get(_GROUP_MESSAGES), node_of(sender))
    items = _ITEM_CODEC.read_list(get(_ITEMS), tables)
    return _message(get(_CLUSTER_ID), sender, get(_SENT_AT), (groups, items))


def _scan(source: Source, root: tuple[int, ...], tables: TableReader) -> BrokerMessage:
    sender, sent_at_ms = _signed(root[_AT["sender"]]), _signed(root[_AT["sentAtMs"]])
    at = _AT["clusterId"]
    cluster_id = source.text(at * wire.WORD, root[at]) if root[at] else ""
    at = _AT["groupMessages"]
    groups = scan_group_messages(source, at * wire.WORD, root[at], node_of(sender))
    at = _AT["items"]
    items = _ITEM_CODEC.likes.read(source, at * wire.WORD, root[at], tables)
    return _message(cluster_id, sender, sent_at_ms, (groups, items))


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _message(
    cluster_id: str,
    sender: int,
    sent_at_ms: int,
    items: tuple[tuple[GroupMessage, ...], tuple[Item, ...]],
) -> BrokerMessage:
    """The message, checked."""
    groups, others = items
    if sender < 1 or node_of(sender) < 1:
        raise MalformedFrame(f"a message of the node {sender}; their ids begin at 1")
    for item in others:
        if isinstance(item, Gossip):
            if item.sender != sender:
                raise MalformedFrame("gossip that another node has sent")
        elif (
            isinstance(item, RemoteCommand) and type(item.value) is not KIND_OF_INTENT[item.intent]
        ):
            raise MalformedFrame("a command whose value is not of its value type")
    return BrokerMessage(cluster_id, sender, sent_at_ms, groups + others)


BROKER_MESSAGES: Final = FrameReader(
    _NAME,
    _SCHEMA,
    BROKER_MESSAGE_BYTES_MAX,
    read=_read,
    scan=_scan,
    trailer=_TRAILER.size,
)
"""Frames whose checksum is good."""


def encode_broker_message(message: BrokerMessage) -> bytes:
    """A broker's message as a frame, words of Raft first, in their order, then the others;
    `LimitExceeded` when another broker would not take it.
    """
    try:
        parts = _write(message)
    except BAD_STRUCT:
        raise LimitExceeded(f"{_NAME} holds what its schema cannot") from None
    checksum = 0
    for part in parts:
        checksum = crc32c(part, checksum)
    frame = b"".join([*parts, _TRAILER.pack(checksum, _MARK)])
    BROKER_MESSAGES.check_size(frame)
    return frame


def decode_broker_message(frame: bytes) -> BrokerMessage:
    """A broker's message; raises `MalformedFrame` or `LimitExceeded`."""
    BROKER_MESSAGES.check_size(frame)
    size = len(frame) - _TRAILER.size
    if size < 0:
        raise MalformedFrame(f"bytes that are not {_NAME}")
    checksum, mark = _TRAILER.unpack_from(frame, size)
    if mark != _MARK:
        raise MalformedFrame(f"bytes that are not {_NAME}")
    if crc32c(memoryview(frame)[:size]) != checksum:
        raise MalformedFrame(f"{_NAME} whose checksum is wrong")
    try:
        message = _scan_one(frame, size)
    except UNUSUAL:
        message = None
    return message or BROKER_MESSAGES.decode(frame)


_SAME_BYTES_MAX: Final = 256
_OFFSET: Final = 0xFFFF_FFFC


def _scan_one(frame: bytes, size: int) -> BrokerMessage | None:
    """A message of one word of Raft; None for any other. Raises `UNUSUAL`, too."""
    zero, words, tag, sender, sent_at_ms = _HEAD.unpack_from(frame)
    (groups,) = _WORD.unpack_from(frame, _SAME_AT + wire.WORD)
    start = _SAME_AT + 2 * wire.WORD + ((groups & _OFFSET) << 1)
    if zero or tag != _LAYOUT.tag or words << 3 != size - 8 or start > _SAME_AT + _SAME_BYTES_MAX:
        return None
    cluster_id = _cluster_before_one(frame[_SAME_AT : start + wire.WORD])
    if cluster_id is None:
        return None
    node_id = node_of(sender)
    if sender < 1 or node_id < 1:
        return None
    source = Source(frame, size)
    source.left -= start // wire.WORD + 1
    item = scan_group_message(source, start + wire.WORD, node_id)
    return BrokerMessage(cluster_id, sender, sent_at_ms, (item,))


_WORD: Final = Struct("<Q")


@lru_cache(maxsize=16)
def _cluster_before_one(same: bytes) -> str | None:
    """Whose messages of one word have these bytes from their time to the word's own."""
    text = same[_POINTERS.size : -wire.WORD]
    cluster_id = text.rstrip(b"\0").decode()
    is_ours = same == _before_one(cluster_id) + _WORD.pack(HEAD_OF_ONE)
    return cluster_id if is_ours else None
