"""The plug-in API: what an exporter implements, and what it is given.

An exporter is a class behind an entry point of the group `grevy.exporters`. One object of it serves
one partition; its calls come one at a time, in this order: `configure`, `open`, any number of
`export` and of its own scheduled tasks, `close`.

It gets every committed record that its filter lets pass at least once, in order, without gaps. It
acknowledges positions, in its own time; after a restart it begins behind the last acknowledged one
and has the metadata back that it left there. A call that raises is repeated with the same arguments
until it succeeds, with growing pauses, and nothing else is called before; so `export` must stand
being called again with records of which it has already taken some. Calls may block: each exporter
has its own process and delays nobody.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from grevy.exporting.errors import InvalidArguments
from grevy.exporting.record import ExportedRecord
from grevy.ports import Clock
from grevy.protocol.intents import RecordType, ValueType
from grevy.protocol.record import Record

T = TypeVar("T")

NO_PARTITION: Final = 0
"""The partition of a context that only serves to check arguments."""


class RecordFilter(msgspec.Struct, frozen=True):
    """The records that an exporter wants; the others are not shown to it and count as done."""

    record_types: frozenset[RecordType] = frozenset(RecordType)
    value_types: frozenset[ValueType] = frozenset(ValueType)

    def accepts(self, record: Record) -> bool:
        """Whether the record is wanted."""
        return record.record_type in self.record_types and record.intent >> 8 in self.value_types

    @property
    def subscribed_value_types(self) -> tuple[ValueType, ...]:
        """What to ask the broker for: sorted value types, empty for all of them."""
        if self.value_types.issuperset(ValueType):
            return ()
        return tuple(sorted(self.value_types))


class Context:
    """What an exporter is told in `configure`, and where it says what it wants to see."""

    __slots__ = ("_arguments", "_clock", "_exporter_id", "_filter", "_partition_id")

    def __init__(
        self, exporter_id: str, partition_id: int, arguments: Mapping[str, object], clock: Clock
    ) -> None:
        self._exporter_id = exporter_id
        self._partition_id = partition_id
        self._arguments = arguments
        self._clock = clock
        self._filter = RecordFilter()

    @property
    def exporter_id(self) -> str:
        """The name that the configuration gives this exporter."""
        return self._exporter_id

    @property
    def partition_id(self) -> int:
        """The partition to export; `NO_PARTITION` when only the arguments are being checked."""
        return self._partition_id

    @property
    def arguments(self) -> Mapping[str, object]:
        """The exporter's part of the configuration, as it stands there. May hold secrets."""
        return self._arguments

    @property
    def clock(self) -> Clock:
        """The only clock that an exporter needs to ask."""
        return self._clock

    @property
    def filter(self) -> RecordFilter:
        """What is shown to the exporter; everything until it sets one."""
        return self._filter

    def set_filter(self, record_filter: RecordFilter) -> None:
        """Show the exporter only these records. Only in `configure`."""
        self._filter = record_filter

    def read_arguments(self, kind: type[T]) -> T:
        """The arguments as a msgspec struct; text is taken where a number or a flag is meant.

        Raises `InvalidArguments` where one is missing, unknown or out of its bounds.
        """
        try:
            return msgspec.convert(self._arguments, kind, strict=False)
        except msgspec.ValidationError as error:
            raise self.invalid(str(error).replace("`$", "`args")) from None

    def invalid(self, problem: str) -> InvalidArguments:
        """The error to raise for arguments that cannot work; `problem` names the argument."""
        return InvalidArguments(f"exporter {self._exporter_id!r}: {problem}")


class ScheduledTask(Protocol):
    """A task that waits for its time."""

    def cancel(self) -> None:
        """Never run it. Without effect when it ran already."""
        ...


class Controller(Protocol):
    """What an open exporter may ask of its host."""

    @property
    def position(self) -> int:
        """The last position that the exporter acknowledged, now or in an earlier run; else 0."""
        ...

    @property
    def metadata(self) -> bytes:
        """What the exporter last left with an acknowledgement; empty before the first."""
        ...

    def acknowledge(self, position: int, metadata: bytes | None = None) -> None:
        """All records up to `position` are safe where they belong; they need not come again.

        `metadata` is kept with the position, None leaves what is there. A position below an earlier
        one is without effect. Raises `AcknowledgementRefused` for a position that the exporter was
        not given yet, or for too much metadata.
        """
        ...

    def schedule(self, delay_ms: int, task: Callable[[], None]) -> ScheduledTask:
        """Call `task` once, between two other calls, when `delay_ms` have passed."""
        ...


class Exporter(ABC):
    """Base of all exporters; made without arguments. The module tells the order of calls."""

    @abstractmethod
    def configure(self, context: Context) -> None:
        """Check the arguments and set the filter; touch nothing outside.

        Also called on an object of its own when a broker starts, so that a wrong configuration is
        told at once: raise `InvalidArguments` (`context.read_arguments`, `context.invalid`) and
        name the argument.
        """

    @abstractmethod
    def open(self, controller: Controller) -> None:
        """Get ready to export what follows `controller.position`."""

    @abstractmethod
    def export(self, batch: Sequence[ExportedRecord]) -> None:
        """Take records, at least one, in the order of their positions."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything; what was not acknowledged will come again in another run."""
