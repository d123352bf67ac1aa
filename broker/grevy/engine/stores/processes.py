"""Process definitions, as appliers change them."""

from __future__ import annotations

from grevy.engine.views.processes import ProcessesView
from grevy.protocol.values import ProcessValue


class ProcessStore(ProcessesView):
    """Writes process definitions."""

    def put(self, value: ProcessValue) -> None:
        """Stores a process definition; it is the newest of its id."""
        assert value.version > self.latest_version(value.bpmn_process_id), value.bpmn_process_id
        self._processes.put(value.process_definition_key, value)
        self._versions.put((value.bpmn_process_id, value.version), value.process_definition_key)
        self._versions.put((value.bpmn_process_id, 0), value.version)
