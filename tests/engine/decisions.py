"""Small DMN files for the engine's tests."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

_HEAD: Final = (
    '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"'
    ' xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="{id}" name="{id}" namespace="test">'
)


def literal(decision_id: str, text: str, *, requires: str = "", tag: str = "") -> str:
    """A decision that is one expression."""
    extension = f'<zeebe:versionTag value="{tag}"/>' if tag else ""
    required = f'<requiredDecision href="#{requires}"/>' if requires else ""
    return (
        f'<decision id="{decision_id}" name="{decision_id}">'
        + (f"<extensionElements>{extension}</extensionElements>" if tag else "")
        + (f"<informationRequirement>{required}</informationRequirement>" if requires else "")
        + f"<literalExpression><text>{escape(text)}</text></literalExpression></decision>"
    )


def graph(graph_id: str, *decisions: str) -> str:
    """A file of decisions."""
    return f"{_HEAD.format(id=graph_id)}{''.join(decisions)}</definitions>"


def calling(decision: str, result: str = "r", more: str = "") -> str:
    """The extension element of a task that calls a decision."""
    called = f'<zeebe:calledDecision decisionId="{decision}" resultVariable="{result}" {more}/>'
    return f"<bpmn:extensionElements>{called}</bpmn:extensionElements>"
