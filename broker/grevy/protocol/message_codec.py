"""The codec of messages between clients and brokers."""

from __future__ import annotations

from typing import Final, TypeVar, get_args

from msgspec import Struct

from grevy.protocol import wire
from grevy.protocol.errors import LimitExceeded, MalformedFrame
from grevy.protocol.frame import FrameCodec
from grevy.protocol.frame_writer import ROOT_AT, Course, Drafts, Fields, FrameWriter
from grevy.protocol.layout import Layout
from grevy.protocol.limits import (
    CODEC_WHOLE_ITEMS_MAX,
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
from grevy.protocol.schemas import SCHEMAS, Field, Reader
from grevy.protocol.shape import Content
from grevy.protocol.source import Source
from grevy.protocol.tables import TableReader, TableWriter
from grevy.protocol.values import DeploymentValue, Value
from grevy.protocol.values_codec import KIND_OF_INTENT, UnionCodec

__all__ = [
    "CLIENT_MESSAGES",
    "CLIENT_MESSAGE_WRITER",
    "REQUEST_CODEC",
    "SERVER_MESSAGE_WRITER",
    "decode_client_message",
    "decode_server_message",
    "encode_client_message",
    "encode_server_message",
]

Item = TypeVar("Item", bound=Struct)

_CLIENT_ID_BYTES: Final = 16


def _union(union: str, kinds: tuple[type[Item], ...]) -> UnionCodec[Item]:
    """The codec of a union whose members are named as their structs."""
    names = [kind.__name__.removesuffix("Request") for kind in kinds]
    members = {name[0].lower() + name[1:]: kind for name, kind in zip(names, kinds, strict=True)}
    return UnionCodec(union, members)


_CLIENT_SLOTS: Final = Layout(SCHEMAS["ClientMessage"]).slots
_CLIENT_ID: Final[Field] = SCHEMAS["ClientMessage"].schema.fields["clientId"]
_REQUESTS: Final[Field] = SCHEMAS["ClientMessage"].schema.fields["requests"]
_CLIENT_ID_AT: Final = ROOT_AT + _CLIENT_SLOTS["clientId"].word
_REQUESTS_AT: Final = ROOT_AT + _CLIENT_SLOTS["requests"].word
_ITEMS: Final[Field] = SCHEMAS["ServerMessage"].schema.fields["items"]
REQUEST_CODEC: Final[UnionCodec[Request]] = _union("Request", get_args(Request))
_ITEM_CODEC: Final[UnionCodec[ServerItem]] = _union("ServerItem", get_args(ServerItem))


class ClientMessageWriter(FrameWriter[ClientMessage]):
    """Writes clients' messages."""

    NUMBERS = ("clientId", "documents")

    def _split(
        self,
        content: ClientMessage,
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> Course | None:
        if not 0 < len(content.requests) <= CODEC_WHOLE_ITEMS_MAX:
            return None
        tag, block = wire.data(content.client_id)
        contents.append((len(numbers), block))
        numbers += (tag, 0)
        return None, REQUEST_CODEC.writer.split(content.requests, tables, numbers, contents)

    def _draft(self, content: ClientMessage, course: Course) -> Drafts:
        return {"requests": REQUEST_CODEC.writer.draft(course[1], content.requests)}

    def _fields(self, content: ClientMessage, tables: TableWriter) -> Fields:
        requests = REQUEST_CODEC.writer.write(content.requests, tables)
        return {"clientId": wire.data(content.client_id), "requests": requests}


def _read_client_message(reader: Reader, tables: TableReader) -> ClientMessage:
    client_id: bytes = reader._get_by_field(_CLIENT_ID)
    requests = REQUEST_CODEC.read_list(reader._get_by_field(_REQUESTS), tables)
    return _client_message(client_id, requests, tables)


def _scan_client_message(
    source: Source, root: tuple[int, ...], tables: TableReader
) -> ClientMessage:
    client_id = source.data(_CLIENT_ID_AT * wire.WORD, root[_CLIENT_ID_AT])
    at = _REQUESTS_AT
    requests = REQUEST_CODEC.likes.read(source, at * wire.WORD, root[at], tables)
    return _client_message(client_id, requests, tables)


def _client_message(
    client_id: bytes, requests: tuple[Request, ...], tables: TableReader
) -> ClientMessage:
    """The message, checked."""
    if len(client_id) != _CLIENT_ID_BYTES:
        raise MalformedFrame(f"a client id of {len(client_id)} bytes; they have {_CLIENT_ID_BYTES}")
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


class ServerMessageWriter(FrameWriter[ServerMessage]):
    """Writes brokers' messages."""

    NUMBERS = ("documents",)

    def _split(
        self,
        content: ServerMessage,
        tables: TableWriter,
        numbers: list[int],
        contents: list[Content],
    ) -> Course | None:
        if not 0 < len(content.items) <= CODEC_WHOLE_ITEMS_MAX:
            return None
        numbers.append(0)
        return None, _ITEM_CODEC.writer.split(content.items, tables, numbers, contents)

    def _draft(self, content: ServerMessage, course: Course) -> Drafts:
        return {"items": _ITEM_CODEC.writer.draft(course[1], content.items)}

    def _fields(self, content: ServerMessage, tables: TableWriter) -> Fields:
        return {"items": _ITEM_CODEC.writer.write(content.items, tables)}


def _read_server_message(reader: Reader, tables: TableReader) -> ServerMessage:
    return ServerMessage(_ITEM_CODEC.read_list(reader._get_by_field(_ITEMS), tables))


CLIENT_MESSAGE_WRITER: Final = ClientMessageWriter(SCHEMAS["ClientMessage"])
SERVER_MESSAGE_WRITER: Final = ServerMessageWriter(SCHEMAS["ServerMessage"])

CLIENT_MESSAGES: Final = FrameCodec(
    "a client's message",
    SCHEMAS["ClientMessage"],
    MESSAGE_BYTES_MAX,
    writer=CLIENT_MESSAGE_WRITER,
    read=_read_client_message,
    scan=_scan_client_message,
)
_SERVER_MESSAGES: Final = FrameCodec(
    "a broker's message",
    SCHEMAS["ServerMessage"],
    SERVER_MESSAGE_BYTES_MAX,
    writer=SERVER_MESSAGE_WRITER,
    read=_read_server_message,
)


def encode_client_message(message: ClientMessage) -> bytes:
    """A client's message as a frame; `LimitExceeded` when a broker would not take it."""
    return CLIENT_MESSAGES.encode(message)


def decode_client_message(frame: bytes) -> ClientMessage:
    """A client's message; raises `MalformedFrame` or `LimitExceeded`.

    That a document is JSON is not checked here.
    """
    return CLIENT_MESSAGES.decode(frame)


def encode_server_message(message: ServerMessage) -> bytes:
    """A broker's message as a frame; `LimitExceeded` when a client would not take it."""
    return _SERVER_MESSAGES.encode(message)


def decode_server_message(frame: bytes) -> ServerMessage:
    """A broker's message; raises `MalformedFrame` or `LimitExceeded`."""
    return _SERVER_MESSAGES.decode(frame)
