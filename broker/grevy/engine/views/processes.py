"""Process definitions, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import PROCESS_VERSIONS, PROCESSES
from grevy.protocol.values import ProcessValue
from grevy.state import State


class ProcessesView:
    """Process definitions by key, and by id and version."""

    def __init__(self, state: State) -> None:
        self._processes = state.table(PROCESSES)
        self._versions = state.table(PROCESS_VERSIONS)

    def get(self, key: int) -> ProcessValue | None:
        """The process definition of a key."""
        return self._processes.get(key) if key > 0 else None

    def latest_version(self, bpmn_process_id: str) -> int:
        """The newest version's number; 0 where there is none."""
        return self._versions.get((bpmn_process_id, 0)) or 0

    def find(self, bpmn_process_id: str, version: int = -1) -> ProcessValue | None:
        """The process definition of an id and version; below 0 it is the newest."""
        number = version if version >= 0 else self.latest_version(bpmn_process_id)
        if number == 0:
            return None
        key = self._versions.get((bpmn_process_id, number))
        return None if key is None else self._processes.get(key)
