"""Records into Elasticsearch or OpenSearch, in the indices and documents that Zeebe writes.

Documents gather in a bulk, which is sent when it is full or when it is time. The position is
acknowledged when every document of the bulk is stored. A bulk of which anything was refused is sent
again as a whole, for ever: ids are made of partition and position, so what was stored already is
stored over itself. What the server will never take (a field that no template knows) therefore stops
this exporter, and nobody else, until its templates are put right; its status says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from grevy.exporters.elasticsearch.bulk import Bulk
from grevy.exporters.elasticsearch.index_names import (
    IndexNames,
    component_template_of,
    index_template_of,
)
from grevy.exporters.elasticsearch.retention import put_retention
from grevy.exporters.elasticsearch.server import SearchServer
from grevy.exporters.elasticsearch.settings import read_settings
from grevy.exporters.elasticsearch.templates import component_template, index_template
from grevy.exporting import Context, Controller, ExportedRecord, Exporter, ExportingError

BULK_TARGET: Final = "/_bulk?filter_path=errors,items.*.error.type,items.*.error.reason"
"""Of a thousand answers only the errors are worth reading."""


class BulkRefused(ExportingError):
    """The server did not store every document of a bulk."""


class _Error(Struct, frozen=True):
    type: str = ""
    reason: str = ""


class _Outcome(Struct, frozen=True):
    error: _Error


class _BulkAnswer(Struct, frozen=True):
    errors: bool
    items: tuple[dict[str, _Outcome], ...] = ()


class ElasticsearchExporter(Exporter):
    """The exporter for both servers; `ElasticsearchArguments` are its arguments."""

    def configure(self, context: Context) -> None:
        """Reads the arguments and wants the records that they name."""
        self._arguments = read_settings(context)
        self._server: SearchServer | None = None
        context.set_filter(self._arguments.index.record_filter())

    def open(self, controller: Controller) -> None:
        """Puts the templates and begins a bulk."""
        self._disconnect()
        self._server = SearchServer(self._arguments.nodes())
        if self._arguments.index.create_template:
            self._put_templates(self._server)
        index = self._arguments.index
        names = IndexNames(index.prefix, index.index_suffix_date_pattern)
        self._controller = controller
        self._bulk = Bulk(self._arguments.bulk, names, controller.metadata)
        self._schedule_flush()

    def export(self, batch: Sequence[ExportedRecord]) -> None:
        """Adds records to the bulk, and sends it when it is full."""
        for record in batch:
            if record.position <= self._bulk.last_position:
                continue  # This batch was here before, and failed on the way.
            if self._bulk.is_full:
                self._flush()
            self._bulk.add(record)
        if self._bulk.is_full:
            self._flush()

    def close(self) -> None:
        """Sends what there is."""
        try:
            self._flush()
        finally:
            self._disconnect()

    def _flush_in_time(self) -> None:
        self._flush()
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        delay_ms = round(self._arguments.bulk.delay * 1000)
        self._controller.schedule(delay_ms, self._flush_in_time)

    def _flush(self) -> None:
        if not self._bulk:
            return
        assert self._server is not None
        answer = msgspec.convert(
            self._server.send_lines(BULK_TARGET, self._bulk.body()), _BulkAnswer
        )
        if answer.errors:
            raise BulkRefused(_summary_of(answer, len(self._bulk)))
        self._bulk.clear()
        self._controller.acknowledge(self._bulk.last_position, self._bulk.metadata)

    def _put_templates(self, server: SearchServer) -> None:
        index = self._arguments.index
        component = component_template(put_retention(server, self._arguments))
        server.call("PUT", f"/_component_template/{component_template_of(index.prefix)}", component)
        for value_type in sorted(index.record_filter().value_types):
            name = index_template_of(index.prefix, value_type)
            server.call("PUT", f"/_index_template/{name}", index_template(index, value_type))

    def _disconnect(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _summary_of(answer: _BulkAnswer, documents: int) -> str:
    """How many documents failed, and for each kind of error one reason."""
    errors = [outcome.error for item in answer.items for outcome in item.values()]
    reasons = {error.type: f"{error.type}: {error.reason}" for error in reversed(errors)}
    return f"{len(errors)} of {documents} documents were refused; " + "; ".join(reasons.values())
