"""Who may come in: keys, the list of those who are allowed, and the handler that libzmq asks.

    Guard ── bound first ──▶ inproc zap ◀── each handshake ── libzmq
      └── secures ──▶ a socket: CURVE, domain, ZAP_ENFORCE_DOMAIN ──▶ bound

libzmq lets strangers in when no handler runs or when it has died, but for `ZAP_ENFORCE_DOMAIN`;
only a `Guard`, which is the handler, makes a server of a socket, and it always sets both. It lives
in the loop's own thread, so that there is none that could die unnoticed; a loop that hangs lets
nobody in.

A list is looked at again a few times a second. Connections that stand are the business of
`Admission`, which asks the list too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from grevy.protocol.curve_keys import KeyFileError, KeyPair, load_allowed_keys
from grevy.transport.sockets import NOBLOCK, Context, Socket, Watch, is_readable

_log = logging.getLogger(__name__)

_ZAP: Final = "inproc://zeromq.zap.01"
_LOOK_AGAIN_S: Final = 0.25
"""Between looks at a list: a key that was taken out has no effect after a second at the latest."""

_LOG_PAUSE_S: Final = 1.0
"""Strangers who are refused are logged once in so long, with their number."""


def new_key_pair() -> KeyPair:
    """A new identity."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


class AllowList:
    """Public keys (Z85) that may come in, and whose they are; from a file, or fixed."""

    def __init__(self, names: Mapping[str, str], path: Path | None = None) -> None:
        self._names = dict(names)
        self._path: Final = path
        self._signature = None if path is None else _signature(path)

    @classmethod
    def load(cls, path: Path) -> AllowList:
        """The list in a file, which may be changed later; raises `KeyFileError`."""
        allowed = cls({}, path)
        allowed._names = dict(load_allowed_keys(path))
        return allowed

    def name_of(self, key: str) -> str | None:
        """Whose key this is; None for a stranger's."""
        return self._names.get(key)

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The keys of a name."""
        return tuple([key for key, owner in self._names.items() if owner == name])

    def keys(self) -> tuple[str, ...]:
        """All keys."""
        return tuple(self._names)

    def refresh(self) -> bool:
        """Look at the file again; whether it says something else than before.

        One that cannot be read any more changes nothing: an editor's half-written file must not cut
        a cluster into pieces. It is logged, once.
        """
        if self._path is None:
            return False
        signature = _signature(self._path)
        if signature == self._signature:
            return False
        self._signature = signature
        try:
            names = dict(load_allowed_keys(self._path))
        except KeyFileError as error:
            _log.error("the list of allowed keys stays as it was: %s", error)
            return False
        changed, self._names = names != self._names, names
        return changed


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class PortSecurity:
    """What a port that is encrypted needs: its own identity, and who may come in."""

    keys: KeyPair
    allowed: AllowList = field(repr=False)


@dataclass(slots=True)
class GuardStatistics:
    """What a guard did since it began."""

    admitted: int = 0
    denied: int = 0


class Guard:
    """The ZAP handler of a context and of its one domain. Make it before any socket.

    `on_changed` is called when the list has changed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        domain: str,
        security: PortSecurity,
        on_changed: Callable[[], None],
    ) -> None:
        self._loop: Final = loop
        self._domain: Final = domain
        self._keys: Final = security.keys
        self.allowed: Final = security.allowed
        self._on_changed: Final = on_changed
        self.statistics: Final = GuardStatistics()
        self._unlogged = 0
        self._log_at_s = 0.0
        self._socket: Socket = context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(_ZAP)
        self._watch: Final = Watch(loop, self._socket, self._drain)
        self._watch.start()
        self._handle: asyncio.Handle = loop.call_later(_LOOK_AGAIN_S, self._look_again)

    @property
    def is_running(self) -> bool:
        """Whether strangers are asked who they are; if not, nobody new gets in."""
        return not self._socket.closed

    def secure(self, socket: Socket) -> None:
        """Make a CURVE server of a socket that is not bound yet."""
        keys = self._keys
        socket.curve_server = True
        socket.curve_publickey = keys.public.encode()
        socket.curve_secretkey = keys.secret.encode()
        socket.setsockopt_string(zmq.ZAP_DOMAIN, self._domain)
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def close(self) -> None:
        """Let nobody in any more."""
        self._handle.cancel()
        self._watch.stop()
        self._socket.close(linger=0)

    def _look_again(self) -> None:
        self._handle = self._loop.call_later(_LOOK_AGAIN_S, self._look_again)
        if self.allowed.refresh():
            _log.info("%s: the list of allowed keys has changed", self._domain)
            self._on_changed()

    def _drain(self) -> bool:
        while is_readable(self._socket):
            request = self._socket.recv_multipart(NOBLOCK)
            self._socket.send_multipart(self._answer(request))
        return False

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """ZAP 1.0: version, request id, domain, address, routing id, mechanism, credentials."""
        version, number, domain, address, _, mechanism, *credentials = request
        key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" else ""
        if domain.decode() == self._domain and self.allowed.name_of(key) is not None:
            self.statistics.admitted += 1
            return [version, number, b"200", b"OK", key.encode(), b""]
        self.statistics.denied += 1
        self._log_denial(address.decode(errors="replace"), key)
        return [version, number, b"400", b"not allowed", b"", b""]

    def _log_denial(self, address: str, key: str) -> None:
        """Everybody is counted; but who floods the port does not flood the log."""
        self._unlogged += 1
        now_s = self._loop.time()
        if now_s >= self._log_at_s:
            self._log_at_s = now_s + _LOG_PAUSE_S
            text = "%s: refused %s, whose public key %s is not allowed (%d since the last line)"
            _log.warning(text, self._domain, address, key or "(none)", self._unlogged)
            self._unlogged = 0


def key_of(frame: zmq.Frame) -> str:
    """The public key (Z85) of the connection that a frame came through; empty without CURVE."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:
        return ""
