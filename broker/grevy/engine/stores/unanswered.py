"""What other partitions have been sent and have not answered, as appliers change it."""

from __future__ import annotations

from grevy.engine.partition_tables import Unanswered
from grevy.engine.views.unanswered import UnansweredView


class UnansweredStore(UnansweredView):
    """Writes what waits for another partition's answer."""

    def expect(self, unanswered: Unanswered) -> None:
        """Another partition has to answer."""
        key = (unanswered.sent_at, unanswered.key, unanswered.partition_id)
        self._unanswered.put(key, unanswered)

    def settle(self, sent_at: int, key: int, partition_id: int = 0) -> None:
        """The answer is there, or needed no longer; nothing was sent where `sent_at` is below 0."""
        if sent_at >= 0:
            self._unanswered.delete((sent_at, key, partition_id))
