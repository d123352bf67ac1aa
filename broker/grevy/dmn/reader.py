"""From a DMN file to a graph of decisions: what requires what, then the logic of each, those first
that others require.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from grevy.dmn.boxes import Place, read_parameters
from grevy.dmn.errors import InvalidDecisions
from grevy.dmn.grammar import check_grammar
from grevy.dmn.graph import Decision, DecisionGraph, DecisionInfo, Knowledge, Service
from grevy.dmn.logic import Callee, Function, Logic, Parameter
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
        namespace, _, name = root.name.removeprefix("{").rpartition("}")
        reading.faults.add(
            root,
            "Expected 'definitions' in a namespace of DMN 1.1 to 1.5 as root, but found "
            f"'{quote(name)}' in '{quote(namespace)}'",
        )
        return None
    for attribute in ("id", "name", "namespace"):
        if not root.get(attribute):
            reading.faults.add(root, f"The definitions must have a '{attribute}'")
    check_grammar(root, reading.faults)
    return _File(root, reading).graph()


class _File:
    """A file while its parts are put together, each after those that it requires."""

    def __init__(self, root: Node, reading: Reading) -> None:
        self._root = root
        self._reading = reading
        self._nodes = {
            kind: {node.id: node for node in root.all(kind) if node.id}
            for kind in ("decision", "businessKnowledgeModel", "decisionService", "inputData")
        }
        self._decisions: dict[str, Decision] = {}
        self._callees: dict[str, Callee] = {}

    def graph(self) -> DecisionGraph:
        """The graph of what could be read; it is whole when there are no faults."""
        callees = {
            **self._nodes["businessKnowledgeModel"],
            **self._nodes["decisionService"],
        }
        nodes = {**self._nodes["decision"], **callees}
        links = {name: self._links(node, callees) for name, node in nodes.items()}
        order, cycles = in_order(
            {name: [*link.decisions, *link.knowledge] for name, link in links.items()}
        )
        for cycle in cycles:
            way = quote(" > ".join(cycle))
            self._reading.faults.add(nodes[cycle[0]], f"It requires itself: {way}")
        for name in order:
            _BUILDERS[nodes[name].name](self, nodes[name], links[name])
        infos = tuple(
            DecisionInfo(node.id, node.get("name"), _version_tag(node))
            for node in self._nodes["decision"].values()
        )
        root = self._root
        return DecisionGraph(
            (root.id, root.get("name"), root.get("namespace")), infos, self._decisions
        )

    def _links(self, node: Node, callees: Mapping[str, Node]) -> _Links:
        """What an element requires, and a fault for each that is not in the file."""
        decisions, faults = self._nodes["decision"], self._reading.faults
        if node.name == "decisionService":
            outputs = references(node, node.all("outputDecision"), decisions, faults)
            given = references(node, node.all("inputDecision"), decisions, faults)
            return _Links([*given, *outputs], [], outputs)
        required = [
            reference
            for requirement in node.all("informationRequirement")
            for reference in requirement.all("requiredDecision")
        ]
        knowledge = [
            reference
            for requirement in node.all("knowledgeRequirement")
            for reference in requirement.all("requiredKnowledge")
        ]
        return _Links(
            references(node, required, decisions, faults),
            references(node, knowledge, callees, faults),
            [],
        )

    def _logic(self, node: Node, callees: Iterable[Callee]) -> Logic | None:
        return Place(self._reading, {callee.name: callee for callee in callees}).logic(node)

    def _known(self, names: Iterable[str]) -> tuple[Callee, ...]:
        return tuple(self._callees[name] for name in names if name in self._callees)

    def _add_model(self, node: Node, links: _Links) -> None:
        name = self._reading.name(node)
        inner = node.first("encapsulatedLogic")
        if inner is None:
            return  # as in Zeebe: there is nothing to call
        required = self._known(links.knowledge)
        parameters = read_parameters(inner, self._reading)
        logic = self._logic(inner, required)
        if logic is not None:
            self._callees[node.id] = Knowledge(node.id, name, parameters, logic, required)

    def _add_service(self, node: Node, links: _Links) -> None:
        name = self._reading.name(node)
        inputs = references(
            node, node.all("inputData"), self._nodes["inputData"], self._reading.faults
        )
        known = [self._decisions[one] for one in links.decisions if one in self._decisions]
        outputs = tuple(one for one in known if one.id in links.outputs)
        given = tuple(one for one in known if one.id not in links.outputs)
        parameters = [self._name_of_input(self._nodes["inputData"][one]) for one in inputs]
        parameters += [one.result_name for one in given]
        self._callees[node.id] = Service(
            node.id, name, tuple(map(Parameter, parameters)), outputs, given
        )

    def _name_of_input(self, node: Node) -> str:
        variable = node.first("variable")
        return self._reading.name(node) if variable is None else self._reading.name(variable)

    def _add_decision(self, node: Node, links: _Links) -> None:
        name = self._reading.name(node)
        knowledge = self._known(links.knowledge)
        logic = self._logic(node, knowledge)
        variable = node.first("variable")
        result_name, result_type = node.id, None
        if variable is not None:
            result_name = self._reading.name(variable)
            result_type = known_type(variable.get("typeRef"))
        if logic is None:
            return
        if isinstance(logic, Function):
            self._reading.faults.add(node, "A function definition is no expression of a decision")
        required = tuple(self._decisions[one] for one in links.decisions if one in self._decisions)
        self._decisions[node.id] = Decision(
            node.id, name, logic, result_name, result_type, required, knowledge
        )


class _Links(NamedTuple):
    """The ids of the decisions and of the knowledge that an element requires; for a service, which
    of the decisions it gives.
    """

    decisions: list[str]
    knowledge: list[str]
    outputs: list[str]


_BUILDERS: Final[dict[str, Callable[[_File, Node, _Links], None]]] = {
    "decision": _File._add_decision,
    "businessKnowledgeModel": _File._add_model,
    "decisionService": _File._add_service,
}


def _version_tag(node: Node) -> str:
    extensions = node.first("extensionElements")
    tag = None if extensions is None else extensions.first("zeebe:versionTag")
    return "" if tag is None else tag.get("value")
