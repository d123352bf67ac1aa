"""The small parts of `grevy status` and `grevy top`."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from grevy.broker.cli.cluster import draw_cluster
from grevy.broker.cli.figures import amount, draw_status, duration
from grevy.broker.cli.top import Watch, curve, rates
from grevy.client.results import Partition, Topology
from grevy.protocol.messages import BrokerInfo, ReplicaInfo


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3_600, "1 h"), (90_061, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_amounts() -> None:
    assert [amount(value) for value in (1_234_567, 0.25, "leader", None)] == [
        "1,234,567", "0.2", "leader", "None"
    ]  # fmt: skip


def test_rates_are_of_one_broker() -> None:
    before = {"pid": 1, "records": 10, "role": "leader"}
    assert rates(before, {"pid": 1, "records": 30, "role": "leader"}, 2.0)["records"] == 10
    assert rates(before, {"pid": 2, "records": 30}, 2.0) == {}
    assert rates(before, {"pid": 1, "records": 30}, 0.0) == {}


def test_curves() -> None:
    assert curve([]) == ""
    assert curve([0, 0]) == "▁▁"
    assert curve([0, 7, 3.5, -1]) == "▁█▅▁"


def drawn(what: object) -> str:
    """What is to be seen on a wide terminal."""
    page = io.StringIO()
    Console(width=200, file=page).print(what)
    return page.getvalue()


def test_who_leads_no_more_is_not_drawn_as_a_leader() -> None:
    def broker(node_id: int, role: str, term: int, *, is_alive: bool = True) -> BrokerInfo:
        replica = ReplicaInfo(1, role, term)
        return BrokerInfo(node_id, f"host:{node_id}", "1.0", is_alive, (replica,))

    brokers = (
        *(broker(1, "leader", 4), broker(2, "leader", 5)),
        broker(3, "follower", 5, is_alive=False),
    )
    page = drawn(draw_cluster(Topology("grevy", "1.0", (Partition(1, "host:2", 5),), brokers)))
    assert "5     1 led before, 2 leader, 3 not heard of" in page
    waiting = BrokerInfo(1, "host:1", "1.0", True, (ReplicaInfo(1, "new", 0, is_healthy=False),))
    page = drawn(draw_cluster(Topology("grevy", "1.0", (), (waiting,))))
    assert "broker 1 has nothing yet of partition 1" in page
    assert "-1" not in drawn(draw_cluster(Topology("grevy", "1.0", (Partition(1, "", -1),), ())))


FIGURES: dict[str, object] = {
    "version": "1.0", "endpoint": "host:1", "pid": 7, "uptime_s": 61,
    "data": "/data", "records": 1_000, "cpu_s": 2.0, "credit of pay": 32,
    "partitions": [
        {"id": 1, "role": "leader", "leader": 1, "term": 3, "records": 600, "in_flight": 2,
         "log_bytes": 70},
        {"id": 2, "role": "follower", "leader": 2, "term": 4, "records": 400, "in_flight": 0,
         "log_bytes": 30},
    ],
    "exporters": [
        {"id": "es", "partition": 1, "process": "running", "pid": 9, "starts": 1,
         "phase": "exporting", "position": 900, "lag": 100, "lost_records": 0, "attempts": 3,
         "error": "503 [busy]", "last_error": "503 [busy]", "last_error_at": 1},
        {"id": "old", "partition": 1, "process": "not configured", "pid": 0, "starts": 0,
         "phase": "", "position": 5, "lag": 995, "lost_records": 0, "attempts": 0, "error": "",
         "last_error": "", "last_error_at": 0},
    ],
}  # fmt: skip


def test_status_shows_workers_and_exporters() -> None:
    text = drawn(draw_status(FIGURES))
    assert "grevy 1.0 at host:1, process 7, up 1 min 1 s\n" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["pay", "32"] in rows
    assert ["2", "follower", "broker", "2", "4", "400", "0", "30"] in rows
    assert "503 [busy] (3 times)" in text, "brackets are no markup"
    assert "not configured" in text


def test_top_shows_how_fast_it_grows() -> None:
    watch = Watch()
    drawn(watch.look(FIGURES, 10.0))
    text = drawn(watch.look({**FIGURES, "records": 1_500, "cpu_s": 2.5}, 11.0))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert rows["records"][1:3] == ["1,500", "500.0"]
    assert "50%" in rows["processor,"]
