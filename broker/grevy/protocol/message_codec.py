"""The codec of messages between clients and brokers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, TypeVar, get_args

from msgspec import Struct

from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.frame import FrameCodec
from grevy.protocol.limits import (
    DOCUMENT_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    RESOURCE_BYTES_MAX,
    SERVER_MESSAGE_BYTES_MAX,
)
from grevy.protocol.messages import (
    ClientMessage,
    CommandRequest,
    Request,
    ServerItem,
    ServerMessage,
)
from grevy.protocol.schemas import SCHEMAS, Builder, Field, Reader
from grevy.protocol.struct_codec import StructCodec, check_count
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values import DeploymentValue, Value
from grevy.protocol.values_codec import KIND_OF_INTENT

__all__ = [
    "decode_client_message",
    "decode_server_message",
    "encode_client_message",
    "encode_server_message",
]

Item = TypeVar("Item", bound=Struct)

_CLIENT_ID_BYTES: Final = 16


class _UnionCodec(Generic[Item]):
    """The codec of a list whose items are a union: a member for each kind of struct."""

    __slots__ = ("_by_kind", "_by_name", "_items")

    def __init__(self, kinds: tuple[type[Item], ...], union: str, items: Field) -> None:
        self._items: Final = items
        fields: dict[str, Field] = SCHEMAS[union].schema.fields
        self._by_name: Final[dict[str, tuple[Field, StructCodec[Item]]]] = {}
        self._by_kind: Final[dict[type[Item], tuple[Field, StructCodec[Item]]]] = {}
        for kind in kinds:
            name = kind.__name__.removesuffix("Request")
            name = name[0].lower() + name[1:]
            self._by_name[name] = self._by_kind[kind] = (fields[name], StructCodec(kind))
        assert set(self._by_name) == set(fields), set(self._by_name) ^ set(fields)

    def write(self, builder: Builder, items: Sequence[Item], tables: TableWriter) -> None:
        """Write the items into their list."""
        check_count(items)
        slots = builder._init_by_field(self._items, len(items))
        for place, item in enumerate(items):
            field, codec = self._by_kind[type(item)]
            codec.write(slots[place]._init_by_field(field), item, tables)

    def read(self, reader: Reader, tables: TableReader) -> tuple[Item, ...]:
        """The items of the list."""
        slots: Sequence[Reader] = reader._get_by_field(self._items)
        check_count(slots)
        items = []
        for slot in slots:
            field, codec = self._by_name[slot._which_str()]
            items.append(codec.read(slot._get_by_field(field), tables))
        return tuple(items)


_CLIENT_ID: Final[Field] = SCHEMAS["ClientMessage"].schema.fields["clientId"]
_REQUESTS: Final[_UnionCodec[Request]] = _UnionCodec(
    get_args(Request), "Request", SCHEMAS["ClientMessage"].schema.fields["requests"]
)
_ITEMS: Final[_UnionCodec[ServerItem]] = _UnionCodec(
    get_args(ServerItem), "ServerItem", SCHEMAS["ServerMessage"].schema.fields["items"]
)


def _write_client_message(builder: Builder, message: ClientMessage, tables: TableWriter) -> None:
    builder._set_by_field(_CLIENT_ID, message.client_id)
    _REQUESTS.write(builder, message.requests, tables)


def _read_client_message(reader: Reader, tables: TableReader) -> ClientMessage:
    client_id: bytes = reader._get_by_field(_CLIENT_ID)
    if len(client_id) != _CLIENT_ID_BYTES:
        raise MalformedFrame(f"a client id of {len(client_id)} bytes; they have {_CLIENT_ID_BYTES}")
    requests = _REQUESTS.read(reader, tables)
    for request in requests:
        if not isinstance(request, CommandRequest):
            continue
        if type(request.value) is not KIND_OF_INTENT[request.intent]:
            raise MalformedFrame("a command whose value is not of its value type")
    if max(map(len, tables.documents), default=0) > _SMALLEST_LIMIT:
        for value in tables.values:
            _check_documents(value)
    return ClientMessage(client_id, requests)


_SMALLEST_LIMIT: Final = min(DOCUMENT_BYTES_MAX, RESOURCE_BYTES_MAX)


def _check_documents(value: Value) -> None:
    """Refuse a command's document or file that is larger than what may enter the log."""
    if isinstance(value, DeploymentValue):
        for file in value.resources:
            _check_size(f"resource {file.resource_name}", file.resource, RESOURCE_BYTES_MAX)
        return
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if isinstance(item, bytes):
            _check_size(name, item, DOCUMENT_BYTES_MAX)


def _check_size(name: str, document: bytes, bytes_max: int) -> None:
    if len(document) > bytes_max:
        raise LimitExceeded(f"{name} of {len(document)} bytes; at most {bytes_max}")


def _write_server_message(builder: Builder, message: ServerMessage, tables: TableWriter) -> None:
    _ITEMS.write(builder, message.items, tables)


def _read_server_message(reader: Reader, tables: TableReader) -> ServerMessage:
    return ServerMessage(_ITEMS.read(reader, tables))


_CLIENT_MESSAGES: Final = FrameCodec(
    "a client's message",
    SCHEMAS["ClientMessage"],
    MESSAGE_BYTES_MAX,
    write=_write_client_message,
    read=_read_client_message,
)
_SERVER_MESSAGES: Final = FrameCodec(
    "a broker's message",
    SCHEMAS["ServerMessage"],
    SERVER_MESSAGE_BYTES_MAX,
    write=_write_server_message,
    read=_read_server_message,
)


def encode_client_message(message: ClientMessage) -> bytes:
    """A client's message as a frame; `LimitExceeded` when a broker would not take it."""
    return _CLIENT_MESSAGES.encode(message)


def decode_client_message(frame: bytes) -> ClientMessage:
    """A client's message; raises `MalformedFrame` or `LimitExceeded`.

    That a document is JSON is not checked here.
    """
    return _CLIENT_MESSAGES.decode(frame)


def encode_server_message(message: ServerMessage) -> bytes:
    """A broker's message as a frame; `LimitExceeded` when a client would not take it."""
    return _SERVER_MESSAGES.encode(message)


def decode_server_message(frame: bytes) -> ServerMessage:
    """A broker's message; raises `MalformedFrame` or `LimitExceeded`."""
    return _SERVER_MESSAGES.decode(frame)
