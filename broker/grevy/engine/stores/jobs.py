"""Jobs, as appliers change them."""

from __future__ import annotations

from typing import Final

from grevy.engine.tables import JobState, StoredJob
from grevy.engine.views.jobs import JobsView
from grevy.protocol.values import JobValue
from grevy.state import State

# Looked up once, see step.py.
_ACTIVATABLE: Final = JobState.ACTIVATABLE
_ACTIVATED: Final = JobState.ACTIVATED
_FAILED: Final = JobState.FAILED


class JobStore(JobsView):
    """Writes jobs and keeps the indexes of what is activatable and what is due.

    A job that has become activatable is filed at the end of its step: most are handed out in the
    same step, and never need to be found.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._to_file: dict[int, str] = {}

    def put(self, key: int, value: JobValue, state: JobState) -> None:
        """Stores a job in a state, and files it where that state is looked for."""
        self._unfile(self._jobs.get(key))
        job = StoredJob(key, value, state)
        self._jobs.put(key, job)
        if state is _ACTIVATABLE:
            self._to_file[key] = value.type
        elif state is _ACTIVATED:
            self._deadlines.put((value.deadline, key), key)
        elif state is _FAILED and value.retries > 0 and value.recurring_time > 0:
            self._backoffs.put((value.recurring_time, key), key)

    def remove(self, key: int) -> None:
        """Forgets a job that is finished."""
        self._unfile(self._jobs.get(key))
        self._jobs.delete(key)

    def close_step(self) -> None:
        """Files what the step has left activatable; until then nobody finds it by its type."""
        if self._to_file:
            for key, job_type in self._to_file.items():
                self._activatable.put((job_type, key), key)
            self._to_file.clear()

    def drop_step(self) -> None:
        """What the step has written is dropped."""
        self._to_file.clear()

    def _unfile(self, job: StoredJob | None) -> None:
        if job is None:
            return
        value, key = job.value, job.key
        if job.state is _ACTIVATABLE:
            if self._to_file.pop(key, None) is None:
                self._activatable.delete((value.type, key))
        elif job.state is _ACTIVATED:
            self._deadlines.delete((value.deadline, key))
        elif job.state is _FAILED and value.recurring_time > 0:
            self._backoffs.delete((value.recurring_time, key))
