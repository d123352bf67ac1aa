"""Files that cannot be deployed: every fault is told, each with the element and what is wrong."""

from __future__ import annotations

import pytest
from tests.dmn.models import decision, document, knows, literal, model, requires, table

from grevy.dmn import InvalidDecisions, read_dmn
from grevy.protocol.errors import GrevyError

ONE = literal("1")


def refusal(*parts: str) -> InvalidDecisions:
    """Why a file is refused."""
    with pytest.raises(InvalidDecisions) as caught:
        read_dmn(document(*parts))
    return caught.value


@pytest.mark.parametrize(
    ("parts", "element", "text"),
    [
        ([decision("d", "")], "d", "must have an expression"),
        ([decision("d", ONE + ONE)], "d", "must have one expression only"),
        ([decision("d", "<literalExpression/>")], "d", "must have a 'text'"),
        ([decision("d", literal(""))], "d", "failed to parse expression ''"),
        ([decision("d", literal("1 +"))], "d", "at line 1, column 4"),
        ([decision("d", ONE.replace("sion>", 'sion expressionLanguage="juel">', 1))], "d", "The expression language 'juel' is not supported"),
        ([f'<decision name="x">{ONE}</decision>'], "", "must have an id"),
        ([f'<decision id="d">{ONE}</decision>'], "d", "must have a name"),
        ([f'<decision id="1d" name="x">{ONE}</decision>'], "1d", "The id must be"),
        ([decision("d", ONE), decision("d", ONE)], "d", "The id 'd' is taken by the element in line 2"),
        ([decision("d", ONE, "<foo/>")], "d", "The element 'foo' cannot stand in 'decision'"),
        ([decision("d", ONE, requires("nope"))], "d", "The requiredDecision '#nope' is not in the file"),
        ([decision("d", ONE, knows("nope"))], "d", "The requiredKnowledge '#nope' is not in the file"),
        ([decision("d", ONE, requires("d"))], "d", "It requires itself: d > d"),
        ([decision("d", ONE, requires("e")), decision("e", ONE, requires("d"))], "d", "It requires itself: d > e > d"),
        ([model("k", "a", ONE, knows("k"))], "k", "It requires itself: k > k"),
        ([decision("d", table(["n"], [], []))], "d", "must have an output"),
        ([decision("d", table(["n"], ["a", ""], []))], "o1", "must have a name"),
        ([decision("d", table(["n"], ["a"], [], "unique"))], "d", "The hit policy 'unique' is not one of ANY, COLLECT"),
        ([decision("d", table(["n"], ["a"], [], "COLLECT AVG"))], "d", "The aggregation 'AVG' is not one of"),
        ([decision("d", table(["n"], ["a", "b"], [], "COLLECT SUM"))], "d", "COLLECT with SUM needs a single output"),
        ([decision("d", table(["n +"], ["a"], []))], "i0", "failed to parse expression 'n +'"),
        ([decision("d", table(["n"], ["a"], [(["> > 1"], ["1"])]))], "r0", "failed to parse expression '> > 1'"),
        ([decision("d", table(["n"], ["a"], [(["1"], [""])]))], "r0", "failed to parse expression ''"),
        ([decision("d", table(["n"], ["a"], [(["1"], [])]))], "r0", "must have an output entry"),
        ([decision("d", '<decisionTable><input id="i"/><output id="o"/></decisionTable>')], "i", "must have an input expression"),
        ([decision("d", '<relation><column name="a"/><row id="w"/></relation>')], "w", "0 expressions for 1 columns"),
        ([decision("d", f"<context><contextEntry id='c'>{ONE}</contextEntry><contextEntry><variable name='x'/>{ONE}</contextEntry></context>")], "c", "Only the last entry"),
        ([decision("d", f"<invocation>{literal('k')}</invocation>"), model("k", "", ONE)], "d", "There is no business knowledge model 'k'"),
        ([decision("d", f"<functionDefinition>{ONE}</functionDefinition>")], "d", "no expression of a decision"),
        ([decision("d", f"<conditional><if>{ONE}</if></conditional>")], "d", "The expression 'conditional' is not supported"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_and_where(parts: list[str], element: str, text: str) -> None:
    refused = refusal(*parts)
    assert any(
        text in fault.text and fault.element_id in (element, "drg") for fault in refused.faults
    )
    assert text in str(refused)


def test_lists_every_fault_with_its_element_and_line() -> None:
    refused = refusal(
        decision("a", literal("1 +")),
        decision("b", table(["n"], ["v"], [(["1 +"], ["2 +"]), (["((", "))"], ["3"])])),
        decision("c", "", requires("nope")),
    )
    assert isinstance(refused, GrevyError)
    assert {fault.line for fault in refused.faults} == {2, 3, 4}
    for element in ("Element: a", "Element: r0", "Element: r1", "Element: c"):
        assert element in str(refused)
    assert len(refused.faults) == 7


@pytest.mark.parametrize("missing", ["id", "name", "namespace"])
def test_definitions_need_their_attributes(missing: str) -> None:
    file = document(decision("d", ONE)).decode()
    value = {"id": "drg", "name": "Requirements", "namespace": "n"}[missing]
    with pytest.raises(InvalidDecisions, match=f"must have a '{missing}'"):
        read_dmn(file.replace(f' {missing}="{value}"', "", 1).encode())


@pytest.mark.parametrize(
    "data", [b"", b"<", b"<x/>", b"\xff\xfe", b'<definitions id="a" name="b" namespace="c"/>']
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidDecisions):
        read_dmn(data)
