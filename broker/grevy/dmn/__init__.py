"""DMN: decisions and their requirement graphs, read from XML, checked, and compiled once.

    graph = read_dmn(resource)  # raises InvalidDecisions, with every fault
    result = graph.evaluate("decision_id", lookup, now_ms)  # never raises for bad data
    result.output, result.evaluated, result.failure

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
