"""What clients did and what they were told: written down while faults are at work, and compared
with the log afterwards (`checker`).

A history is a file of JSON lines, two for each operation: one before it is sent, which is on the
disk before the operation begins, and one with its outcome. An operation without the second line, or
with a line that was torn, has an outcome that nobody knows.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Coroutine
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from grevy.client.errors import ClientClosed, ClientError, RequestTimeout

MARK: Final = "request"
"""The variable by which a create and a change of variables are known in the log: its value is the
operation's `subject`."""

_Result = TypeVar("_Result")


class Kind(Enum):
    """What was asked for; what `Operation.subject` then is."""

    CREATE = "create"
    """Its request id: the value of the variable `MARK`."""
    COMPLETE = "complete"
    """The job's key."""
    PUBLISH = "publish"
    """The message id, which no other message has."""
    CANCEL = "cancel"
    """The process instance's key."""
    SET = "set"
    """Its request id: the value of the variable `MARK`, on the process instance."""


class Outcome(Enum):
    """What the client was told."""

    OK = "ok"
    REJECTED = "rejected"
    """It had no effect: the engine refused it, or nobody took it."""
    UNKNOWN = "unknown"
    """No answer: it may have happened, or may happen yet."""


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """An operation is about to be sent, at a time in seconds of the client's monotonic clock."""

    number: int
    kind: Kind
    subject: str
    begin_s: float


class End(msgspec.Struct, frozen=True, tag="end"):
    """An operation was answered; `key` is what the answer names, 0 for none."""

    number: int
    outcome: Outcome
    end_s: float
    key: int = 0
    reason: str = ""


class Operation(msgspec.Struct, frozen=True):
    """One operation, whole. Without an answer `end_s` is infinity."""

    number: int
    kind: Kind
    subject: str
    begin_s: float
    end_s: float = float("inf")
    outcome: Outcome = Outcome.UNKNOWN
    key: int = 0
    reason: str = ""


class Recorder:
    """Writes a history; one for each client process and file.

    Lines that come while others are being synced are synced together after them.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._count = 0
        self._lines: list[bytes] = []
        self._lock = asyncio.Lock()

    async def run(
        self, kind: Kind, subject: str, operation: Awaitable[_Result]
    ) -> _Result | ClientError:
        """Awaits an operation, whose result is a key, or something with one, or neither; gives the
        error of one that failed, since a client under faults goes on.
        """
        self._count = number = self._count + 1
        is_begun = False
        try:
            await self._write(Begin(number, kind, subject, time.monotonic()))
            is_begun = True
        finally:
            if not is_begun and isinstance(operation, Coroutine):
                operation.close()  # cancelled before it was sent
        try:
            result = await operation
        except ClientError as error:
            outcome = outcome_of(error)
            self._later(
                End(number, outcome, time.monotonic(), reason=f"{type(error).__name__}: {error}")
            )
            return error
        key = result if isinstance(result, int) else getattr(result, "key", 0)
        self._later(End(number, Outcome.OK, time.monotonic(), int(key)))
        return result

    async def close(self) -> None:
        """Syncs what is left and closes the file."""
        await self._synced()
        os.close(self._file)

    async def _write(self, line: Begin) -> None:
        self._lines.append(msgspec.json.encode(line) + b"\n")
        await self._synced()

    def _later(self, line: End) -> None:
        """An end that is lost with the machine leaves an unknown outcome, which is true."""
        self._lines.append(msgspec.json.encode(line) + b"\n")

    async def _synced(self) -> None:
        """Until all lines that there are now are on the disk; whoever comes first syncs for all."""
        async with self._lock:
            if self._lines:
                data = b"".join(self._lines)
                self._lines.clear()
                await asyncio.to_thread(_write_and_sync, self._file, data)


def _write_and_sync(file: int, data: bytes) -> None:
    written = os.write(file, data)
    assert written == len(data), f"wrote {written} of {len(data)} bytes: the disk is full"
    os.fsync(file)


def outcome_of(error: ClientError) -> Outcome:
    """What an error of the client says of the request: see the tree in `grevy.client.errors`."""
    is_unknown = isinstance(error, RequestTimeout | ClientClosed)
    return Outcome.UNKNOWN if is_unknown else Outcome.REJECTED


def read_history(path: Path) -> list[Operation]:
    """The operations in the order in which they began. Raises `ValueError` for a line that is
    neither whole nor the last.
    """
    begins: dict[int, Begin] = {}
    ends: dict[int, End] = {}
    lines = path.read_bytes().split(b"\n")
    for place, line in enumerate(lines[:-1], 1):
        try:
            said = msgspec.json.decode(line, type=Begin | End)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path}, line {place}: {error}") from error
        if isinstance(said, Begin):
            begins[said.number] = said
        else:
            ends[said.number] = said
    return [_joined(begin, ends.get(begin.number)) for begin in begins.values()]


def _joined(begin: Begin, end: End | None) -> Operation:
    begun = Operation(begin.number, begin.kind, begin.subject, begin.begin_s)
    if end is None:
        return begun
    return msgspec.structs.replace(
        begun, end_s=end.end_s, outcome=end.outcome, key=end.key, reason=end.reason
    )
