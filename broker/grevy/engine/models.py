"""Executable models of what is deployed, compiled when they are first needed."""

from __future__ import annotations

from typing import NamedTuple

from grevy.bpmn import compile_processes
from grevy.bpmn.model import Process
from grevy.dmn import DecisionGraph, read_dmn
from grevy.engine.views import Views
from grevy.protocol.limits import GRAPHS_JUST_READ, MODELS_CACHED
from grevy.protocol.values import DecisionValue


class DeployedGraph(NamedTuple):
    """A requirement graph, and what was deployed with it, by decision id."""

    graph: DecisionGraph
    decisions: dict[str, DecisionValue]


class Models:
    """Caches over the deployed files. They are no part of the state: the same file gives the same
    model.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._cache: dict[int, Process] = {}
        self._graphs: dict[int, DeployedGraph] = {}
        self._just_read: dict[bytes, DecisionGraph] = {}

    def get(self, process_definition_key: int) -> Process:
        """The model of a deployed process."""
        model = self._cache.get(process_definition_key)
        if model is None:
            model = self._compile(process_definition_key)
            if len(self._cache) >= MODELS_CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[process_definition_key] = model
        return model

    def read_graph(self, resource: bytes) -> DecisionGraph:
        """The model of a file that is to be deployed, kept for who evaluates it first; raises
        InvalidDecisions.
        """
        compiled = self._just_read.get(resource)
        if compiled is None:
            compiled = read_dmn(resource)
            if len(self._just_read) >= GRAPHS_JUST_READ:
                self._just_read.pop(next(iter(self._just_read)))
            self._just_read[resource] = compiled
        return compiled

    def graph(self, key: int) -> DeployedGraph:
        """The model of a deployed requirement graph."""
        deployed = self._graphs.get(key)
        if deployed is None:
            value = self._views.decisions.graph(key)
            assert value is not None, f"requirement graph {key} is not deployed"
            decisions = {one.decision_id: one for one in self._views.decisions.of_graph(key)}
            compiled = self._just_read.pop(value.resource, None) or read_dmn(value.resource)
            deployed = DeployedGraph(compiled, decisions)
            if len(self._graphs) >= MODELS_CACHED:
                self._graphs.pop(next(iter(self._graphs)))
            self._graphs[key] = deployed
        return deployed

    def _compile(self, process_definition_key: int) -> Process:
        value = self._views.processes.get(process_definition_key)
        assert value is not None, f"process definition {process_definition_key} is not deployed"
        for model in compile_processes(value.resource_name, value.resource):
            if model.id == value.bpmn_process_id:
                return model
        raise AssertionError(f"{value.resource_name} has lost its process {value.bpmn_process_id}")
