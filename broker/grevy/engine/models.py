"""Executable models of deployed processes, compiled when they are first needed."""

from __future__ import annotations

from grevy.bpmn import compile_processes
from grevy.bpmn.model import Process
from grevy.engine.views.processes import ProcessesView
from grevy.protocol.limits import MODELS_CACHED


class Models:
    """A cache over the deployed files. It is no part of the state: the same file gives the same
    model.
    """

    def __init__(self, processes: ProcessesView) -> None:
        self._processes = processes
        self._cache: dict[int, Process] = {}

    def get(self, process_definition_key: int) -> Process:
        """The model of a deployed process."""
        model = self._cache.get(process_definition_key)
        if model is None:
            model = self._compile(process_definition_key)
            if len(self._cache) >= MODELS_CACHED:
                self._cache.pop(next(iter(self._cache)))
            self._cache[process_definition_key] = model
        return model

    def _compile(self, process_definition_key: int) -> Process:
        value = self._processes.get(process_definition_key)
        assert value is not None, f"process definition {process_definition_key} is not deployed"
        for model in compile_processes(value.resource_name, value.resource):
            if model.id == value.bpmn_process_id:
                return model
        raise AssertionError(f"{value.resource_name} has lost its process {value.bpmn_process_id}")
