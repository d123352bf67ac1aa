"""What is due: commands that time brings about.

Each kind has an ordered index, so nothing that waits is looked at before its time.
"""

from __future__ import annotations

from grevy.engine.step import Command
from grevy.engine.views import Views
from grevy.protocol.intents import JobIntent, MessageBatchIntent, TimerIntent
from grevy.protocol.limits import MESSAGE_EXPIRY_PERIOD_MS
from grevy.protocol.values import JobValue, MessageBatchValue


class Schedule:
    """Asks the indexes of one partition, those of messages not more often than once a period, as in
    Zeebe: an id may be used again when its message has been found to be expired.

    When it last asked is no part of the state: what it found is written as commands.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._expiry_check_at: int | None = None

    @property
    def expiry_check_at(self) -> int:
        """When messages are next asked for, in epoch milliseconds; 0 before the first call."""
        return self._expiry_check_at or 0

    def due(self, now: int, limit: int) -> list[Command]:
        """At most `limit` commands of each kind whose time has come: timers, job time-outs and
        back-offs, message expiry. The first call begins the first period of message expiry.
        """
        views = self._views
        commands = [
            Command(TimerIntent.TRIGGER, timer.key, timer.value)
            for timer in views.timers.due(now, limit)
        ]
        for key in views.jobs.timed_out(now, limit):
            commands.append(Command(JobIntent.TIME_OUT, key, JobValue()))
        for key in views.jobs.backed_off(now, limit):
            commands.append(Command(JobIntent.RECUR_AFTER_BACKOFF, key, JobValue()))
        return commands + self._expiry(now, limit)

    def _expiry(self, now: int, limit: int) -> list[Command]:
        if self._expiry_check_at is None:
            self._expiry_check_at = now + MESSAGE_EXPIRY_PERIOD_MS
        if now < self._expiry_check_at:
            return []
        expired = self._views.messages.expired(now, limit)
        if len(expired) < limit:
            self._expiry_check_at = now + MESSAGE_EXPIRY_PERIOD_MS
        if not expired:
            return []
        return [Command(MessageBatchIntent.EXPIRE, -1, MessageBatchValue(tuple(expired)))]
