"""Names, mappings and arguments of the Elasticsearch exporter, without a server."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest
from tests.exporters.samples import sample

from grevy.exporters.elasticsearch import ElasticsearchArguments, ElasticsearchExporter
from grevy.exporters.elasticsearch.index_names import IndexNames, check_date_pattern
from grevy.exporters.elasticsearch.mappings import ENVELOPE, VALUES
from grevy.exporting import NO_PARTITION, Context, InvalidArguments
from grevy.protocol.intents import INTENTS, RecordType, ValueType
from grevy.protocol.json_form import record_json
from grevy.protocol.record import BROKER_VERSION
from grevy.testing.clock import VirtualClock
from grevy.testing.exporters import one_record

NOV_24_2026_23_59 = 1_795_564_799_000


def exported(value_type: ValueType) -> dict[str, object]:
    """The JSON of a sample record."""
    intent = next(intent for intent in INTENTS.values() if intent.value_type is value_type)
    entry = one_record(1, RecordType.EVENT, intent, sample(value_type))

    document: dict[str, object] = json.loads(record_json(entry, 0))
    return document


def unmapped(fields: object, properties: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The names of fields that a strict mapping would refuse."""
    assert isinstance(fields, dict)
    missing = []
    for name, content in fields.items():
        kind = properties.get(name)
        if kind is None:
            missing.append(name)
        elif "properties" in kind:
            inner = kind["properties"]
            assert isinstance(inner, dict)
            for item in content if isinstance(content, list) else [content]:
                missing += unmapped(item, inner)
    return missing


@pytest.mark.parametrize("value_type", ValueType)
def test_every_exported_field_is_mapped(value_type: ValueType) -> None:
    document = exported(value_type)
    value = document.pop("value")

    assert unmapped(document, ENVELOPE) == []
    assert unmapped(value, VALUES[value_type]) == []


@pytest.mark.parametrize("value_type", ValueType)
def test_every_value_type_has_a_flag(value_type: ValueType) -> None:
    words = value_type.name.lower().split("_")
    flag = words[0] + "".join(word.capitalize() for word in words[1:])

    arguments = msgspec.convert({"index": {flag: False}}, ElasticsearchArguments)

    assert value_type not in arguments.index.record_filter().value_types


def test_only_events_are_exported_unless_asked_for() -> None:
    record_filter = ElasticsearchArguments().index.record_filter()

    assert record_filter.record_types == {RecordType.EVENT}
    assert set(ValueType) - record_filter.value_types == {
        ValueType.JOB_BATCH,
        ValueType.MESSAGE_BATCH,
        ValueType.PROCESS_INSTANCE_BATCH,
        ValueType.PROCESS_EVENT,
    }


@pytest.mark.parametrize(
    ("pattern", "date"),
    [("yyyy-MM-dd", "2026-11-24"), ("yyyy.MM", "2026.11"), ("yyyyMMdd_HH", "20261124_23")],
)
def test_an_index_is_named_by_type_version_and_day_in_utc(pattern: str, date: str) -> None:
    names = IndexNames("zeebe-record", pattern)

    name = names.name_of(ValueType.PROCESS_INSTANCE, NOV_24_2026_23_59)

    assert name == f"zeebe-record_process-instance_{BROKER_VERSION}_{date}"


def test_the_next_day_is_another_index() -> None:
    names = IndexNames("zeebe-record", "yyyy-MM-dd")
    names.name_of(ValueType.JOB, NOV_24_2026_23_59)

    assert names.name_of(ValueType.JOB, NOV_24_2026_23_59 + 1_000).endswith("_2026-11-25")


@pytest.mark.parametrize("pattern", ["", "yyyy-ww", "yyyy/MM", "YYYY"])
def test_a_date_pattern_that_cannot_be_followed_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern"):
        check_date_pattern(pattern)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"urls": "x"}, "urls"),
        ({"url": "localhost"}, "`args.url`"),
        ({"url": "http://a:9200,b"}, "`args.url`"),
        ({"bulk": {"size": 0}}, "`args.bulk.size`"),
        ({"bulk": {"delay": "soon"}}, "`args.bulk.delay`"),
        ({"index": {"prefix": "zeebe_record"}}, "`args.index.prefix`"),
        ({"index": {"indexSuffixDatePattern": "ww"}}, "`args.index.indexSuffixDatePattern`"),
        ({"index": {"jobs": True}}, "`jobs` - at `args.index`"),
        ({"retention": {"minimumAge": "1 year"}}, "`args.retention.minimumAge`"),
    ],
)
def test_a_wrong_argument_is_named(arguments: Mapping[str, object], named: str) -> None:
    context = Context("es", NO_PARTITION, arguments, VirtualClock())

    with pytest.raises(InvalidArguments) as caught:
        ElasticsearchExporter().configure(context)

    assert str(caught.value).startswith("exporter 'es': ")
    assert named in str(caught.value)


def test_passwords_do_not_show() -> None:
    secret = {"authentication": {"username": "elastic", "password": "secret"}}
    arguments = msgspec.convert(secret, ElasticsearchArguments)

    assert "secret" not in repr(arguments)
    assert arguments.nodes()[0].headers["authorization"].startswith("Basic ")
