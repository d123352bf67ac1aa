"""What an exporter's process tells its broker, and when."""

from __future__ import annotations

import io

import msgspec

from grevy.broker.exporter_host import IDLE_S, REPORT_PERIOD_S, Reporter
from grevy.exporting import ExporterStatus, Phase


def status(exported: int = 0, error: str = "", attempts: int = 0) -> ExporterStatus:
    """How an exporter is."""
    return ExporterStatus(
        "lines", 1, Phase.EXPORTING, exported, exported, exported, exported, 0, attempts, error
    )


def told(pipe: io.BytesIO) -> list[ExporterStatus]:
    """What the broker reads."""
    return [msgspec.json.decode(line, type=ExporterStatus) for line in pipe.getvalue().splitlines()]


def test_counts_are_told_now_and_then_and_failures_at_once() -> None:
    pipe = io.BytesIO()
    reporter = Reporter(pipe)
    assert reporter.report(status(0), 10.0) == IDLE_S
    assert reporter.report(status(0), 10.1) == IDLE_S
    assert reporter.report(status(5), 10.25) == 10.0 + REPORT_PERIOD_S - 10.25
    assert reporter.report(status(5, "no", 1), 10.3) == IDLE_S
    assert reporter.report(status(6), 10.4) == IDLE_S, "that it goes on is news"
    assert reporter.report(status(9), 12.0) == IDLE_S
    assert told(pipe) == [status(0), status(5, "no", 1), status(6), status(9)]


class ClosedPipe(io.BytesIO):
    """A broker that is gone."""

    def write(self, _data: object) -> int:
        raise BrokenPipeError


def test_a_broker_that_is_gone_is_none_of_its_business() -> None:
    assert Reporter(ClosedPipe()).report(status(), 1.0) == IDLE_S
