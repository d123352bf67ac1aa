"""Process definitions, as processors see them."""

from __future__ import annotations

from grevy.engine.partition_tables import RETIRED_PROCESSES
from grevy.engine.resource_tables import INSTANCES_RUNNING, VERSIONS_GIVEN_OUT
from grevy.engine.tables import PROCESS_VERSIONS, PROCESSES
from grevy.protocol.values import ProcessValue
from grevy.state import State


class ProcessesView:
    """Process definitions by key, and by id and version."""

    def __init__(self, state: State) -> None:
        self._processes = state.table(PROCESSES)
        self._versions = state.table(PROCESS_VERSIONS)
        self._given_out = state.table(VERSIONS_GIVEN_OUT)
        self._running = state.table(INSTANCES_RUNNING)
        self._retired = state.table(RETIRED_PROCESSES)

    def get(self, key: int) -> ProcessValue | None:
        """The process definition of a key; a deleted one too, while instances of it live."""
        return self._processes.get(key) if key > 0 else None

    def is_retired(self, key: int) -> bool:
        """Whether a process definition was deleted while instances of it live here."""
        return self._retired.has(key)

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

    def before(self, bpmn_process_id: str, version: int) -> ProcessValue | None:
        """The version of a process that was the newest one before another came."""
        for older in range(version - 1, 0, -1):
            process = self.find(bpmn_process_id, older)
            if process is not None:
                return process
        return None

    def next_version(self, bpmn_process_id: str) -> int:
        """The number of the version that comes next; none is given out twice."""
        given_out = self._given_out.get(bpmn_process_id) or 0
        return max(given_out, self.latest_version(bpmn_process_id)) + 1

    def has_running_instances(self, key: int) -> bool:
        """Whether instances of this process definition live."""
        return self._running.has(key)
