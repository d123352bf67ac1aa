"""The exporter for Elasticsearch and OpenSearch: Zeebe's indices, templates and documents."""

from __future__ import annotations

from grevy.exporters.elasticsearch.exporter import BulkRefused, ElasticsearchExporter
from grevy.exporters.elasticsearch.server import ServerRefused, ServerUnavailable
from grevy.exporters.elasticsearch.settings import ElasticsearchArguments

__all__ = [
    "BulkRefused",
    "ElasticsearchArguments",
    "ElasticsearchExporter",
    "ServerRefused",
    "ServerUnavailable",
]
