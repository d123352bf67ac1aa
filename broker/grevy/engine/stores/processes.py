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

    def remove(self, value: ProcessValue) -> None:
        """A process definition is gone; the one before it, if there is one, is the newest then."""
        key = value.process_definition_key
        self._processes.delete(key)
        if self._retired.has(key):
            self._retired.delete(key)
        else:
            self._remove_version(value)

    def retire(self, value: ProcessValue) -> None:
        """A process definition is gone but for the instances of it that live here."""
        self._retired.put(value.process_definition_key, value.process_definition_key)
        self._remove_version(value)

    def _remove_version(self, value: ProcessValue) -> None:
        process_id, version = value.bpmn_process_id, value.version
        self._versions.delete((process_id, version))
        if self.latest_version(process_id) != version:
            return
        if version > (self._given_out.get(process_id) or 0):
            self._given_out.put(process_id, version)
        older = self.before(process_id, version)
        if older is None:
            self._versions.delete((process_id, 0))
        else:
            self._versions.put((process_id, 0), older.version)

    def count_running(self, key: int, change: int) -> None:
        """Adds to the count of a process definition's living instances."""
        count = (self._running.get(key) or 0) + change
        if count > 0:
            self._running.put(key, count)
        elif self._running.has(key):
            self._running.delete(key)
