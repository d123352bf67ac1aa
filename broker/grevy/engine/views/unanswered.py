"""What other partitions have been sent and have not answered, as processors see it."""

from __future__ import annotations

from grevy.engine.partition_tables import UNANSWERED, Unanswered
from grevy.state import State


class UnansweredView:
    """Whatever waits for another partition's answer, by the time when it was sent."""

    def __init__(self, state: State) -> None:
        self._unanswered = state.table(UNANSWERED)

    def sent(self, until: int, limit: int, after: Unanswered | None = None) -> list[Unanswered]:
        """At most `limit` of what was sent until then, oldest first, behind `after`."""
        key = None if after is None else (after.sent_at, after.key, after.partition_id)
        found = self._unanswered.scan(after=key, limit=limit)
        return [waiting for waiting in found if waiting.sent_at <= until]
