"""The way to the other brokers."""

from __future__ import annotations

from typing import Protocol


class Network(Protocol):
    """Sends and forgets: a message may be lost, doubled, overtaken, or come seconds late.

    What arrives is handed to the partition by the shell that owns the sockets; a core never waits
    for it.
    """

    def send(self, peer: int, message: bytes) -> bool:
        """Queue `message` for the broker with node id `peer`; False when its queue is full or it is
        unknown.
        """
        ...
