"""DMN: decisions and their requirement graphs, read from XML, checked, and compiled once.

    graph = read_dmn(resource)  # raises InvalidDecisions, with every fault
    result = graph.evaluate("decision_id", lookup, now_ms)  # never raises for bad data
    result.output, result.evaluated, result.failure

Bytes become a small tree (room `xml`), whose shape is checked (`grammar`); decisions and what they
require are put together, each after what it requires (`reader`, `requirements`); a table of readers
makes logic of boxes (`boxes` to `logic` and `tables`). An evaluation is a walk over the graph
(`graph`) with one budget and one report (`sitting`). The rules of a table are found by an index
(`matching`); `hits` makes one value of them.

What is in a cell or a box is FEEL (`grevy.feel`), compiled when the resource is read. Nothing here
reads a clock or knows the engine.
"""

from grevy.dmn.errors import InvalidDecisions
from grevy.dmn.graph import DecisionGraph, DecisionInfo
from grevy.dmn.reader import read_dmn
from grevy.dmn.results import (
    DecisionResult,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
)

__all__ = [
    "DecisionGraph",
    "DecisionInfo",
    "DecisionResult",
    "EvaluatedDecision",
    "EvaluatedInput",
    "EvaluatedOutput",
    "InvalidDecisions",
    "MatchedRule",
    "read_dmn",
]
