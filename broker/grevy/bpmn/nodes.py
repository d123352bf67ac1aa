"""What the readers of all flow nodes have in common."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.errors import quote
from grevy.bpmn.extensions import read_mappings, refuse_not_yet
from grevy.bpmn.model import Element
from grevy.bpmn.reader import Node
from grevy.bpmn.reading import Reading
from grevy.protocol.intents import BpmnElementType, BpmnEventType

_DEFINITIONS: Final = ("EventDefinition", "eventDefinitionRef")


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


SILENT: Final = names(
    """
    documentation extensionElements incoming outgoing auditing monitoring categoryValueRef property
    ioSpecification ioBinding supportedInterfaceRef dataInput dataOutput inputSet outputSet script
    dataInputAssociation dataOutputAssociation resourceRole performer humanPerformer potentialOwner
    multiInstanceLoopCharacteristics standardLoopCharacteristics
    """
)
"""Children of a flow node that say nothing to the engine, or that its reader looks for by name."""


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
    refuse_not_yet(node, reading)
    inputs, outputs = read_mappings(node, reading)
    return Element(
        id=node.id,
        element_type=element_type,
        event_type=event_type,
        name=node.get("name"),
        inputs=inputs,
        outputs=outputs,
    )


def check_children(node: Node, reading: Reading) -> None:
    """Refuses children that BPMN does not have there: they would be silently without effect."""
    for child in node.children:
        if child.name in SILENT or child.name.endswith(_DEFINITIONS):
            continue
        if child.name.startswith("zeebe:"):
            reading.faults.add(node, f"'{child.name}' must stand inside 'extensionElements'")
        else:
            what = f"'{quote(child.name)}' is no element of BPMN in a '{node.name}'"
            reading.faults.add(node, what)
    if len(node.all("extensionElements")) > 1:
        reading.faults.add(node, "Must have only one 'extensionElements'")
