"""The Elasticsearch exporter against a server that misbehaves as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from grevy.exporters.elasticsearch import (
    BulkRefused,
    ElasticsearchExporter,
    ServerRefused,
    ServerUnavailable,
)
from grevy.exporting import InvalidArguments
from grevy.protocol.intents import JobIntent, RecordType
from grevy.protocol.record import Entry
from grevy.protocol.values import JobValue
from grevy.testing.exporters import ExporterRun, one_record

STORED = (200, {"errors": False})
INFO = {"version": {"number": "8.15.0"}}


class FakeServer(ThreadingHTTPServer):
    """Answers `_bulk` as `bulks` says, one after another, then with success; keeps what it gets."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.info: dict[str, object] = {**INFO}
        self.bulks: list[tuple[int, object]] = []
        self.others: dict[str, tuple[int, object]] = {}
        self.requests: list[tuple[str, bytes]] = []
        self.release = threading.Event()
        self.hangs = False
        self.authorization = ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def received(self) -> list[list[str]]:
        """The ids of the documents in each bulk."""
        bulks = [body for request, body in self.requests if "/_bulk" in request]
        return [
            [json.loads(line)["index"]["_id"] for line in body.splitlines()[::2]] for body in bulks
        ]

    def answer(self, request: str) -> tuple[int, object]:
        """What to answer."""
        if "/_bulk" in request:
            if self.hangs:
                self.release.wait()
            return self.bulks.pop(0) if self.bulks else STORED
        if request == "GET /":
            return 200, self.info
        found = [answer for part, answer in self.others.items() if part in request]
        return found[0] if found else (200, {"acknowledged": True})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        server = self.server
        assert isinstance(server, FakeServer)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = f"{self.command} {self.path}"
        server.authorization = self.headers.get("authorization", "")
        server.requests.append((request, body))
        status, answer = server.answer(request)
        encoded = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_PUT = do_POST = handle_any  # noqa: N815 - the names that the base looks for

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that stores everything until it is told otherwise."""
    server = FakeServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


def start(server: FakeServer, **arguments: object) -> ExporterRun:
    """Start a run that sends two documents at a time."""
    given = {"url": server.url, "bulk": {"size": 2}, **arguments}
    return ExporterRun(ElasticsearchExporter(), given)


def jobs(*positions: int) -> list[Entry]:
    """Entries of one job record each."""
    return [
        one_record(position, RecordType.EVENT, JobIntent.CREATED, JobValue())
        for position in positions
    ]


def refused(*reasons: str) -> tuple[int, object]:
    """An answer that tells of some documents that were not stored."""
    items = [
        {"index": {"error": {"type": reason, "reason": f"it is {reason}"}}} for reason in reasons
    ]
    return 200, {"errors": True, "items": items}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_refused_bulk_is_sent_again_as_it_is(server: FakeServer, status: int) -> None:
    run = start(server)
    server.bulks = [(status, {"error": "not now"})] * 3

    failure = run.export(*jobs(1, 2)).failure
    assert failure is not None
    assert isinstance(failure.error, ServerRefused)
    assert failure.error.status == status
    while run.turn().failure is not None:
        assert run.position == 0

    assert run.position == 2
    assert server.received == [["1-1", "1-2"]] * 4
    bodies = {body for request, body in server.requests if "/_bulk" in request}
    assert len(bodies) == 1, "the same documents with the same sequences"


def test_nothing_is_acknowledged_while_one_document_fails(server: FakeServer) -> None:
    run = start(server)
    server.bulks = [refused("mapper_parsing_exception", "mapper_parsing_exception"), refused("x")]

    failure = run.export(*jobs(1, 2)).failure

    assert failure is not None
    assert isinstance(failure.error, BulkRefused)
    assert "2 of 2 documents were refused; mapper_parsing_exception: it is" in run.status().error
    assert run.turn().failure is not None
    assert run.position == 0
    assert run.turn().failure is None
    assert run.position == 2


def test_a_batch_that_fails_half_way_goes_on_where_it_was(server: FakeServer) -> None:
    run = start(server)
    server.bulks = [STORED, (503, {})]

    turn = run.export(*jobs(1, 2, 3, 4, 5))
    assert turn.failure is not None
    assert run.position == 2
    run.turn()

    assert server.received == [["1-1", "1-2"], ["1-3", "1-4"], ["1-3", "1-4"]]
    assert run.position == 4
    run.pass_time(5_000)
    assert server.received[-1] == ["1-5"]
    assert run.position == 5


def test_a_bulk_is_sent_at_its_size_in_bytes(server: FakeServer) -> None:
    run = start(server, bulk={"memoryLimit": 1500})

    run.export(*jobs(1, 2, 3, 4, 5))

    assert len(server.received) >= 2
    assert max(len(ids) for ids in server.received) < 3


def test_a_server_that_does_not_answer_in_time_is_tried_again(server: FakeServer) -> None:
    run = start(server, requestTimeoutMs=200)
    server.hangs = True

    failure = run.export(*jobs(1, 2)).failure
    assert failure is not None
    assert isinstance(failure.error, ServerUnavailable)
    server.hangs = False
    server.release.set()
    run.turn()

    assert run.position == 2


def test_a_server_that_is_gone_is_told_with_its_address(server: FakeServer) -> None:
    with pytest.raises(ServerUnavailable, match=r"GET /"):
        ExporterRun(ElasticsearchExporter(), {"url": "http://127.0.0.1:1"})


def test_another_node_is_asked_when_one_is_gone(server: FakeServer) -> None:
    run = ExporterRun(
        ElasticsearchExporter(),
        {"url": f"http://127.0.0.1:1, {server.url}", "bulk": {"size": 1}},
    )

    assert run.export(*jobs(1)).failure is None
    assert run.position == 1


def test_an_answer_that_is_no_answer_is_a_failure(server: FakeServer) -> None:
    run = start(server)
    server.bulks = [(200, {"took": 1}), (200, ["?"])]

    assert run.export(*jobs(1, 2)).failure is not None
    assert run.turn().failure is not None
    assert run.turn().failure is None
    assert run.position == 2


def test_closing_sends_what_there_is(server: FakeServer) -> None:
    run = start(server)
    run.export(*jobs(1))

    run.close()

    assert server.received == [["1-1"]]
    assert run.position == 1


def test_closing_does_not_wait_for_a_server_in_trouble(server: FakeServer) -> None:
    run = start(server)
    run.export(*jobs(1))
    server.bulks = [(503, {})]

    assert run.close().failure is not None
    assert run.position == 0


def test_requests_carry_the_credentials(server: FakeServer) -> None:
    start(server, authentication={"username": "elastic", "password": "secret"})

    assert server.authorization == "Basic ZWxhc3RpYzpzZWNyZXQ="


def test_retention_is_a_policy_of_elasticsearchs_own(server: FakeServer) -> None:
    start(server, retention={"enabled": True, "minimumAge": "7d", "policyName": "week"})

    sent = dict(server.requests)
    policy = json.loads(sent["PUT /_ilm/policy/week"])
    assert policy["policy"]["phases"] == {"delete": {"min_age": "7d", "actions": {"delete": {}}}}
    component = json.loads(sent["PUT /_component_template/zeebe-record-8.8.0"])
    assert component["template"]["settings"]["index.lifecycle.name"] == "week"
    (existing,) = [body for request, body in server.requests if "/_settings" in request]
    assert json.loads(existing) == {"index.lifecycle.name": "week"}


def test_without_retention_indices_lose_their_policy(server: FakeServer) -> None:
    start(server)

    (existing,) = [body for request, body in server.requests if "/_settings" in request]
    assert json.loads(existing) == {"index.lifecycle.name": None}
    assert "_ilm" not in str(server.requests)


def test_retention_is_an_ism_policy_with_opensearch(server: FakeServer) -> None:
    server.info = {"version": {"distribution": "opensearch", "number": "2.19.1"}}
    stored = {"_seq_no": 5, "_primary_term": 2, "policy": {}}
    server.others = {"GET /_plugins/_ism": (200, stored)}

    start(server, retention={"enabled": True, "policyName": "month"})

    target = "PUT /_plugins/_ism/policies/month?if_seq_no=5&if_primary_term=2"
    policy = json.loads(dict(server.requests)[target])["policy"]
    assert policy["ism_template"][0]["index_patterns"] == ["zeebe-record_*"]
    assert policy["states"][0]["transitions"][0]["conditions"] == {"min_index_age": "30d"}
    assert "_ilm" not in str(server.requests)


def test_a_url_that_is_none_is_told_before_anything_starts(server: FakeServer) -> None:
    with pytest.raises(InvalidArguments, match=r"`args\.url`"):
        start(server, url="elastic")
