"""The Elasticsearch exporter against a real OpenSearch: what a user finds there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import TypeAlias

import pytest
from elastic_transport import NodeConfig
from tests.exporters.samples import sample

from grevy.exporters.elasticsearch import BulkRefused, ElasticsearchExporter
from grevy.exporters.elasticsearch.server import SearchServer, ServerRefused
from grevy.exporting import Turn
from grevy.protocol.intents import (
    INTENTS,
    Intent,
    JobIntent,
    ProcessInstanceIntent,
    RecordType,
    RejectionType,
    ValueType,
    VariableIntent,
)
from grevy.protocol.record import BROKER_VERSION, Entry, Record
from grevy.protocol.values import (
    JobValue,
    ProcessInstanceValue,
    Value,
    VariableValue,
)
from grevy.testing.clock import START_MS
from grevy.testing.exporters import ExporterRun, one_record

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

DATE = "2026-01-01"
FIRST_SEQUENCE = (1 << 51) + 1

prefixes = (f"test{number}" for number in count(1))


class Cluster:
    """The server as a user asks it, and runs of the exporter that write under a prefix."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._server = SearchServer([NodeConfig("http", "127.0.0.1", int(url.rpartition(":")[2]))])
        self.prefix = next(prefixes)

    def start(
        self, position: int = 0, metadata: bytes = b"", *, size: int = 1000, **index: object
    ) -> ExporterRun:
        """Start a run of the exporter."""
        arguments = {
            "url": self._url,
            "bulk": {"size": size},
            "index": {"prefix": self.prefix, "numberOfShards": 1, **index},
        }
        return ExporterRun(ElasticsearchExporter(), arguments, position=position, metadata=metadata)

    def index_of(self, value_type: str) -> str:
        """The index of a value type on the day of the tests."""
        return f"{self.prefix}_{value_type}_{BROKER_VERSION}_{DATE}"

    def ask(self, path: str, body: Json = None) -> dict[str, Json]:
        """An answer that is an object."""
        answer = self._server.call("GET" if body is None else "POST", path, body)
        assert isinstance(answer, dict)
        return answer

    def documents(self, target: str) -> list[dict[str, Json]]:
        """All hits in an index or alias, in the order of their sequences."""
        self.ask(f"/{target}/_refresh", {})
        answer = self.ask(f"/{target}/_search", {"size": 1000, "sort": ["sequence"]})
        hits = answer["hits"]
        assert isinstance(hits, dict)
        found = hits["hits"]
        assert isinstance(found, list)
        return [hit for hit in found if isinstance(hit, dict)]

    def sources(self, target: str) -> list[dict[str, Json]]:
        """The documents themselves."""
        sources = [hit["_source"] for hit in self.documents(target)]
        return [source for source in sources if isinstance(source, dict)]

    def close(self) -> None:
        """Remove what was written."""
        indices = f"{self.prefix}_*"
        for path in (indices, f"_index_template/{indices}", f"_component_template/{self.prefix}-*"):
            with suppress(ServerRefused):
                self._server.call("DELETE", f"/{path}")
        self._server.close()


@pytest.fixture
def cluster(opensearch_url: str) -> Iterator[Cluster]:
    """A running server; each test has a prefix of its own."""
    cluster = Cluster(opensearch_url)
    yield cluster
    cluster.close()


def event(position: int, intent: Intent, value: Value, *, day: int = 0) -> Entry:
    """An entry with one event."""
    timestamp = START_MS + day * 86_400_000
    return one_record(position, RecordType.EVENT, intent, value, timestamp=timestamp)


def job(position: int, *, day: int = 0) -> Entry:
    """A job was created."""
    return event(position, JobIntent.CREATED, JobValue(type="work"), day=day)


def test_documents_are_zeebes(cluster: Cluster) -> None:
    run = cluster.start(size=2)
    value = JobValue(type="charge", retries=3, variables=b'{"amount":12.50,"order":{"id":7}}')

    run.export(event(1, JobIntent.CREATED, value), event(2, JobIntent.COMPLETED, value))

    first, second = cluster.documents(cluster.index_of("job"))
    assert (first["_id"], first["_routing"]) == ("1-1", "1")
    source = first["_source"]
    assert isinstance(source, dict)
    assert source["sequence"] == FIRST_SEQUENCE
    assert (source["position"], source["partitionId"]) == (1, 1)
    assert (source["recordType"], source["valueType"], source["intent"]) == (
        "EVENT",
        "JOB",
        "CREATED",
    )
    exported = source["value"]
    assert isinstance(exported, dict)
    assert (exported["type"], exported["retries"]) == ("charge", 3)
    assert exported["variables"] == {"amount": 12.5, "order": {"id": 7}}
    assert second["_id"] == "1-2"
    assert run.position == 2


def test_each_value_type_and_day_has_its_index_and_each_type_its_alias(cluster: Cluster) -> None:
    run = cluster.start(size=4)
    element = ProcessInstanceValue(bpmn_process_id="order")

    run.export(
        event(1, ProcessInstanceIntent.ELEMENT_ACTIVATED, element),
        job(2),
        job(3, day=1),
        event(4, VariableIntent.CREATED, VariableValue(name="a", value=b"1")),
    )

    indices = cluster.ask(f"/{cluster.prefix}*/_settings")
    version = BROKER_VERSION
    assert sorted(indices) == [
        f"{cluster.prefix}_job_{version}_2026-01-01",
        f"{cluster.prefix}_job_{version}_2026-01-02",
        f"{cluster.prefix}_process-instance_{version}_2026-01-01",
        f"{cluster.prefix}_variable_{version}_2026-01-01",
    ]
    assert [source["position"] for source in cluster.sources(f"{cluster.prefix}-job")] == [2, 3]


def test_templates_are_zeebes(cluster: Cluster) -> None:
    cluster.start(jobBatch=False)

    answer = cluster.ask(f"/_index_template/{cluster.prefix}_job_{BROKER_VERSION}")

    templates = answer["index_templates"]
    assert isinstance(templates, list)
    assert isinstance(templates[0], dict)
    template = templates[0]["index_template"]
    assert isinstance(template, dict)
    assert template["index_patterns"] == [f"{cluster.prefix}_job_{BROKER_VERSION}_*"]
    assert template["composed_of"] == [f"{cluster.prefix}-{BROKER_VERSION}"]
    assert template["priority"] == 20
    with pytest.raises(ServerRefused, match="404"):
        cluster.ask(f"/_index_template/{cluster.prefix}_job-batch_{BROKER_VERSION}")


@pytest.mark.parametrize("create_template", [True, False])
def test_templates_are_left_to_the_user_when_told_so(
    cluster: Cluster, create_template: bool
) -> None:
    cluster.start(createTemplate=create_template)

    answer = cluster.ask("/_component_template")

    found = answer["component_templates"]
    assert isinstance(found, list)
    assert bool([one for one in found if cluster.prefix in str(one)]) is create_template


def test_every_value_type_is_taken_by_its_strict_mapping(cluster: Cluster) -> None:
    run = cluster.start(
        jobBatch=True, messageBatch=True, processInstanceBatch=True, processEvent=True
    )
    entries = []
    for position, value_type in enumerate(ValueType, 1):
        intent = next(intent for intent in INTENTS.values() if intent.value_type is value_type)
        entries.append(event(position, intent, sample(value_type)))

    run.export(*entries)
    turn = run.close()

    assert turn.failure is None
    assert len(cluster.documents(f"{cluster.prefix}_*")) == len(ValueType)


def test_commands_and_rejections_are_exported_when_asked_for(cluster: Cluster) -> None:
    run = cluster.start(command=True, rejection=True, event=False)
    rejection = Record(
        RecordType.COMMAND_REJECTION,
        JobIntent.COMPLETE,
        7,
        JobValue(),
        RejectionType.NOT_FOUND,
        "Expected to complete the job, but there is none",
    )

    run.export(
        one_record(1, RecordType.COMMAND, JobIntent.COMPLETE, JobValue()),
        Entry(1, START_MS, 2, 1, (rejection,)),
        job(3),
    )
    run.close()

    command, refused = cluster.sources(f"{cluster.prefix}-job")
    assert (command["recordType"], refused["recordType"]) == ("COMMAND", "COMMAND_REJECTION")
    assert refused["rejectionType"] == "NOT_FOUND"
    assert run.position == 3, "what was left out counts as done"


def test_a_bulk_waits_for_its_size_or_its_time(cluster: Cluster) -> None:
    run = cluster.start(size=3)

    assert run.export(job(1), job(2)).acknowledgement is None
    assert acknowledged(run.export(job(3))) == 3
    assert run.export(job(4)).acknowledgement is None
    assert acknowledged(run.pass_time(5_000)) == 4

    assert len(cluster.documents(f"{cluster.prefix}-job")) == 4


def test_a_replay_stores_the_same_documents_again(cluster: Cluster) -> None:
    first = cluster.start(size=2)
    first.export(job(1), job(2))
    kept = first.position, first.metadata
    first.export(job(3), job(4))
    before = cluster.sources(f"{cluster.prefix}-job")

    second = cluster.start(*kept, size=2)
    second.export(job(3), job(4))

    assert cluster.sources(f"{cluster.prefix}-job") == before
    assert len(before) == 4


def test_sequences_go_on_after_a_restart(cluster: Cluster) -> None:
    first = cluster.start(size=2)
    variable = VariableValue(name="a", value=b"1")
    first.export(job(1), event(2, VariableIntent.CREATED, variable))
    first.close()

    second = cluster.start(first.position, first.metadata, size=2)
    second.export(job(3), job(4))

    sequences = [source["sequence"] for source in cluster.sources(f"{cluster.prefix}-job")]
    assert sequences == [FIRST_SEQUENCE, FIRST_SEQUENCE + 1, FIRST_SEQUENCE + 2]
    variables = cluster.sources(f"{cluster.prefix}-variable")
    assert [source["sequence"] for source in variables] == [FIRST_SEQUENCE]


def test_a_stale_template_stops_the_exporter_until_it_is_put_right(cluster: Cluster) -> None:
    run = cluster.start(size=2)
    name = f"{cluster.prefix}_job_{BROKER_VERSION}"
    stale: Json = {
        "index_patterns": [f"{name}_*"],
        "priority": 20,
        "template": {
            "mappings": {"properties": {"value": {"dynamic": "strict", "properties": {}}}},
        },
    }
    cluster.ask(f"/_index_template/{name}", stale)
    variable = VariableValue(name="a", value=b"1")

    turn = run.export(event(1, VariableIntent.CREATED, variable), job(2))

    assert turn.failure is not None
    assert isinstance(turn.failure.error, BulkRefused)
    assert "1 of 2 documents were refused; strict_dynamic_mapping" in run.status().error
    assert run.position == 0
    assert len(cluster.documents(f"{cluster.prefix}-variable")) == 1, "the others went in"

    cluster.ask(
        f"/{cluster.index_of('job')}/_mapping",
        {"properties": {"value": {"type": "object", "dynamic": True}}},
    )
    assert acknowledged(run.turn()) == 2
    assert len(cluster.documents(f"{cluster.prefix}_*")) == 2


def test_long_names_are_kept_though_they_are_not_indexed(cluster: Cluster) -> None:
    run = cluster.start(size=1)
    text = b'"' + "ü".encode() * 50_000 + b'"'

    run.export(event(1, VariableIntent.CREATED, VariableValue(name="long", value=text)))

    (source,) = cluster.sources(f"{cluster.prefix}-variable")
    value = source["value"]
    assert isinstance(value, dict)
    assert value["value"] == text.decode()


def test_a_server_without_index_management_is_told_and_used(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, opensearch_url: str
) -> None:
    arguments = {
        "url": opensearch_url,
        "index": {"prefix": cluster.prefix},
        "retention": {"enabled": True},
    }

    ExporterRun(ElasticsearchExporter(), arguments)

    assert "the server has no ISM: old indices are not deleted" in caplog.text


def acknowledged(turn: Turn) -> int:
    """The position that a turn acknowledged."""
    assert turn.failure is None
    assert turn.acknowledgement is not None
    return turn.acknowledgement.position
