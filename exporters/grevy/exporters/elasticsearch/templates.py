"""The bodies of the templates that indices are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grevy.exporters.elasticsearch.index_names import (
    alias_of,
    component_template_of,
    index_template_of,
)
from grevy.exporters.elasticsearch.mappings import ENVELOPE, VALUES
from grevy.exporters.elasticsearch.settings import IndexArguments
from grevy.protocol.intents import ValueType

PRIORITY: Final = 20
"""Of index templates; those that users lay over ours have a greater one."""

SHARDS: Final = 1
SHARDS_OF_BUSY_TYPES: Final = 3
BUSY_TYPES: Final = frozenset({ValueType.PROCESS_INSTANCE, ValueType.JOB, ValueType.VARIABLE})
"""The types that most records are of."""


def component_template(settings: Mapping[str, object]) -> dict[str, object]:
    """What all indices share: the envelope's mapping, and `settings`."""
    mappings = {"dynamic": "strict", "properties": ENVELOPE}
    shared = {"index.queries.cache.enabled": False, **settings}
    return {"template": {"settings": shared, "mappings": mappings}}


def index_template(arguments: IndexArguments, value_type: ValueType) -> dict[str, object]:
    """What the indices of one value type have of their own: their value, alias and shards."""
    prefix = arguments.prefix
    default_shards = SHARDS_OF_BUSY_TYPES if value_type in BUSY_TYPES else SHARDS
    value = {"dynamic": "strict", "properties": VALUES[value_type]}
    return {
        "index_patterns": [f"{index_template_of(prefix, value_type)}_*"],
        "composed_of": [component_template_of(prefix)],
        "priority": PRIORITY,
        "template": {
            "aliases": {alias_of(prefix, value_type): {}},
            "settings": {
                "index.number_of_shards": arguments.number_of_shards or default_shards,
                "index.number_of_replicas": arguments.number_of_replicas,
            },
            "mappings": {"properties": {"value": value}},
        },
    }
