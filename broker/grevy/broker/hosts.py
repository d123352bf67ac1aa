"""Partition hosts: which of a broker's processes has which of its replicas, and what is said
between them and their supervisor.

    supervisor ──HostOrder, then WantFigures, AllFigures; one JSON line each──▶ a host's input
               ◀──Ready, Failed, Removed, AskFigures, Figures────────────────── its output

A host is a broker's composition (`server.py`) with a share of the replicas, a client port and a
cluster port of its own.
"""

from __future__ import annotations

from math import lcm
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from grevy.broker.config import BrokerConfig

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
"""The figures of a broker with thousands of partitions."""


class Share(Struct, frozen=True):
    """A host's share of the broker's partitions: it is number `host`, from 0, of `hosts`.

    `cluster_size` is that of the settings; `is_alone`: there are no other brokers, and links are
    between the hosts only. A share depends on nothing that changes while a broker runs, so that no
    two hosts ever open one folder, whenever each of them has begun.
    """

    host: int = 0
    hosts: int = 1
    cluster_size: int = 1
    is_alone: bool = False

    def has(self, partition_id: int) -> bool:
        """Whether a replica of this partition is this host's.

        Partitions go to hosts in turn. But those that a broker leads lie `cluster_size` apart, and
        where that has a divisor in common with the number of hosts they would miss some of them;
        so each time that both come round together the turn moves on by one.
        """
        number = partition_id - 1
        return (number + number // lcm(self.cluster_size, self.hosts)) % self.hosts == self.host


WHOLE: Final = Share()
"""That of a broker that is one process."""


class HostReport(Struct, frozen=True):
    """How a host is, as `grevy status` tells it. `process` is starting, running, down or stopping;
    `last_error` says why it ended, at a time in epoch milliseconds (0: it never has).
    """

    host: int
    process: str
    pid: int = 0
    starts: int = 0
    endpoint: str = ""
    last_error: str = ""
    last_error_at: int = 0


# ── what the supervisor says ──────────────────────────────────────────────────────────────────────


class HostOrder(Struct, frozen=True, tag=True):
    """Which host to be; the first line. The settings have the host's own ports and contact points.
    `supervisor_pid` is whose end is the host's end too, `lock_fd` the lock of the broker's folder,
    which the host holds as well.
    """

    share: Share
    supervisor_pid: int
    lock_fd: int
    config: BrokerConfig


class WantFigures(Struct, frozen=True, tag=True):
    """The host's figures are asked for."""

    number: int


class AllFigures(Struct, frozen=True, tag=True):
    """The answer to an `AskFigures`: the supervisor's own and those of the hosts that answered."""

    number: int
    own: dict[str, object]
    hosts: list[HostReport]
    figures: list[dict[str, object]]


# ── what a host says ──────────────────────────────────────────────────────────────────────────────


class Ready(Struct, frozen=True, tag=True):
    """It takes requests of clients, at `endpoint`."""

    endpoint: str


class Failed(Struct, frozen=True, tag=True):
    """It ends, and why; `is_final` when another try would end the same way."""

    error: str
    is_final: bool = False


class Removed(Struct, frozen=True, tag=True):
    """It ends, and so do the others: the broker is no member of its cluster any more."""


class AskFigures(Struct, frozen=True, tag=True):
    """A client wants the figures of the whole broker."""

    number: int


class Figures(Struct, frozen=True, tag=True):
    """The answer to a `WantFigures`."""

    number: int
    figures: dict[str, object]


ToHost: TypeAlias = HostOrder | WantFigures | AllFigures
FromHost: TypeAlias = Ready | Failed | Removed | AskFigures | Figures


def encode_line(message: ToHost | FromHost) -> bytes:
    """A message as a line."""
    return msgspec.json.encode(message, enc_hook=str) + b"\n"  # of paths


def decode_to_host(line: bytes) -> ToHost:
    """What the supervisor says. Raises `msgspec.DecodeError`."""
    return _to_host.decode(line)


def decode_from_host(line: bytes) -> FromHost:
    """What a host says. Raises `msgspec.DecodeError`."""
    return _from_host.decode(line)


def _path(kind: type[object], value: object) -> object:
    return Path(str(value)) if kind is Path else value


_to_host: Final[msgspec.json.Decoder[ToHost]] = msgspec.json.Decoder(ToHost, dec_hook=_path)
_from_host: Final[msgspec.json.Decoder[FromHost]] = msgspec.json.Decoder(FromHost)
