"""What other partitions have not answered is sent again: commands and answers get lost between
partitions, and whoever gets them twice refuses them once.

Both sides of a message subscription look after what they have asked the other one: opening and
closing are the instance's side's to repeat, a message on its way is the message's side's.
"""

from __future__ import annotations

from grevy.engine.behaviors.distribution import distributed_command
from grevy.engine.behaviors.remote_messages import (
    close_command,
    open_command,
    process_side_command,
)
from grevy.engine.partition_tables import Unanswered, UnansweredKind
from grevy.engine.step import SentCommand
from grevy.engine.tables import SubscriptionState
from grevy.engine.views import Views
from grevy.protocol.intents import ProcessMessageSubscriptionIntent
from grevy.protocol.keys import partition_of
from grevy.protocol.limits import RESEND_AFTER_MS, RESEND_PERIOD_MS


class Resends:
    """Goes through what is not answered, once a period.

    What was sent again is no part of the state, and nothing is written of it: a new leader begins
    with its first period.
    """

    def __init__(self, views: Views, partition_id: int) -> None:
        self._views = views
        self._partition_id = partition_id
        self._next_at = 0
        self._sent_until: int | None = None
        self._after: Unanswered | None = None

    def due(self, now: int, limit: int) -> list[SentCommand]:
        """At most `limit` commands to send again, oldest first; the rest of a period's comes with
        the next calls.
        """
        if self._sent_until is None:
            if now < self._next_at:
                return []
            self._next_at = now + RESEND_PERIOD_MS
            self._sent_until, self._after = now - RESEND_AFTER_MS, None
        found = self._views.unanswered.sent(self._sent_until, limit, self._after)
        if len(found) < limit:
            self._sent_until = None
        else:
            self._after = found[-1]
        return [self._command(unanswered) for unanswered in found]

    def _command(self, unanswered: Unanswered) -> SentCommand:
        if unanswered.kind is UnansweredKind.DISTRIBUTION:
            distribution = self._views.distributions.get(unanswered.key)
            assert distribution is not None, unanswered
            command = distributed_command(distribution.value, unanswered.key)
            return SentCommand(unanswered.partition_id, command)
        element, name = unanswered.element_key, unanswered.message_name
        if unanswered.kind is UnansweredKind.PROCESS_SIDE:
            side = self._views.subscriptions.process_side(element, name)
            assert side is not None, unanswered
            is_closing = side.state is SubscriptionState.CLOSING
            command = close_command(side.value) if is_closing else open_command(side.value)
            return SentCommand(side.value.subscription_partition_id, command)
        message = self._views.subscriptions.message_side(element, name)
        assert message is not None, unanswered
        intent = ProcessMessageSubscriptionIntent.CORRELATE
        command = process_side_command(message.value, intent, self._partition_id)
        return SentCommand(partition_of(message.value.process_instance_key), command)
