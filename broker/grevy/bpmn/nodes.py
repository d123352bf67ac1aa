"""What the readers of all flow nodes have in common."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.decisions import check_called_decisions
from grevy.bpmn.extensions import check_extensions, read_mappings
from grevy.bpmn.model import Element
from grevy.bpmn.reading import Reading
from grevy.protocol.intents import BpmnElementType, BpmnEventType
from grevy.xml import Node

_DEFINITIONS: Final = ("EventDefinition", "eventDefinitionRef")


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def event_definitions(node: Node) -> list[Node]:
    """The event definitions of an event, and references to such."""
    return [child for child in node.children if child.name.endswith(_DEFINITIONS)]


def new_element(
    node: Node,
    reading: Reading,
    element_type: BpmnElementType,
    event_type: BpmnEventType = BpmnEventType.UNSPECIFIED,
) -> Element:
    """An element with what every flow node may have: id, name, mappings."""
    check_extensions(node, reading)
    check_called_decisions(node, reading)
    inputs, outputs = read_mappings(node, reading)
    return Element(
        id=node.id,
        element_type=element_type,
        event_type=event_type,
        name=node.get("name"),
        inputs=inputs,
        outputs=outputs,
    )
