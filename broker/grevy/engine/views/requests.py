"""Requests of clients and their answers, as the engine sees them."""

from __future__ import annotations

from grevy.engine.tables import (
    AWAITED_RESULTS,
    DUE_REQUESTS,
    LARGE_ANSWERS,
    LATE_ANSWERS,
    REQUESTS,
    SESSIONS,
    SESSIONS_BY_AGE,
    AwaitedResult,
    RememberedAnswer,
)
from grevy.protocol.limits import REQUESTS_REMEMBERED
from grevy.protocol.record import RequestId
from grevy.state import State


class RequestsView:
    """Answers by request, and who waits for the result of an instance."""

    def __init__(self, state: State) -> None:
        self._answers = state.table(REQUESTS)
        self._due = state.table(DUE_REQUESTS)
        self._late = state.table(LATE_ANSWERS)
        self._large = state.table(LARGE_ANSWERS)
        self._awaited = state.table(AWAITED_RESULTS)
        self._sessions = state.table(SESSIONS)
        self._by_age = state.table(SESSIONS_BY_AGE)

    def remembered(self, request: RequestId) -> RememberedAnswer | None:
        """The answer to a request that was taken before; its text is empty while there is none
        yet.
        """
        client_id, number = request.client_id, request.number
        found = self._answers.get((client_id, number % REQUESTS_REMEMBERED))
        if found is not None and found.number == number:
            return found
        return self._due.get((client_id, number)) or self._late.get((client_id, number))

    def awaited(self, process_instance_key: int) -> AwaitedResult | None:
        """Who waits for the result of an instance."""
        return self._awaited.get(process_instance_key)
