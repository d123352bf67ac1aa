"""Decisions, told one by one: what each box gives, what decisions see of each other, what fails."""

from __future__ import annotations

import pytest
from tests.dmn.models import (
    NOW_MS,
    Row,
    decision,
    document,
    evaluated,
    knows,
    literal,
    lookup_of,
    model,
    requires,
    table,
    value_of,
)

from grevy.dmn import DecisionInfo, EvaluatedInput, EvaluatedOutput, MatchedRule, read_dmn

NAMESPACES = [
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "http://www.omg.org/spec/DMN/20151101/dmn11.xsd",
    "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "https://www.omg.org/spec/DMN/20230324/MODEL/",
]
STEPS: list[Row] = [(["> 1"], ["10"]), (["> 5"], ["30"]), (["> 5"], ["20"]), (["< 0"], ["5"])]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_versions_of_dmn(namespace: str) -> None:
    assert value_of(document(decision("d", literal("1 + 1")), namespace=namespace)) == 2


def test_a_graph_says_what_it_has() -> None:
    tag = '<extensionElements><z:versionTag xmlns:z="http://camunda.org/schema/zeebe/1.0" value="v7"/></extensionElements>'
    graph = read_dmn(
        document(decision("b", literal("1"), variable=tag), decision("a", literal("2")))
    )
    assert (graph.id, graph.name, graph.namespace) == ("drg", "Requirements", "n")
    assert graph.decisions == (DecisionInfo("b", "b", "v7"), DecisionInfo("a", "a", ""))
    with pytest.raises(KeyError):
        graph.evaluate("c", lookup_of({}), NOW_MS)


def test_diagrams_and_foreign_elements_are_left_alone() -> None:
    diagram = '<d:DMNDI xmlns:d="https://www.omg.org/spec/DMN/20191111/DMNDI/"><d:DMNDiagram id="d"/></d:DMNDI>'
    assert value_of(document(decision("d", literal("1")), diagram)) == 1


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        ("FIRST", 10),
        ("PRIORITY", 10),
        ("RULE ORDER", [10, 30, 20]),
        ("OUTPUT ORDER", [10, 30, 20]),
        ("COLLECT", [10, 30, 20]),
        ("COLLECT SUM", 60),
        ("COLLECT MIN", 10),
        ("COLLECT MAX", 30),
        ("COLLECT COUNT", 3),
    ],
)
def test_hit_policies(policy: str, value: object) -> None:
    file = document(decision("d", table(["n"], ["v"], STEPS, policy)))
    assert value_of(file, n=9) == value
    assert value_of(file, n=0) is None


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("UNIQUE", "multiple values aren't allowed for UNIQUE"),
        ("ANY", "different values aren't allowed for ANY"),
    ],
)
def test_policies_that_several_rules_break(policy: str, reason: str) -> None:
    file = document(decision("d", table(["n"], ["v"], STEPS, policy)))
    assert value_of(file, n=3) == 10

    result = evaluated(file, n=9)

    assert reason in result.failure
    assert (result.output, result.failed_decision_id) == (b"null", "d")
    assert [rule.rule_index for rule in result.evaluated[0].matched_rules] == [1, 2, 3]


def test_priorities_come_from_output_values() -> None:
    box = table(
        ["n"],
        ["v"],
        [(["-"], ['"low"']), (["-"], ['"other"']), (["-"], ['"high"'])],
        "OUTPUT ORDER",
    )
    ranked = box.replace(
        'name="v"/>', 'name="v"><outputValues><text>"high", "low"</text></outputValues></output>'
    )
    assert value_of(document(decision("d", ranked))) == ["high", "low", "other"]


def test_a_table_reports_inputs_and_rules() -> None:
    box = table(
        ["n", "m + 1"], ["v", "w"], [(["1", "-"], ["1", "2"]), (["2", "< 5"], ["n", '"x"'])]
    )
    labelled = box.replace('id="i1"', 'id="i1" label="more"').replace(
        'name="w"', 'name="w" label="W"'
    )

    result = evaluated(document(decision("d", labelled)), n=2, m=3)

    assert result.output == b'{"v":2,"w":"x"}'
    (report,) = result.evaluated
    assert report.decision_type == "DECISION_TABLE"
    assert report.inputs == (EvaluatedInput("i0", "n", b"2"), EvaluatedInput("i1", "more", b"4"))
    outputs = (EvaluatedOutput("o0", "v", b"2"), EvaluatedOutput("o1", "W", b'"x"'))
    assert report.matched_rules == (MatchedRule("r1", 2, outputs),)


def test_a_failed_cell_is_reported_with_the_inputs() -> None:
    box = table(["n"], ["v"], [(["1"], ["1"]), (["assert(?, ? = 1)"], ["2"])], "FIRST")
    result = evaluated(document(decision("d", box)), n=2)
    assert result.failure.startswith("Expected to evaluate decision 'd', but Assertion failure")
    assert result.evaluated[0].inputs == (EvaluatedInput("i0", "n", b"2"),)
    assert result.evaluated[0].matched_rules == ()


@pytest.mark.parametrize(
    ("box", "kind", "value"),
    [
        (f"<list>{literal('n')}{literal('2')}</list>", "LIST", [1, 2]),
        ("<list/>", "LIST", []),
        (
            f"<context><contextEntry><variable name='a'/>{literal('n')}</contextEntry>"
            f"<contextEntry><variable name='b'/>{literal('a + 1')}</contextEntry></context>",
            "CONTEXT",
            {"a": 1, "b": 2},
        ),
        (
            f"<context><contextEntry><variable name='a'/>{literal('n')}</contextEntry>"
            f"<contextEntry>{literal('a + 1')}</contextEntry></context>",
            "CONTEXT",
            2,
        ),
        (
            f"<relation><column name='a'/><column name='b'/><row>{literal('n')}{literal('2')}</row></relation>",
            "RELATION",
            [{"a": 1, "b": 2}],
        ),
        (
            "<context><contextEntry><variable name='f'/><functionDefinition><formalParameter name='x'/>"
            f"{literal('x + n')}</functionDefinition></contextEntry><contextEntry>{literal('f(5)')}</contextEntry></context>",
            "CONTEXT",
            6,
        ),
    ],
)  # fmt: skip
def test_boxes(box: str, kind: str, value: object) -> None:
    file = document(decision("d", box))
    assert value_of(file, n=1) == value
    assert evaluated(file, n=1).evaluated[0].decision_type == kind


def test_required_decisions_come_first_by_the_name_of_their_variable() -> None:
    file = document(
        decision("d", literal("e + Total"), requires("e"), requires("f")),
        decision("e", literal("n * 10"), requires("f")),
        decision("f", literal("n"), variable='<variable name="Total"/>'),
    )
    assert value_of(file, n=2, e=99) == 22
    reported = [one.decision_id for one in evaluated(file, n=2).evaluated]
    assert reported == ["f", "e", "f", "d"]


def test_what_is_required_of_what_is_required_is_not_seen() -> None:
    file = document(
        decision("d", literal("f"), requires("e")),
        decision("e", literal("1"), requires("f")),
        decision("f", literal("1")),
    )
    assert value_of(file) is None


def test_the_failure_of_a_required_decision_is_that_of_the_whole() -> None:
    file = document(
        decision("d", literal("e"), requires("e")), decision("e", literal("assert(n, n = 1)"))
    )
    result = evaluated(file, n=2)
    assert result.failed_decision_id == "e"
    assert result.failure.startswith("Expected to evaluate decision 'd', but ")
    assert [one.decision_id for one in result.evaluated] == ["e"]


@pytest.mark.parametrize(
    ("type_ref", "text", "fits"),
    [
        ("string", '"a"', True),
        ("string", "1", False),
        ("string", "null", True),
        ("feel:number", '"1"', False),
        ("date", 'date("2020-01-01")', True),
        ("date", '"2020-01-01"', False),
        ("dayTimeDuration", 'duration("P1D")', True),
        ("yearMonthDuration", 'duration("P1D")', False),
        ("tShipment", "1", True),
    ],
)
def test_the_type_of_a_result(type_ref: str, text: str, fits: bool) -> None:
    variable = f'<variable name="d" typeRef="{type_ref}"/>'
    result = evaluated(document(decision("d", literal(text), variable=variable)))
    assert (result.failure == "") == fits
    assert fits or f"expected '{type_ref.removeprefix('feel:')}' but found" in result.failure


def test_knowledge_is_called_by_name_and_reported() -> None:
    file = document(
        decision("d", literal("k(n, 2) + k(b: 3, a: n)"), knows("k")),
        model("k", ["a", "b"], literal("a + b + n")),
    )
    assert value_of(file, n=1) == 9
    assert [one.decision_id for one in evaluated(file, n=1).evaluated] == ["k", "k", "d"]


def test_a_call_that_fails_is_null() -> None:
    file = document(
        decision("d", literal("[k(n), 1]"), knows("k")),
        model("k", "a", literal("assert(a, false)")),
    )
    assert value_of(file, n=1) == [None, 1]


def test_invocations_fail_with_what_they_call() -> None:
    box = f"<invocation>{literal('k')}<binding><parameter name='a'/>{literal('n')}</binding></invocation>"
    file = document(
        decision("d", box, knows("k")),
        model("k", "a", table(["a"], ["v"], [(["> 1"], ["a"]), (["3"], ["a"])])),
    )
    assert value_of(file, n=2) == 2
    result = evaluated(file, n=3)
    assert "UNIQUE" in result.failure
    assert result.failed_decision_id == "d"
    assert [one.decision_id for one in result.evaluated] == ["k", "d"]


def test_invocations_need_every_parameter() -> None:
    box = f"<invocation>{literal('k')}<binding><parameter name='b'/>{literal('n')}</binding></invocation>"
    file = document(decision("d", box, knows("k")), model("k", "a", literal("1")))
    assert "no parameter found with name 'a'" in evaluated(file).failure


def test_what_is_invoked_sees_what_its_caller_sees() -> None:
    invoked = f"<invocation>{literal('k')}<binding><parameter name='a'/>{literal('1')}</binding></invocation>"
    for box, value in ((invoked, [1, 7]), (literal("k(1)"), [1, None])):
        file = document(
            decision("d", box, requires("e"), knows("k")),
            decision("e", literal("7")),
            model("k", "a", literal("[a, e]")),
        )
        assert value_of(file) == value


def test_functions_in_a_context_can_be_called_and_are_shown_as_null() -> None:
    box = f"<context><contextEntry><variable name='f'/>{literal('function(x) x + 1')}</contextEntry></context>"
    file = document(decision("d", literal("e.f(1)"), requires("e")), decision("e", box))
    assert value_of(file) == 2
    assert value_of(file, "e") == {"f": None}


def test_decision_services_are_functions() -> None:
    service = (
        '<decisionService id="s" name="s"><outputDecision href="#price"/>'
        '<inputDecision href="#rate"/><inputData href="#amount"/></decisionService>'
        '<inputData id="amount" name="Amount"/>'
    )
    file = document(
        decision("d", literal("[s(10, 2), s(Amount: 5, rate: 3)]"), knows("s")),
        decision("price", literal("Amount * rate"), requires("rate")),
        decision("rate", literal("assert(1, false)")),
        service,
    )
    assert value_of(file, Amount=1) == [20, 15]
    assert [one.decision_id for one in evaluated(file).evaluated] == ["price", "price", "d"]


def test_the_time_is_the_one_that_was_given() -> None:
    assert value_of(document(decision("d", literal("string(now())")))) == "2026-01-01T12:00:00Z"


def test_chance_comes_from_outside() -> None:
    graph = read_dmn(document(decision("d", literal("uuid()"))))
    assert graph.evaluate("d", lookup_of({}), NOW_MS).output == b"null"
