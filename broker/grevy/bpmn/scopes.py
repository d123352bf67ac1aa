"""The first pass over a process: its flow nodes, scope by scope, without the flows between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from grevy.bpmn.elements import read_element
from grevy.bpmn.extensions import check_extensions, read_version_tag
from grevy.bpmn.model import Element, Process
from grevy.bpmn.reading import Reading
from grevy.protocol.intents import BpmnElementType
from grevy.xml import Node


@dataclass(slots=True)
class Draft:
    """A process that is being made: `nodes` tells where an element or flow stands in the file."""

    process: Process
    nodes: dict[str, Node] = field(default_factory=dict)
    flow_nodes: list[Node] = field(default_factory=list)
    """The `sequenceFlow` elements in document order within each scope."""

    def scopes(self) -> list[Element]:
        """The process and its embedded sub-processes."""
        kinds = (BpmnElementType.PROCESS, BpmnElementType.SUB_PROCESS)
        return [e for e in self.process.elements.values() if e.element_type in kinds]


def read_process(node: Node, reading: Reading) -> Draft:
    """The draft of an executable process."""
    reading.check_id(node)
    check_extensions(node, reading)
    root = Element(node.id, BpmnElementType.PROCESS, name=node.get("name"))
    draft = Draft(Process(node.id, root, version_tag=read_version_tag(node, reading)))
    draft.process.elements[root.id] = root
    draft.nodes[root.id] = node
    waiting = deque([(node, root)])
    while waiting:
        scope_node, scope = waiting.popleft()
        inner = _read_scope(scope_node, scope, draft, reading)
        waiting.extend(inner)
    return draft


def _read_scope(
    scope_node: Node, scope: Element, draft: Draft, reading: Reading
) -> list[tuple[Node, Element]]:
    """Reads the direct children of a scope; gives the scopes among them."""
    children: list[Element] = []
    inner: list[tuple[Node, Element]] = []
    for node in scope_node.children:
        if node.name == "sequenceFlow":
            if reading.check_id(node):
                draft.flow_nodes.append(node)
                draft.nodes.setdefault(node.id, node)
            continue
        element = read_element(node, reading)
        if element is None or not reading.check_id(node) or node.id in draft.nodes:
            continue
        element.scope = scope
        children.append(element)
        draft.nodes[node.id] = node
        draft.process.elements[node.id] = element
        if element.element_type is BpmnElementType.SUB_PROCESS:
            inner.append((node, element))
    scope.children = tuple(children)
    scope.start_events = tuple(
        child for child in children if child.element_type is BpmnElementType.START_EVENT
    )
    return inner
