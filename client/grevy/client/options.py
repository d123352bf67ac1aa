"""How patient a client is, and how it writes endpoints, spans of time and variables."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from grevy.client.errors import TooLarge
from grevy.protocol.curve_keys import KeyPair, is_key, load_allowed_keys, load_key_pair
from grevy.protocol.limits import DOCUMENT_BYTES_MAX, REQUESTS_REMEMBERED
from grevy.protocol.values import EMPTY_DOCUMENT, Document

DEFAULT_PORT: Final = 26600
_PORT_MAX: Final = 65_535
_CONTACT_POINT: Final = re.compile(
    r"(tcp://)?(?P<host>[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\])(:(?P<port>\d{1,5}))?"
)

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
"""What JSON text decodes to."""

Variables: TypeAlias = Mapping[str, object] | bytes
"""Variables to send: a mapping that is written as JSON, or the JSON text of an object."""

Duration: TypeAlias = float | timedelta
"""A span of time; numbers are seconds."""

_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKeys:
    """What a client needs where brokers speak CURVE: its own pair, whose public key they have to
    know, and their public keys (Z85), in any order.
    """

    own: KeyPair
    brokers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.brokers or not all(map(is_key, self.brokers)):
            raise ValueError("brokers must be one key or more, of 40 characters of Z85 each")

    @classmethod
    def load(cls, own: Path, brokers: Path) -> ClientKeys:
        """The pair in one file, and the brokers' keys as another lists them. Raises
        `KeyFileError`.
        """
        return cls(own=load_key_pair(own), brokers=tuple(load_allowed_keys(brokers)))

    @classmethod
    def from_environment(cls) -> ClientKeys | None:
        """The same from the files that GREVY_KEYS and GREVY_BROKER_KEYS name; None without them."""
        own, brokers = os.environ.get("GREVY_KEYS"), os.environ.get("GREVY_BROKER_KEYS")
        return cls.load(Path(own), Path(brokers)) if own and brokers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """How patient a client is.

    A request that is not answered is sent again, under the same number, so that it happens once:
    after `try_timeout_s` of silence, at once when a connection comes back or another broker leads,
    and after a back-off when it was refused. It fails when `request_timeout_s` is over.
    """

    request_timeout_s: float = 10.0
    """For a request with all its tries; methods that may wait longer have their own time-out."""

    try_timeout_s: float = 3.0
    """For one try."""

    backoff_min_s: float = 0.05
    backoff_max_s: float = 2.0
    """The wait doubles from try to try between the two, less up to half of it by chance."""

    heartbeat_s: float = 1.0
    """Between signs of life to each broker; it takes a client that is silent for 10 s for gone."""

    topology_s: float = 5.0
    """Between looks at who leads; a leader that goes is noticed at once anyway."""

    requests_in_flight_max: int = 4_096
    """Requests beyond that wait for their turn; the broker remembers 8,192 answers."""

    message_bytes_aim: int = 1024 * 1024
    """Requests of one turn of the loop share messages of about that size."""

    keys: ClientKeys | None = None
    """With keys, all connections are encrypted, and to brokers that have one of these keys only."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if name != "keys" and getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than 0")
        if self.backoff_max_s < self.backoff_min_s:
            raise ValueError("backoff_max_s must not be less than backoff_min_s")
        if self.requests_in_flight_max > REQUESTS_REMEMBERED:
            raise ValueError(f"requests_in_flight_max must be at most {REQUESTS_REMEMBERED}")

    def backoff_s(self, attempt: int) -> float:
        """How long to wait before trying again for the `attempt`-th time, from 1; drawn by lot."""
        longest: float = min(self.backoff_max_s, self.backoff_min_s * 2 ** min(attempt - 1, 16))
        return longest * (1 - random.random() / 2)


def endpoint_of(contact_point: str) -> str:
    """A contact point as ZeroMQ writes it: "broker", "broker:26600" or "tcp://broker:26600".

    Raises `ValueError` for what names no host and port.
    """
    parts = _CONTACT_POINT.fullmatch(contact_point)
    port = int(parts["port"] or DEFAULT_PORT) if parts else 0
    if parts is None or not 1 <= port <= _PORT_MAX:
        raise ValueError(
            f"expected host, host:port or tcp://host:port as a contact point, got {contact_point!r}"
        )
    return f"tcp://{parts['host']}:{port}"


def milliseconds(duration: Duration) -> int:
    """A span of time as the protocol has it."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if seconds < 0:
        raise ValueError(f"a span of time must not be negative: {seconds}")
    return round(seconds * 1000)


def document_of(variables: Variables | None) -> Document:
    """The JSON text of variables; bytes are taken as they are, and checked by the broker."""
    if not variables:
        return EMPTY_DOCUMENT
    document = variables if isinstance(variables, bytes) else _encoder.encode(variables)
    if len(document) > DOCUMENT_BYTES_MAX:
        raise TooLarge(
            f"variables of {len(document)} bytes: DOCUMENT_BYTES_MAX is {DOCUMENT_BYTES_MAX}"
        )
    return document


def variables_of(document: Document) -> dict[str, JsonValue]:
    """The variables in a document that the broker sent."""
    parsed: dict[str, JsonValue] = msgspec.json.decode(document, type=dict)
    return parsed
