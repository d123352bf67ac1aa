"""A few runs of each kind, and what the runner makes of them. `make sim` does many."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.sim import runner
from tests.sim.kinds import KINDS
from tests.sim.runner import run_seed, trace_elsewhere
from tests.sim.simulation import Column, Kind


@pytest.mark.parametrize("kind", ["journal", "engine", "partitions"])
def test_a_run_is_decided_by_its_seed_in_any_process(kind: str) -> None:
    """Raft and clusters have tests of their own, and take longer."""
    outcome = run_seed(kind, 1)
    assert not outcome.fault, outcome.story[:10_000]
    assert outcome.events > 0
    assert trace_elsewhere(kind, 1, "4711") == outcome.trace_hash


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_column_is_of_fixed_and_new_seeds(kind: Kind) -> None:
    assert 0 < kind.pull_request.fixed == kind.nightly.fixed
    assert kind.pull_request.new < kind.nightly.new
    assert kind.marks_seeds <= kind.nightly.fixed + kind.nightly.new


def test_there_are_enough_marks() -> None:
    points = [point.value for kind in KINDS.values() for point in kind.marks]
    assert len(points) >= 80
    for kind in KINDS.values():
        assert len({point.value for point in kind.marks}) == len(kind.marks)


@dataclass
class _Report:
    trace_hash: str = "abc"
    events: int = 7


class _Wrong:
    """A run in which something is always wrong."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def run(self) -> _Report:
        raise AssertionError(f"{self.seed} is wrong")

    def story(self) -> Iterator[str]:
        yield "options:"
        yield "last events:"


def test_a_failing_run_says_how_to_repeat_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raft = KINDS["raft"]
    column = Column(fixed=2, new=1)
    kind = Kind("raft", _Wrong, "events", column, column, raft.marks, raft.marks_seeds)
    monkeypatch.setattr(logging, "disable", lambda level: None)
    monkeypatch.setitem(KINDS, "raft", kind)
    assert runner.main(["raft", "--jobs", "1", "--start", "77"]) == 1
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("again: make sim SEED=77 KIND=raft")
    assert re.fullmatch(r"of commit (unknown|[0-9a-f]+(-dirty)?)", lines[place + 1])
    assert "sim-raft, seed 1: AssertionError: 1 is wrong" in lines
    assert re.fullmatch(r"sim-raft: 3 seeds, 3 failing, \d+ seeds/h", lines[-1])


def test_a_kind_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "disable", lambda level: None)
    with pytest.raises(SystemExit):
        runner.main(["rafts"])
