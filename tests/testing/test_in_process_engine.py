"""The engine for tests, as its users see it."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.engine.models import ProcessBuilder, one_task, timer

import grevy.testing
from grevy.protocol.intents import (
    ErrorType,
    JobIntent,
    ProcessInstanceIntent,
    RejectionType,
    TimerIntent,
)
from grevy.testing import InProcessEngine, NoJob, Rejected

HEAVY = ("grevy.engine", "grevy.state", "grevy.bpmn", "lxml", "lmdb", "capnp", "msgspec")
"""What a test run that uses no engine must not pay for."""


def timers(*durations: str) -> str:
    """Timer catch events in a row."""
    builder = ProcessBuilder("p")
    events = [
        builder.node("intermediateCatchEvent", f"t{n}", timer(duration))
        for n, duration in enumerate(durations)
    ]
    builder.chain(builder.start(), *events, builder.end())
    return builder.xml()


def beating(cycle: str) -> str:
    """A task with a calm boundary timer that repeats."""
    builder = ProcessBuilder("p")
    builder.start()
    builder.task("task")
    inner = f"<bpmn:timeCycle>{cycle}</bpmn:timeCycle>"
    definition = f"<bpmn:timerEventDefinition>{inner}</bpmn:timerEventDefinition>"
    builder.node("boundaryEvent", "beat", definition, attachedToRef="task", cancelActivity="false")
    builder.chain("start", "task", builder.end())
    builder.chain("beat", builder.end("beat-end"))
    return builder.xml()


def test_an_instance_runs_to_its_end(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    instance = grevy_engine.create("p", {"x": 1})
    assert grevy_engine.variables(instance) == {"x": 1}

    grevy_engine.complete("work", {"y": 2})

    records = grevy_engine.records
    assert records.has_completed(instance)
    assert not records.has_terminated(instance)
    assert records.completed_elements(instance) == ["start", "task", "end", "p"]
    assert records.taken_flows(instance) == ["start-task", "task-end"]
    assert records.instances("p") == [instance]
    assert not records.instances("q")


def test_a_file_is_deployed_by_its_path(grevy_engine: InProcessEngine, tmp_path: Path) -> None:
    (tmp_path / "order.bpmn").write_text(one_task("order"))

    deployed = grevy_engine.deploy(tmp_path / "order.bpmn")

    (process,) = deployed.processes_metadata
    assert (process.bpmn_process_id, process.version) == ("order", 1)
    assert process.resource_name == "order.bpmn"


def test_records_are_found_by_intent_and_field(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    grevy_engine.create("p")

    (job,) = grevy_engine.records.of(JobIntent.CREATED, type="work")
    assert not grevy_engine.records.of(JobIntent.CREATED, type="other")
    exported = job.exported()
    assert (exported["valueType"], exported["intent"]) == ("JOB", "CREATED")
    assert exported["position"] == job.position
    assert len(grevy_engine.records.exported()) == len(grevy_engine.records)


def test_a_refused_command_says_why(grevy_engine: InProcessEngine) -> None:
    with pytest.raises(Rejected, match="there is none") as rejected:
        grevy_engine.create("unknown")

    assert rejected.value.rejection_type is RejectionType.NOT_FOUND
    assert len(grevy_engine.records.rejections()) == 1


def test_a_job_that_is_not_there_cannot_be_worked_on(grevy_engine: InProcessEngine) -> None:
    with pytest.raises(NoJob, match="work"):
        grevy_engine.complete("work")


def test_time_goes_from_one_timer_to_the_next(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", timers("PT10S", "PT10S"))
    start = grevy_engine.clock.now_ms()
    instance = grevy_engine.create("p")

    grevy_engine.increase_time(timedelta(seconds=30))

    fired = [r.timestamp - start for r in grevy_engine.records.of(TimerIntent.TRIGGERED)]
    assert fired == [10_000, 20_000]
    assert grevy_engine.records.has_completed(instance)
    assert grevy_engine.clock.now_ms() == start + 30_000


def test_a_jump_of_the_clock_fires_late(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", timers("PT10S", "PT10S"))
    start = grevy_engine.clock.now_ms()
    instance = grevy_engine.create("p")

    grevy_engine.increase_time(30, at_once=True)

    fired = [r.timestamp - start for r in grevy_engine.records.of(TimerIntent.TRIGGERED)]
    assert fired == [30_000]
    assert not grevy_engine.records.has_completed(instance)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_repeating_timer_catches_up(grevy_engine: InProcessEngine, *, at_once: bool) -> None:
    grevy_engine.deploy("p.bpmn", beating("R/PT10S"))
    grevy_engine.create("p")

    grevy_engine.increase_time(35, at_once=at_once)

    assert len(grevy_engine.records.of(TimerIntent.TRIGGERED)) == 3


def test_jobs_come_back_when_their_time_is_up(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    grevy_engine.create("p")
    (first,) = grevy_engine.activate_jobs("work", timeout_ms=5_000)
    assert not grevy_engine.activate_jobs("work")

    grevy_engine.increase_time(6)
    (again,) = grevy_engine.activate_jobs("work")
    assert (again.key, again.activation) == (first.key, first.activation + 1)

    grevy_engine.fail(again, retries=1, backoff_ms=60_000)
    assert not grevy_engine.activate_jobs("work")
    grevy_engine.increase_time(61)
    assert len(grevy_engine.activate_jobs("work")) == 1


def test_a_cancelled_instance_has_terminated(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    instance = grevy_engine.create("p")

    grevy_engine.cancel(instance)

    assert grevy_engine.records.has_terminated(instance)
    terminated = ProcessInstanceIntent.ELEMENT_TERMINATED
    assert grevy_engine.records.elements(terminated, instance) == ["task", "p"]


def test_incidents_are_found_and_resolved(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    instance = grevy_engine.create("p")
    other = grevy_engine.create("p")
    assert not grevy_engine.incidents()

    grevy_engine.fail("work", message="no money")

    (incident,) = grevy_engine.incidents(instance)
    assert (incident.error_type, incident.message) == (ErrorType.JOB_NO_RETRIES, "no money")
    assert (incident.element_id, incident.process_instance_key) == ("task", instance)
    assert not grevy_engine.incidents(other)
    grevy_engine.resolve_incident(incident, retries=1)
    assert not grevy_engine.incidents()
    grevy_engine.complete("work")
    assert grevy_engine.records.has_completed(instance)


def test_where_an_instance_is(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    instance = grevy_engine.create("p")
    assert grevy_engine.records.active_elements(instance) == ["task"]
    grevy_engine.complete("work")
    assert grevy_engine.records.active_elements(instance) == []


def test_variables_are_known_after_the_end(grevy_engine: InProcessEngine) -> None:
    grevy_engine.deploy("p.bpmn", one_task())
    instance = grevy_engine.create("p", {"x": 1})
    grevy_engine.complete("work", {"x": 2, "y": [3]})
    assert grevy_engine.records.has_completed(instance)
    assert grevy_engine.variables(instance) == {"x": 2, "y": [3]}


def test_a_failed_test_shows_what_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "order.bpmn").write_text(one_task("order"))
    (tmp_path / "test_it.py").write_text(
        "def test_it(grevy_engine):\n"
        "    grevy_engine.deploy('order.bpmn')\n"
        "    grevy_engine.create('order', {'amount': 7})\n"
        "    assert grevy_engine.incidents()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "1 failed" in done.stdout
    assert "grevy records" in done.stdout
    assert "amount = 7" in done.stdout


def test_every_public_name_is_there() -> None:
    for name in grevy.testing.__all__:
        assert getattr(grevy.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = grevy.testing.nothing_of_the_kind


def test_the_plug_in_loads_no_engine() -> None:
    code = "import sys, grevy.testing.plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())


CHANCE = """<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="t"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"><process id="p" isExecutable="true">
  <startEvent id="s"/><scriptTask id="x"><extensionElements>
  <zeebe:script expression="={id: uuid(), roll: random number()}" resultVariable="r"/>
  </extensionElements></scriptTask><endEvent id="e"/>
  <sequenceFlow id="a" sourceRef="s" targetRef="x"/>
  <sequenceFlow id="b" sourceRef="x" targetRef="e"/>
  </process></definitions>"""


def chance(seed: int) -> object:
    """What chance gives an instance of an engine with that seed."""
    engine = InProcessEngine(seed=seed)
    engine.deploy("p.bpmn", CHANCE)
    return engine.create_with_result("p").result()["r"]


def test_the_seed_decides_what_chance_gives() -> None:
    first = chance(1)
    assert isinstance(first, dict)
    assert len(first["id"]) == 36
    assert 0 <= first["roll"] < 1
    assert chance(1) == first
    assert chance(2) != first
