"""The files of a deployment, read and checked: each by itself, and all together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from grevy.bpmn import InvalidModel, compile_processes
from grevy.bpmn.model import Binding, Element, Process
from grevy.dmn import InvalidDecisions
from grevy.engine.processors.decision_deployment import GraphDefinition
from grevy.engine.processors.start_events import Starts, evaluate_starts
from grevy.engine.step import Step
from grevy.protocol.limits import RESOURCE_BYTES_MAX
from grevy.protocol.values import ResourceFile


class RefusedDeployment(Exception):
    """The deployment has faults; the text lists them."""


class ProcessDefinition(NamedTuple):
    """A process of the deployment, with what its start events wait for."""

    file: ResourceFile
    checksum: bytes
    model: Process
    starts: Starts


Definition: TypeAlias = ProcessDefinition | GraphDefinition


def read_files(step: Step, files: tuple[ResourceFile, ...]) -> list[Definition]:
    """What the files define, in their order; raises RefusedDeployment with all that is wrong."""
    if not files:
        raise RefusedDeployment("Expected to deploy at least one resource, but none was given")
    faults: list[str] = []
    definitions: list[Definition] = []
    names: set[str] = set()
    for file in files:
        if file.resource_name in names:
            faults.append(f"'{file.resource_name}': the name stands twice in this deployment")
        names.add(file.resource_name)
        try:
            definitions.extend(_read_file(step, file))
        except InvalidModel as error:
            faults.append(error.report)
        except RefusedDeployment as error:
            faults.append(str(error))
    faults.extend(_duplicates(definitions))
    if not faults:  # what is missing may stand in a file that could not be read
        faults.extend(_missing_decisions(definitions))
    if faults:
        report = "\n".join(faults)
        raise RefusedDeployment(
            f"Expected to deploy new resources, but encountered the following errors:\n{report}"
        )
    return definitions


def _read_file(step: Step, file: ResourceFile) -> list[Definition]:
    name = file.resource_name
    if not name.endswith((".bpmn", ".xml", ".dmn")):
        raise RefusedDeployment(
            f"'{name}': expected a file that ends in .bpmn, .xml or .dmn; "
            "other kinds are not supported"
        )
    if len(file.resource) > RESOURCE_BYTES_MAX:
        size = len(file.resource)
        raise RefusedDeployment(
            f"'{name}': {size} bytes are more than the limit of {RESOURCE_BYTES_MAX}"
        )
    checksum = hashlib.md5(file.resource, usedforsecurity=False).digest()
    if name.endswith(".dmn"):
        try:
            return [GraphDefinition(file, checksum, step.models.read_graph(file.resource))]
        except InvalidDecisions as error:
            raise RefusedDeployment(f"'{name}': {error}") from None
    definitions: list[Definition] = []
    for model in compile_processes(name, file.resource):
        starts = evaluate_starts(step, model)
        for start, fault in starts.faults:
            raise RefusedDeployment(_fault_at(file, start, fault))
        definitions.append(ProcessDefinition(file, checksum, model, starts))
    return definitions


def _fault_at(file: ResourceFile, element: Element, fault: str) -> str:
    return f"'{file.resource_name}': - Element: {element.id}\n    - ERROR: {fault}"


def _duplicates(definitions: list[Definition]) -> list[str]:
    """Ids that more than one file of the deployment defines."""
    seen: dict[tuple[str, str], str] = {}
    faults = []
    for definition in definitions:
        name = definition.file.resource_name
        for taken in _ids(definition):
            if taken in seen:
                what, id_ = taken
                faults.append(f"'{name}': the {what} id '{id_}' is taken by '{seen[taken]}'")
            seen.setdefault(taken, name)
    return faults


def _ids(definition: Definition) -> Iterable[tuple[str, str]]:
    if isinstance(definition, ProcessDefinition):
        return [("process", definition.model.id)]
    graph = definition.graph
    decisions = [("decision", decision.id) for decision in graph.decisions]
    return [("decision requirements", graph.id), *decisions]


def _missing_decisions(definitions: list[Definition]) -> list[str]:
    """Tasks that call a decision of the same deployment, where it is not in it."""
    there = {taken for definition in definitions for taken in _ids(definition)}
    faults = []
    for definition in definitions:
        if not isinstance(definition, ProcessDefinition):
            continue
        for element in definition.model.elements.values():
            called = element.called_decision
            if called is None or called.binding is not Binding.DEPLOYMENT:
                continue
            decision_id = called.decision_id
            if isinstance(decision_id, str) and ("decision", decision_id) not in there:
                fault = f"Expected to find decision '{decision_id}' in this deployment"
                faults.append(_fault_at(definition.file, element, fault))
    return faults
