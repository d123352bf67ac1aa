"""A connection whose writes of one turn of the loop go out together."""

from __future__ import annotations

import asyncio
from typing import cast


class Wire(asyncio.Protocol):
    """Joins what is written in one turn; `data_received` is the protocol's own."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._outgoing: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the process: a load without its peer measures nothing."""
        if self._transport is not None and not self._transport.is_closing():
            raise SystemExit(f"the peer has closed the connection: {exc}")

    def write(self, data: bytes) -> None:
        """Sends at the end of this turn."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(data)

    def close(self) -> None:
        """Closes the connection."""
        assert self._transport is not None
        self._transport.close()

    def _flush(self) -> None:
        assert self._transport is not None
        self._transport.writelines(self._outgoing)
        self._outgoing.clear()


def split_address(address: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = address.rpartition(":")
    return host, int(port)
