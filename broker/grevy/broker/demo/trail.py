"""What the log says: the records of the demo as they are committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from grevy.client import Client
from grevy.protocol.intents import Intent, RecordType
from grevy.protocol.record import Entry, Record

Listener = Callable[[Entry, Record], None]


class Trail:
    """The log so far, and who waits for something in it."""

    def __init__(self, listener: Listener) -> None:
        """`listener` hears of every record, in order."""
        self.entries: list[Entry] = []
        self._records: list[Record] = []
        self._listener = listener
        self._changed = asyncio.Condition()

    async def follow(self, client: Client) -> None:
        """Reads the log from its beginning, for as long as the demo goes on."""
        async for batch in client.subscribe_records(partition_id=1, from_position=1):
            async with self._changed:
                for entry in batch.entries:
                    self.entries.append(entry)
                    self._records += entry.records
                    for record in entry.records:
                        self._listener(entry, record)
                self._changed.notify_all()

    async def wait(self, intent: Intent, instance: int, element: str = "") -> Record:
        """The first such event of a process instance, which may still have to come."""
        seen = 0
        async with self._changed:
            while True:
                for record in self._records[seen:]:
                    if record.intent is intent and is_about(record, instance, element):
                        return record
                seen = len(self._records)
                await self._changed.wait()


def is_about(record: Record, instance: int, element: str = "") -> bool:
    """Whether it is an event of a process instance, and of an element if one is named."""
    return (
        record.record_type is RecordType.EVENT
        and getattr(record.value, "process_instance_key", -1) == instance
        and element in ("", element_of(record))
    )


def element_of(record: Record) -> str:
    """The BPMN element that a record names, if it does."""
    value = record.value
    return str(getattr(value, "element_id", "") or getattr(value, "target_element_id", ""))
