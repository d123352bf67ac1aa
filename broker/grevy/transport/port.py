"""A ROUTER that listens: its guard is there before it, and its visitors are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from grevy.protocol.errors import GrevyError
from grevy.transport.admission import Admission, Visitor
from grevy.transport.curve import Guard, PortSecurity
from grevy.transport.sockets import Context, Socket, SocketLimits, bind, is_loopback, router

V = TypeVar("V", bound=Visitor)


class InsecurePort(GrevyError):
    """A port that anybody could reach, unencrypted, though nobody said that this is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortOptions:
    """What a port is for, and who comes in. `domain` tells its keys from those of other ports;
    without `security`, anybody comes in, and it has to be on loopback or `is_insecure`.
    """

    domain: str
    limits: SocketLimits
    connections_max: int
    security: PortSecurity | None
    is_insecure: bool


class Port(Generic[V]):
    """A bound ROUTER in a context of its own; `welcome` and `on_gone` are those of `Admission`.

    Raises `OSError` when nothing can listen at the endpoint, and `InsecurePort`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        endpoint: str,
        options: PortOptions,
        welcome: Callable[[bytes, int], V],
        on_gone: Callable[[V], None],
    ) -> None:
        if options.security is None and not options.is_insecure and not is_loopback(endpoint):
            raise InsecurePort(
                f"{endpoint} is not loopback and would not be encrypted: "
                "keys are needed, or it has to be allowed as insecure"
            )
        self.when_keys_change: Callable[[], None] = lambda: None
        """Called when the allowed keys have changed, after the visitors were looked at."""
        self.context: Final = Context()
        self.guard: Final = None if options.security is None else self._post(loop, options)
        self.socket: Final[Socket] = router(self.context, options.limits)
        if self.guard is not None:
            self.guard.secure(self.socket)
        self.admission: Final = Admission(
            self.socket, options.connections_max, welcome, on_gone, self.guard
        )
        try:
            self.endpoint: Final = bind(self.socket, endpoint)
        except OSError:
            self.close()
            raise

    def _post(self, loop: asyncio.AbstractEventLoop, options: PortOptions) -> Guard:
        assert options.security is not None
        security = options.security
        return Guard(loop, self.context, options.domain, security, self._on_keys_changed)

    def _on_keys_changed(self) -> None:
        self.admission.review()
        self.when_keys_change()

    def close(self) -> None:
        """Be gone, with what is queued; all other sockets of the context are closed before."""
        self.admission.close()
        self.socket.close(linger=0)
        if self.guard is not None:
            self.guard.close()
        self.context.term()
