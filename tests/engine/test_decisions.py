"""Decisions: their versions, who finds which, and what is left when they are deleted."""

from __future__ import annotations

import pytest
from tests.engine.decisions import calling, graph, literal
from tests.engine.models import ProcessBuilder, one_task
from tests.engine.walk import Replica

from grevy.dmn import DecisionInfo
from grevy.engine.decision_order import deployment_order, in_table_order
from grevy.protocol.intents import (
    DecisionEvaluationIntent,
    DecisionIntent,
    DecisionRequirementsIntent,
    ErrorType,
    ProcessIntent,
    RejectionType,
    ResourceDeletionIntent,
)
from grevy.protocol.values import DecisionEvaluationValue, DeploymentValue
from grevy.testing import InProcessEngine, Rejected

DOUBLE = graph("g", literal("d", "x * 2"))
TRIPLE = graph("g", literal("d", "x * 3"))
PICKY = graph("g", literal("d", "assert(x, x > 3)"))


def task(decision: str = "d", more: str = "") -> str:
    """A process `p` of one task that calls a decision."""
    builder = ProcessBuilder("p")
    rule = builder.node("businessRuleTask", "t", calling(decision, more=more))
    builder.chain(builder.start(), rule, builder.end())
    return builder.xml()


def result(engine: InProcessEngine, **variables: object) -> object:
    return engine.create_with_result("p", variables).result().get("r")


def versions(deployed: DeploymentValue) -> list[tuple[int, bool]]:
    return [(one.version, one.duplicate) for one in deployed.decisions_metadata]


def graph_key(deployed: DeploymentValue) -> int:
    (metadata,) = deployed.decision_requirements_metadata
    return metadata.decision_requirements_key


def replayed(engine: InProcessEngine) -> bool:
    """Whether a replica comes to the same state."""
    replica = Replica(engine)
    replica.catch_up()
    return replica.state.hash == engine.state.hash


def test_a_task_takes_the_newest_version() -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", task())
    engine.deploy("g.dmn", DOUBLE)
    first = result(engine, x=4)
    engine.deploy("g.dmn", TRIPLE)
    assert (first, result(engine, x=4)) == (8, 12)
    assert replayed(engine)


def test_what_is_known_is_not_deployed_again() -> None:
    engine = InProcessEngine()
    first = engine.deploy("g.dmn", DOUBLE)
    again = engine.deploy("g.dmn", DOUBLE)
    renamed = engine.deploy("h.dmn", DOUBLE)
    changed = engine.deploy("h.dmn", TRIPLE)
    back = engine.deploy("h.dmn", DOUBLE)
    every = [versions(deployed) for deployed in (first, again, renamed, changed, back)]
    assert every == [[(1, False)], [(1, True)], [(2, False)], [(3, False)], [(4, False)]]
    assert again.decisions_metadata[0].decision_key == first.decisions_metadata[0].decision_key


def test_a_decision_that_moved_to_another_graph_is_not_known_in_the_old_one() -> None:
    engine = InProcessEngine()
    engine.deploy("g.dmn", DOUBLE)
    moved = engine.deploy("h.dmn", graph("h", literal("d", "7")))
    back = engine.deploy("g.dmn", DOUBLE)
    assert (versions(moved), versions(back)) == ([(2, False)], [(3, False)])
    assert back.decision_requirements_metadata[0].decision_requirements_version == 2


def test_one_new_file_makes_all_of_its_deployment_new() -> None:
    engine = InProcessEngine()
    engine.deploy("g.dmn", DOUBLE)
    both = engine.deploy_files({"g.dmn": DOUBLE, "p.bpmn": task()})
    again = engine.deploy_files({"p.bpmn": task(), "g.dmn": DOUBLE})
    assert (versions(both), versions(again)) == ([(2, False)], [(2, True)])
    assert again.processes_metadata[0].duplicate


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"g.dmn": DOUBLE, "h.dmn": graph("h", literal("d", "1"))}, "decision id 'd' is taken"),
        ({"g.dmn": DOUBLE, "h.dmn": graph("g", literal("e", "1"))}, "requirements id 'g' is taken"),
        ({"g.dmn": graph("g", literal("d", "1 +"))}, "'g.dmn'"),
        ({"p.bpmn": task(more='bindingType="deployment"')}, "decision 'd' in this deployment"),
        ({"g.form": "{}"}, "other kinds"),
    ],
)
def test_refused_deployments(files: dict[str, bytes | str], words: str) -> None:
    engine = InProcessEngine()
    with pytest.raises(Rejected, match=words) as refused:
        engine.deploy_files(files)
    assert refused.value.rejection_type is RejectionType.INVALID_ARGUMENT


def test_binding_deployment() -> None:
    engine = InProcessEngine()
    engine.deploy_files({"p.bpmn": task(more='bindingType="deployment"'), "g.dmn": DOUBLE})
    engine.deploy("g.dmn", TRIPLE)
    assert result(engine, x=1) == 2


def test_binding_version_tag() -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", task(more='bindingType="versionTag" versionTag="a"'))
    engine.deploy("g.dmn", graph("g", literal("d", "1", tag="a")))
    engine.deploy("g.dmn", graph("g", literal("d", "2", tag="a")))
    newest = engine.deploy("h.dmn", graph("h", literal("d", "3", tag="b")))
    assert result(engine) == 2
    engine.delete(graph_key(newest))
    assert result(engine) == 2
    assert replayed(engine)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "no decision found for id 'e'"),
        ('bindingType="deployment"', "in the deployment with key"),
        ('bindingType="versionTag" versionTag="a"', "version tag 'a'"),
    ],
)
def test_a_decision_that_is_missing_is_an_incident(more: str, words: str) -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", task("=which", more))
    engine.create("p", {"which": "e"})
    (incident,) = engine.incidents()
    assert incident.error_type is ErrorType.CALLED_DECISION_ERROR
    assert words in incident.message


def test_a_failed_evaluation_is_told_and_tried_again() -> None:
    engine = InProcessEngine()
    engine.deploy_files({"p.bpmn": task(), "g.dmn": PICKY})
    instance = engine.create("p", {"x": 1})
    (incident,) = engine.incidents()
    (failed,) = engine.records.of(DecisionEvaluationIntent.FAILED)
    engine.set_variables(instance, {"x": 5})
    engine.resolve_incident(incident)
    assert incident.error_type is ErrorType.DECISION_EVALUATION_ERROR
    assert isinstance(failed.value, DecisionEvaluationValue)
    assert failed.value.evaluation_failure_message == incident.message
    assert failed.value.failed_decision_id == "d"
    assert engine.variables(instance)["r"] == 5
    assert replayed(engine)


def test_the_result_stays_in_the_task_when_an_input_has_its_name() -> None:
    builder = ProcessBuilder("p")
    mapping = '<zeebe:ioMapping><zeebe:input source="=7" target="r"/></zeebe:ioMapping>'
    inner = calling("d").replace("</bpmn:", mapping + "</bpmn:")
    rule = builder.node("businessRuleTask", "t", inner)
    builder.chain(builder.start(), rule, builder.end())
    engine = InProcessEngine()
    engine.deploy_files({"p.bpmn": builder.xml(), "g.dmn": DOUBLE})
    assert engine.create_with_result("p", {"x": 1}).result() == {"x": 1}


def test_clients_evaluate_by_id_and_by_key() -> None:
    engine = InProcessEngine()
    first = engine.deploy(
        "g.dmn", graph("g", literal("top", "d + 1", requires="d"), literal("d", "x"))
    )
    engine.deploy("g.dmn", graph("g", literal("top", "d + 2", requires="d"), literal("d", "x")))
    (old,) = [one.decision_key for one in first.decisions_metadata if one.decision_id == "top"]

    newest = engine.evaluate_decision("top", {"x": 1})
    older = engine.evaluate_decision(decision_key=old, variables={"x": 1})

    assert (newest.output, older.output) == (3, 2)
    assert [one.decision_id for one in newest.value.evaluated_decisions] == ["d", "top"]
    assert (newest.value.decision_version, older.value.decision_version) == (2, 1)


def test_a_failure_is_an_answer() -> None:
    engine = InProcessEngine()
    engine.deploy(
        "g.dmn", graph("g", literal("top", "d", requires="d"), literal("d", "assert(x, x > 3)"))
    )
    outcome = engine.evaluate_decision("top", {"x": 1})
    assert (outcome.output, outcome.failed_decision_id) == (None, "d")
    assert outcome.failure.startswith("Expected to evaluate decision 'top'")


@pytest.mark.parametrize(
    ("asked", "rejection"),
    [
        (DecisionEvaluationValue(decision_id="none"), RejectionType.NOT_FOUND),
        (DecisionEvaluationValue(decision_key=99), RejectionType.NOT_FOUND),
        (DecisionEvaluationValue(), RejectionType.INVALID_ARGUMENT),
        (DecisionEvaluationValue(decision_id="d", variables=b"[]"), RejectionType.INVALID_ARGUMENT),
    ],
)
def test_refused_evaluations(asked: DecisionEvaluationValue, rejection: RejectionType) -> None:
    engine = InProcessEngine()
    engine.deploy("g.dmn", DOUBLE)
    with pytest.raises(Rejected) as refused:
        engine.execute(DecisionEvaluationIntent.EVALUATE, -1, asked)
    assert refused.value.rejection_type is rejection


def test_deleting_the_newest_graph_brings_back_the_one_before() -> None:
    engine = InProcessEngine()
    engine.deploy("g.dmn", DOUBLE)
    newest = engine.deploy("h.dmn", graph("h", literal("d", "7")))
    engine.delete(graph_key(newest))
    assert engine.evaluate_decision("d", {"x": 1}).output == 2
    assert versions(engine.deploy("h.dmn", graph("h", literal("d", "7")))) == [(2, False)]
    assert replayed(engine)


def test_deleting_all_leaves_nothing() -> None:
    engine = InProcessEngine()
    for content in (DOUBLE, TRIPLE, PICKY):
        engine.deploy("g.dmn", content)
    keys = [record.key for record in engine.records.of(DecisionRequirementsIntent.CREATED)]
    for key in (keys[1], keys[2], keys[0]):
        engine.delete(key)
    with pytest.raises(Rejected, match="no decision found"):
        engine.evaluate_decision("d")
    with pytest.raises(Rejected, match="no such resource") as refused:
        engine.delete(keys[0])
    assert refused.value.rejection_type is RejectionType.NOT_FOUND
    assert len(engine.records.of(DecisionIntent.DELETED)) == 3
    assert replayed(engine)


def test_a_process_with_instances_is_not_deleted() -> None:
    engine = InProcessEngine()
    key = engine.deploy("p.bpmn", one_task()).processes_metadata[0].process_definition_key
    engine.create("p")
    with pytest.raises(Rejected, match="still running") as refused:
        engine.delete(key)
    engine.complete("work")
    engine.delete(key)
    assert refused.value.rejection_type is RejectionType.INVALID_STATE
    with pytest.raises(Rejected):
        engine.create("p")
    assert engine.deploy("p.bpmn", one_task()).processes_metadata[0].version == 2
    assert replayed(engine)


def test_a_deleted_process_gives_its_start_event_back() -> None:
    engine = InProcessEngine()
    for version in (1, 2):
        builder = ProcessBuilder("p")
        message = builder.message("go")
        start = builder.start(inner=f'<bpmn:messageEventDefinition messageRef="{message}"/>')
        builder.chain(start, builder.task("t", f"work{version}"), builder.end())
        deployed = engine.deploy("p.bpmn", builder.xml())
    engine.delete(deployed.processes_metadata[0].process_definition_key)
    engine.publish("go")
    assert len(engine.activate_jobs("work1")) == 1
    assert len(engine.records.of(ProcessIntent.DELETED, ResourceDeletionIntent.DELETED)) == 2
    third = engine.deploy("p.bpmn", builder.xml()).processes_metadata[0]
    engine.publish("go")
    assert third.version == 3
    assert (len(engine.activate_jobs("work1")), len(engine.activate_jobs("work2"))) == (0, 1)
    assert replayed(engine)


@pytest.mark.parametrize(
    ("ids", "order"),
    [
        (["top", "bad"], ["bad", "top"]),
        (["a", "b", "c", "f", "t", "y", "rng"], ["a", "b", "c", "t", "f", "y", "rng"]),
        (
            [f"step{n}" for n in range(24)],
            [f"step{n}" for n in (23, 22, 21, 20, 14, 6, 13, 7, 12, 4, 11, 5, 10, 8, 9, 2, 3, 0, 1)]
            + [f"step{n}" for n in (19, 18, 17, 16, 15)],
        ),
    ],
)
def test_the_order_of_a_graph(ids: list[str], order: list[str]) -> None:
    """As Zeebe's engine answered."""
    decisions = [DecisionInfo(id_, id_) for id_ in ids]
    assert [one.id for one in deployment_order(decisions)] == order


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (b'{"z":1.50,"a":{"m":1,"b":2}}', b'{"a":{"b":2,"m":1},"z":1.50}'),
        (b'[{"b":1,"a":2,"zz":3,"c":4}]', b'[{"zz":3,"a":2,"b":1,"c":4}]'),
        (b'{"zebra":1,"apple":2,"mango":3}', b'{"zebra":1,"apple":2,"mango":3}'),
        (b'{"BBBB":1,"AaBB":2,"AaAa":3}', b'{"BBBB":1,"AaBB":2,"AaAa":3}'),
        (
            '{"k9":1,"k10":2,"k1":3,"K":4,"é":5,"_":6}'.encode(),
            '{"k9":1,"é":5,"k10":2,"_":6,"k1":3,"K":4}'.encode(),
        ),
        (b'"{"', b'"{"'),
        (b"12345678901234567890123456789", b"12345678901234567890123456789"),
    ],
)
def test_the_order_of_variables(given: bytes, seen: bytes) -> None:
    """As Zeebe's engine answered."""
    assert in_table_order({"x": given}.get)("x") == seen
    assert in_table_order({"x": given}.get)("y") is None
