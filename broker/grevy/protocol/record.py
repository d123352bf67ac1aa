"""Records, and the entries that the log holds.

An entry is the atomic unit of the log: a command and all that followed from it; one Raft index, one
checksum. Its records have consecutive positions. Records of one entry share values: the lifecycle
events of an element point at one value object, and the codec writes it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import astuple

from grevy.protocol.intents import Intent, RecordType, RejectionType, ValueType
from grevy.protocol.values import Value


class Record(Struct, frozen=True, gc=False):
    """One command, event or rejection. Its position is the entry's first position plus its place in
    the entry.
    """

    record_type: RecordType
    intent: Intent
    key: int
    value: Value
    rejection_type: RejectionType | None = None
    rejection_reason: str = ""

    @property
    def value_type(self) -> ValueType:
        """The value type of the record's intent."""
        return self.intent.value_type


Row: TypeAlias = tuple[RecordType, Intent, int, Value, RejectionType | None, str]
"""What a `Record` holds, in its order."""


class RequestId(Struct, frozen=True, array_like=True, gc=False):
    """Names a client's request for ever: the client's 16 random bytes and its own count of
    requests, from 1.
    """

    client_id: bytes
    number: int


class Answer(Struct, frozen=True, array_like=True, gc=False):
    """What a client is told of its command, once it is committed.

    Either the outcome (`rejection_type` is None: `intent`, `key` and `value` of the record that
    answers) or a rejection. `intent` is the number over all value types.
    """

    intent: int
    key: int
    value: Value | None = None
    rejection_type: RejectionType | None = None
    rejection_reason: str = ""


class Reply(Struct, frozen=True, gc=False):
    """An answer and the request that it belongs to; part of the entry, so that every replica
    remembers it.
    """

    request: RequestId
    answer: Answer


class Entry(Struct, frozen=True, gc=False):
    """One atomic unit of the log.

    `command_position` is the position of the command that this entry is the outcome of: the entry's
    own first record, or an earlier record when an unfinished batch goes on. Every other COMMAND
    record of the entry waits to be processed; `activations` says how many elements the chain of
    commands that they go on with has activated so far. `key_counter` is the partition's count of
    keys after the entry, so that every replica goes on with the same next key.
    """

    partition_id: int
    timestamp: int
    first_position: int
    command_position: int
    records: tuple[Record, ...]
    replies: tuple[Reply, ...] = ()
    key_counter: int = 0
    activations: int = 0

    @property
    def rows(self) -> tuple[Row, ...]:
        """The records as the codec takes them."""
        return tuple(map(astuple, self.records))

    @property
    def last_position(self) -> int:
        """Position of the entry's last record."""
        return self.first_position + len(self.records) - 1


class EntryDraft(Struct, frozen=True, gc=False):
    """An `Entry` as a step makes it, to be encoded: its records are rows, which cost a tenth of a
    struct that the codec takes apart again. Whoever reads an entry decodes one.
    """

    partition_id: int
    timestamp: int
    first_position: int
    command_position: int
    rows: Sequence[Row]
    replies: tuple[Reply, ...]
    key_counter: int
    activations: int

    @property
    def records(self) -> tuple[Record, ...]:
        """The records."""
        return tuple([Record(*row) for row in self.rows])

    @property
    def last_position(self) -> int:
        """Position of the entry's last record."""
        return self.first_position + len(self.rows) - 1


BROKER_VERSION: Final = "8.8.0"
"""The version of Zeebe whose record forms we write; exporters name their indices by it."""
