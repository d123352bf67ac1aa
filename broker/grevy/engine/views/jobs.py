"""Jobs, as processors see them."""

from __future__ import annotations

from grevy.engine.tables import ACTIVATABLE_JOBS, JOB_BACKOFFS, JOB_DEADLINES, JOBS, StoredJob
from grevy.state import State


class JobsView:
    """Jobs by key, those that wait for a worker by type, and those that are due."""

    def __init__(self, state: State) -> None:
        self._jobs = state.table(JOBS)
        self._activatable = state.table(ACTIVATABLE_JOBS)
        self._deadlines = state.table(JOB_DEADLINES)
        self._backoffs = state.table(JOB_BACKOFFS)

    def get(self, key: int) -> StoredJob | None:
        """The job of a key, if it is not finished."""
        return self._jobs.get(key) if key > 0 else None

    def activatable(self, job_type: str, limit: int) -> list[int]:
        """Keys of at most `limit` jobs of a type that wait for a worker, oldest first."""
        return self._activatable.scan(job_type, limit=limit)

    def timed_out(self, now: int, limit: int) -> list[int]:
        """Keys of jobs whose worker's time is up."""
        return self._deadlines.scan_until(now, limit)

    def backed_off(self, now: int, limit: int) -> list[int]:
        """Keys of failed jobs whose back-off is over."""
        return self._backoffs.scan_until(now, limit)
