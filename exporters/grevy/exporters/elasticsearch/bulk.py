"""The documents that wait to be sent together, and the numbers that they get.

A document is the record's JSON with one more field, by which readers page:

    sequence = partition << 51 | count of exported records of its value type

The counts are kept in the exporter's metadata with the position of the last document that is safe,
so that a document that is sent again has the same sequence, as it has the same id.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from grevy.exporters.elasticsearch.index_names import IndexNames
from grevy.exporters.elasticsearch.settings import BulkArguments
from grevy.exporting import ExportedRecord
from grevy.protocol.keys import KEY_BITS


class Counts(Struct, frozen=True, rename="camel"):
    """The exporter's metadata, a JSON document: how many records of each value type it exported."""

    record_counters_by_value_type: dict[str, int] = {}


class Bulk:
    """Documents in the order of their positions, as the lines of a `_bulk` request.

    `last_position` is that of the last record that was added since the exporter opened, else -1.
    """

    def __init__(self, arguments: BulkArguments, names: IndexNames, metadata: bytes) -> None:
        counts = msgspec.json.decode(metadata or b"{}", type=Counts)
        self._arguments = arguments
        self._names = names
        self._counts = dict(counts.record_counters_by_value_type)
        self._lines: list[bytes] = []
        self._bytes = 0
        self.last_position = -1

    def __len__(self) -> int:
        return len(self._lines) // 2

    @property
    def is_full(self) -> bool:
        """Whether it has to be sent before more is added."""
        return len(self) >= self._arguments.size or self._bytes >= self._arguments.memory_limit

    @property
    def metadata(self) -> bytes:
        """The counts up to the last record that was added."""
        return msgspec.json.encode(Counts(self._counts))

    def add(self, record: ExportedRecord) -> None:
        """Adds the next record; its position is greater than all before."""
        assert record.position > self.last_position, record.position
        partition, value_type = record.partition_id, record.value_type
        count = self._counts.get(value_type.name, 0) + 1
        index = self._names.name_of(value_type, record.timestamp)
        # Names hold nothing that JSON escapes, and the record is an object: no need to parse it.
        action = (
            f'{{"index":{{"_index":"{index}","_id":"{partition}-{record.position}",'
            f'"routing":"{partition}"}}}}'
        ).encode()
        sequence = partition << KEY_BITS | count
        document = b'{"sequence":%d,%b' % (sequence, record.to_json()[1:])
        self._lines += (action, document)
        self._bytes += len(action) + len(document) + 2
        self._counts[value_type.name] = count
        self.last_position = record.position

    def body(self) -> bytes:
        """The request's body."""
        return b"\n".join(self._lines) + b"\n"

    def clear(self) -> None:
        """Its documents are safe."""
        self._lines.clear()
        self._bytes = 0
