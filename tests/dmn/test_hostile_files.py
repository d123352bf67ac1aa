"""Files that mean harm: each is read, or refused with `InvalidDecisions`; what is read can be
evaluated within its budget, whatever it says.
"""

from __future__ import annotations

import itertools

import pytest
from tests.dmn.models import (
    decision,
    document,
    evaluated,
    knows,
    literal,
    model,
    requires,
    table,
    value_of,
)

from grevy.dmn import InvalidDecisions, read_dmn
from grevy.protocol.limits import (
    DMN_ELEMENTS_MAX,
    DMN_EVALUATIONS_MAX,
    DMN_FEEL_CHARS_MAX,
    DMN_RESULT_BYTES_MAX,
    DMN_STEPS_MAX,
    RESOURCE_BYTES_MAX,
    VALIDATION_REPORT_BYTES_MAX,
    XML_DEPTH_MAX,
)

GOOD = document(decision("d", literal("1")))


def laughs() -> str:
    """Entities that grow to 10^9 characters."""
    names = [f"l{n}" for n in range(10)]
    grown = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in itertools.pairwise(names))
    return f'<!ENTITY l0 "ha">{grown}'


@pytest.mark.parametrize(
    "subset", [laughs(), '<!ENTITY x SYSTEM "file:///etc/passwd">', '<!ENTITY % p "x"> %p;', ""]
)
def test_a_document_type_is_refused(subset: str) -> None:
    with pytest.raises(InvalidDecisions, match="document type"):
        read_dmn(f"<!DOCTYPE definitions [{subset}]>".encode() + GOOD)


def test_limits_of_xml() -> None:
    deep = "<context><contextEntry>" * XML_DEPTH_MAX
    for file, text in (
        (b" " * (RESOURCE_BYTES_MAX + 1), "bytes"),
        (document("<f/>" * (DMN_ELEMENTS_MAX + 1)), "elements"),
        (document(decision("d", deep + "</contextEntry></context>" * XML_DEPTH_MAX)), "inside"),
    ):
        with pytest.raises(InvalidDecisions, match=text):
            read_dmn(file)


def test_a_report_has_a_limit() -> None:
    file = document(*(decision(f"d{n}", literal("(")) for n in range(2_000)))
    with pytest.raises(InvalidDecisions, match="more errors") as caught:
        read_dmn(file)
    assert len(str(caught.value).encode()) <= VALIDATION_REPORT_BYTES_MAX
    assert len(caught.value.faults) == 2_000


def test_feel_of_a_file_has_a_limit() -> None:
    texts = (f'"{n} {"x" * 60_000}"' for n in range(DMN_FEEL_CHARS_MAX // 60_000 + 3))
    with pytest.raises(InvalidDecisions, match="have more than 524288 characters") as caught:
        read_dmn(document(*(decision(f"d{n}", literal(text)) for n, text in enumerate(texts))))
    assert len(caught.value.faults) == 1


def test_constants_have_no_other_limit_than_the_file() -> None:
    words = [f"{n}-{'x' * 120}" for n in range(DMN_FEEL_CHARS_MAX // 120 + 1)]
    assert sum(map(len, words)) > DMN_FEEL_CHARS_MAX
    rows = [([f'"{word}"'], [str(n)]) for n, word in enumerate(words)]
    assert (
        value_of(document(decision("d", table(["x"], ["y"], rows))), x=words[-1]) == len(rows) - 1
    )


def test_the_deepest_boxes_are_evaluated() -> None:
    levels = XML_DEPTH_MAX - 8
    box = "<list>" * levels + literal("1") + "</list>" * levels
    result = evaluated(document(decision("d", box)))
    assert result.output == b"[" * levels + b"1" + b"]" * levels or "nest" in result.failure


def test_a_long_chain_of_decisions() -> None:
    parts = [decision("d0", literal("1"))]
    parts += [
        decision(f"d{n}", literal(f"d{n - 1} + 1"), requires(f"d{n - 1}")) for n in range(1, 900)
    ]
    assert value_of(document(*reversed(parts)), "d899") == 900


def test_a_long_chain_of_knowledge_ends() -> None:
    parts = [model("k0", "a", literal("a"))]
    parts += [
        model(f"k{n}", "a", literal(f"k{n - 1}(a)"), knows(f"k{n - 1}")) for n in range(1, 400)
    ]
    result = evaluated(document(*parts, decision("d", literal("k399(1)"), knows("k399"))))
    assert result.output == b"null"


def test_decisions_that_double_at_each_level() -> None:
    parts = [decision("d0", literal("1"))]
    parts += [
        decision(f"d{n}", literal("1"), requires(f"d{n - 1}"), requires(f"d{n - 1}"))
        for n in range(1, 60)
    ]
    result = evaluated(document(*parts), "d59")
    assert f"more than {DMN_EVALUATIONS_MAX} decisions" in result.failure
    assert len(result.evaluated) <= DMN_EVALUATIONS_MAX


def test_calls_that_multiply_at_each_level() -> None:
    parts = [model("k0", "a", literal("a"))]
    parts += [
        model(f"k{n}", "a", literal(f"for i in 1..9 return k{n - 1}(i)"), knows(f"k{n - 1}"))
        for n in range(1, 12)
    ]
    result = evaluated(document(*parts, decision("d", literal("k11(1)"), knows("k11"))))
    assert len(result.evaluated) <= DMN_EVALUATIONS_MAX


def test_large_outputs_of_many_rules() -> None:
    box = table([], ["v"], [([], ["text"])] * 1_000, "COLLECT")
    result = evaluated(document(decision("d", box)), text="x" * 100_000)
    assert f"more than {DMN_RESULT_BYTES_MAX} bytes" in result.failure
    assert result.failed_decision_id == "d"
    assert result.output == b"null"


def test_cells_that_take_long() -> None:
    slow = [f"some i in 1..{n} satisfies i = ?" for n in range(90_000, 90_200)]
    box = table(["n"], ["v"], [([cell], ["1"]) for cell in slow])
    result = evaluated(document(decision("d", box)), n=0)
    assert "steps" in result.failure


def test_a_context_of_many_entries() -> None:
    entries = (
        f'<contextEntry><variable name="e{n}"/>{literal("1")}</contextEntry>' for n in range(20_000)
    )
    result = evaluated(document(decision("d", f"<context>{''.join(entries)}</context>")))
    assert f"more than {DMN_STEPS_MAX} steps" in result.failure


def test_many_ranks_of_many_outputs() -> None:
    """Each rank is found at once; looked for one by one, this takes minutes."""
    ranks = ",".join(f'"r{n}"' for n in range(200_000))
    box = table([], ["v"], [([], ['"none"']), ([], ['"r150000"'])] * 2_000, "OUTPUT ORDER")
    ranked = f'name="v"><outputValues><text>{ranks}</text></outputValues></output>'
    found = value_of(document(decision("d", box.replace('name="v"/>', ranked))))
    assert found == ["r150000"] * 2_000 + ["none"] * 2_000


def test_variables_that_are_no_json() -> None:
    graph = read_dmn(document(decision("d", table(["n"], ["v"], [(["1"], ["1"])]))))
    result = graph.evaluate("d", lambda _: b"{", 0)
    assert "not JSON" in result.failure
