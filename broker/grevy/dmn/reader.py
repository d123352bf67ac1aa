"""From a DMN file to a graph of decisions: what requires what, then the logic of each, those first
that others require.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from grevy.dmn.boxes import Place, read_parameters
from grevy.dmn.errors import InvalidDecisions
from grevy.dmn.grammar import check_grammar
from grevy.dmn.graph import Decision, DecisionGraph, DecisionInfo, Knowledge
from grevy.dmn.logic import Function
from grevy.dmn.reading import Reading
from grevy.dmn.requirements import in_order, references
from grevy.dmn.types import known_type
from grevy.protocol.limits import DMN_ELEMENTS_MAX
from grevy.xml import Fault, Node, UnreadableXml, quote, read_xml

_VOCABULARY: Final = {
    "http://www.omg.org/spec/DMN/20151101/dmn.xsd": "",
    "http://www.omg.org/spec/DMN/20151101/dmn11.xsd": "",
    "http://www.omg.org/spec/DMN/20180521/MODEL/": "",
    "https://www.omg.org/spec/DMN/20191111/MODEL/": "",
    "https://www.omg.org/spec/DMN/20211108/MODEL/": "",
    "https://www.omg.org/spec/DMN/20230324/MODEL/": "",
    "http://camunda.org/schema/zeebe/1.0": "zeebe:",
}

PartT = TypeVar("PartT", Decision, Knowledge)


def read_dmn(resource: bytes) -> DecisionGraph:
    """The decisions of a file. Raises `InvalidDecisions` with every fault of every element, or with
    the one that keeps the file from being read. Pure: the same bytes give the same graph.
    """
    try:
        root = read_xml(resource, _VOCABULARY, elements_max=DMN_ELEMENTS_MAX)
    except UnreadableXml as error:
        raise InvalidDecisions([Fault("", error.text, error.line)]) from None
    reading = Reading()
    graph = _read_file(root, reading)
    if graph is None or reading.faults:
        raise InvalidDecisions(list(reading.faults))
    return graph


def _read_file(root: Node, reading: Reading) -> DecisionGraph | None:
    if root.name != "definitions":
        reading.faults.add(
            root,
            f"Expected 'definitions' of DMN as root, but found '{quote(root.name)}'",
        )
        return None
    for attribute in ("id", "name", "namespace"):
        if not root.get(attribute):
            reading.faults.add(root, f"The definitions must have a '{attribute}'")
    check_grammar(root, reading.faults)
    return _File(root, reading).graph()


class _File:
    """A file while its parts are put together."""

    def __init__(self, root: Node, reading: Reading) -> None:
        self._root = root
        self._reading = reading
        self._models = {node.id: node for node in root.all("businessKnowledgeModel") if node.id}
        self._decisions = {node.id: node for node in root.all("decision") if node.id}

    def graph(self) -> DecisionGraph:
        """The graph of what could be read; it is whole when there are no faults."""
        knowledge: dict[str, Knowledge] = {}
        for name, required in self._ordered(self._models, "knowledgeRequirement"):
            model = self._model(self._models[name], _of(knowledge, required))
            if model is not None:
                knowledge[name] = model
        decisions: dict[str, Decision] = {}
        for name, required in self._ordered(self._decisions, "informationRequirement"):
            decision = self._decision(name, _of(decisions, required), knowledge)
            if decision is not None:
                decisions[name] = decision
        infos = tuple(
            DecisionInfo(node.id, node.get("name"), _version_tag(node))
            for node in self._decisions.values()
        )
        root = self._root
        return DecisionGraph((root.id, root.get("name"), root.get("namespace")), infos, decisions)

    def _ordered(
        self, nodes: Mapping[str, Node], requirement: str
    ) -> Iterator[tuple[str, list[str]]]:
        """The nodes with what they require of their kind, those first that others require."""
        links = {name: self._required(node, requirement, nodes) for name, node in nodes.items()}
        order, cycles = in_order(links)
        for cycle in cycles:
            way = quote(" > ".join(cycle))
            self._reading.faults.add(nodes[cycle[0]], f"It requires itself: {way}")
        for name in order:
            yield name, links[name]

    def _required(self, node: Node, requirement: str, nodes: Mapping[str, Node]) -> list[str]:
        reference = _REFERENCES[requirement]
        return references(node, requirement, reference, nodes, self._reading.faults)

    def _model(self, node: Node, required: tuple[Knowledge, ...]) -> Knowledge | None:
        name = self._reading.name(node)
        inner = node.first("encapsulatedLogic")
        if inner is None:
            return None  # as in Zeebe: there is nothing to call
        parameters = read_parameters(inner, self._reading)
        logic = Place(self._reading, {one.name: one for one in required}).logic(inner)
        if logic is None:
            return None
        return Knowledge(node.id, name, parameters, logic, required)

    def _decision(
        self, decision_id: str, required: tuple[Decision, ...], knowledge: Mapping[str, Knowledge]
    ) -> Decision | None:
        node = self._decisions[decision_id]
        name = self._reading.name(node)
        callable_ids = self._required(node, "knowledgeRequirement", self._models)
        models = _of(knowledge, callable_ids)
        logic = Place(self._reading, {one.name: one for one in models}).logic(node)
        variable = node.first("variable")
        result_name, result_type = decision_id, None
        if variable is not None:
            result_name = self._reading.name(variable)
            result_type = known_type(variable.get("typeRef"))
        if logic is None:
            return None
        if isinstance(logic, Function):
            self._reading.faults.add(node, "A function definition is no expression of a decision")
        return Decision(decision_id, name, logic, result_name, result_type, required, models)


_REFERENCES: Final = {
    "informationRequirement": "requiredDecision",
    "knowledgeRequirement": "requiredKnowledge",
}


def _of(parts: Mapping[str, PartT], names: Iterable[str]) -> tuple[PartT, ...]:
    return tuple(parts[name] for name in names if name in parts)


def _version_tag(node: Node) -> str:
    extensions = node.first("extensionElements")
    tag = None if extensions is None else extensions.first("zeebe:versionTag")
    return "" if tag is None else tag.get("value")
