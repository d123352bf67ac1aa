"""Puts new keys into an etcd of three members.

Speaks gRPC itself, as little of HTTP/2 as one kind of call needs: its headers are the same each
time, all calls are streams of one connection, and of an answer only its kind is looked at. Python's
gRPC library takes several times as long for a call as etcd does.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import Final

from bench.replication_peers.load import NotReady, run_load
from bench.replication_peers.wire import Wire, split_address

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
WINDOW_UPDATE: Final = 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
HEADER: Final = struct.Struct(">BHBBI")
WINDOW_MAX: Final = 2**31 - 1
"""So that neither side ever waits for room: answers of a run are far less than this, and 100 calls
are less than the 64 KiB that the server has room for."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    return HEADER.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def header(name: str, value: str) -> bytes:
    """A header, never indexed, so that the call's headers are the same bytes each time."""
    assert len(name) < 127
    assert len(value) < 127
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def field(number: int, value: bytes) -> bytes:
    """A field of bytes in a protobuf message."""
    length = len(value)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + size + value


PUT: Final = b"".join(
    header(name, value)
    for name, value in {
        ":method": "POST", ":scheme": "http", ":path": "/etcdserverpb.KV/Put",
        ":authority": "localhost", "te": "trailers", "content-type": "application/grpc",
    }.items()
)  # fmt: skip


class EtcdConnection(Wire):
    """Calls of `Put`, each with a key of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._stream = -1
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Introduces itself: no pushes, all the room there can be."""
        super().connection_made(transport)
        settings = struct.pack(">HIHI", 2, 0, 4, WINDOW_MAX)
        grown = struct.pack(">I", WINDOW_MAX - 65_535)
        self.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
        self.write(frame(WINDOW_UPDATE, 0, 0, grown))

    def append(self, payload: bytes) -> asyncio.Future[None]:
        """Done when a put of the payload has been answered."""
        self._stream = stream = self._stream + 2
        message = field(1, b"%016d" % stream) + field(2, payload)
        call = b"\0" + len(message).to_bytes(4, "big") + message
        self.write(frame(HEADERS, END_HEADERS, stream, PUT) + frame(DATA, END_STREAM, stream, call))
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[stream] = waiter
        return waiter

    def data_received(self, data: bytes) -> None:
        """Frames."""
        data = self._rest + data
        begin, size = 0, HEADER.size
        while len(data) - begin >= size:
            high, low, kind, flags, stream = HEADER.unpack_from(data, begin)
            end = begin + size + (high << 16 | low)
            if end > len(data):
                break
            self._on_frame(kind, flags, stream, data[begin + size : end])
            begin = end
        self._rest = data[begin:]

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            waiter = self._waiters.pop(stream)
            if not waiter.done():  # its client has given up
                waiter.set_result(None)
        elif kind == HEADERS and flags & END_STREAM:
            # The end of an answer; one without a message is an error.
            if stream in self._waiters:
                raise SystemExit(f"a call has failed: {payload!r}")
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind in (RST_STREAM, GOAWAY):
            raise SystemExit(f"the connection has failed: {payload!r}")


async def ask_status(address: str) -> tuple[str, str]:
    """The ids of a member and of its leader, by etcd's JSON gateway."""
    reader, writer = await asyncio.open_connection(*split_address(address))
    writer.write(
        b"POST /v3/maintenance/status HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise NotReady(head.decode())
    status = json.loads(body)
    return status["header"]["member_id"], status.get("leader", "0")


async def connect(addresses: tuple[str, ...]) -> EtcdConnection:
    """A connection to the leader."""
    for address in addresses:
        member, leader = await ask_status(address)
        if member == leader:
            host, port = split_address(address)
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(EtcdConnection, host, port)
            return connection
    raise NotReady("no member leads")


if __name__ == "__main__":
    run_load(connect)
