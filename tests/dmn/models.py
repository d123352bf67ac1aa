"""Small DMN files, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from grevy.dmn import DecisionResult, read_dmn
from grevy.feel import Lookup

NOW_MS = 1_767_268_800_000
NAMESPACE = "https://www.omg.org/spec/DMN/20191111/MODEL/"

Row = tuple[Sequence[str], Sequence[str]]


def document(*parts: str, namespace: str = NAMESPACE) -> bytes:
    """A file of these parts."""
    body = "\n".join(parts)
    return (
        f'<definitions xmlns="{namespace}" id="drg" name="Requirements" namespace="n">\n{body}\n</definitions>'
    ).encode()


def escaped(text: str) -> str:
    """A text as XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def decision(name: str, box: str, *requirements: str, variable: str = "") -> str:
    """A decision with a box."""
    return f'<decision id="{name}" name="{name}">{variable}{"".join(requirements)}{box}</decision>'


def literal(text: str) -> str:
    """A literal expression."""
    return f"<literalExpression><text>{escaped(text)}</text></literalExpression>"


def requires(name: str) -> str:
    """An information requirement."""
    return f'<informationRequirement><requiredDecision href="#{name}"/></informationRequirement>'


def knows(name: str) -> str:
    """A knowledge requirement."""
    return f'<knowledgeRequirement><requiredKnowledge href="#{name}"/></knowledgeRequirement>'


def model(name: str, parameters: Iterable[str], box: str, *requirements: str) -> str:
    """A business knowledge model."""
    formal = "".join(f'<formalParameter name="{parameter}"/>' for parameter in parameters)
    return (
        f'<businessKnowledgeModel id="{name}" name="{name}"><encapsulatedLogic>{formal}{box}'
        f"</encapsulatedLogic>{''.join(requirements)}</businessKnowledgeModel>"
    )


def table(
    inputs: Iterable[str], outputs: Iterable[str], rows: Iterable[Row], policy: str = "UNIQUE"
) -> str:
    """A decision table; `policy` may be followed by an aggregation, as in `COLLECT SUM`."""
    hits, aggregation = policy, ""
    if policy.startswith("COLLECT "):
        hits, aggregation = policy.split()
    attributes = f'hitPolicy="{hits}"' + (f' aggregation="{aggregation}"' if aggregation else "")
    columns = "".join(
        f'<input id="i{at}"><inputExpression><text>{escaped(text)}</text></inputExpression></input>'
        for at, text in enumerate(inputs)
    ) + "".join(f'<output id="o{at}" name="{name}"/>' for at, name in enumerate(outputs))
    rules = "".join(
        f'<rule id="r{at}">'
        + "".join(f"<inputEntry><text>{escaped(cell)}</text></inputEntry>" for cell in cells)
        + "".join(f"<outputEntry><text>{escaped(entry)}</text></outputEntry>" for entry in entries)
        + "</rule>"
        for at, (cells, entries) in enumerate(rows)
    )
    return f"<decisionTable {attributes}>{columns}{rules}</decisionTable>"


def lookup_of(variables: Mapping[str, object]) -> Lookup:
    """Variables as JSON."""
    raw = {name: msgspec.json.encode(value) for name, value in variables.items()}
    return raw.get


def evaluated(file: bytes, name: str = "d", **variables: object) -> DecisionResult:
    """The result of a decision."""
    return read_dmn(file).evaluate(name, lookup_of(variables), NOW_MS)


def value_of(file: bytes, name: str = "d", **variables: object) -> object:
    """The output of a decision that does not fail."""
    result = evaluated(file, name, **variables)
    assert not result.failure
    found: object = msgspec.json.decode(result.output)
    return found
