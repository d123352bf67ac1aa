"""A record as an exporter sees it: one place of a committed entry, with the entry's facts."""

from __future__ import annotations

from msgspec import Struct

from grevy.protocol.intents import Intent, RecordType, RejectionType, ValueType
from grevy.protocol.json_form import record_json
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import Value


class ExportedRecord(Struct, frozen=True, gc=False):
    """The record at place `index` of `entry`; see `grevy.protocol.record` for its parts."""

    entry: Entry
    index: int

    @property
    def position(self) -> int:
        """The record's position in its partition's log stream."""
        return self.entry.first_position + self.index

    @property
    def partition_id(self) -> int:
        """The partition, 1-based."""
        return self.entry.partition_id

    @property
    def timestamp(self) -> int:
        """When the record was written, epoch ms."""
        return self.entry.timestamp

    @property
    def record_type(self) -> RecordType:
        """Command, event or rejection."""
        return self._record.record_type

    @property
    def value_type(self) -> ValueType:
        """What kind of thing the record speaks of."""
        return self._record.value_type

    @property
    def intent(self) -> Intent:
        """What is to happen to the thing, or happened."""
        return self._record.intent

    @property
    def key(self) -> int:
        """The thing's key, -1 where there is none."""
        return self._record.key

    @property
    def value(self) -> Value:
        """The record's value; several records of an entry may share one object."""
        return self._record.value

    @property
    def rejection_type(self) -> RejectionType | None:
        """Why a command was refused; None unless this is a rejection."""
        return self._record.rejection_type

    @property
    def rejection_reason(self) -> str:
        """The sentence for the rejection, or empty."""
        return self._record.rejection_reason

    def to_json(self) -> bytes:
        """The record as Zeebe exports it: one JSON object, UTF-8, without a line break."""
        return record_json(self.entry, self.index)

    @property
    def _record(self) -> Record:
        return self.entry.records[self.index]
