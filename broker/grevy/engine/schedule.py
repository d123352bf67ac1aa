"""What is due: commands that time brings about.

Each kind has an ordered index, so nothing that waits is looked at before its time.
"""

from __future__ import annotations

from grevy.engine.step import Command
from grevy.engine.tables import StoredTimer
from grevy.engine.views import Views
from grevy.protocol.intents import JobIntent, MessageBatchIntent, TimerIntent
from grevy.protocol.limits import MESSAGE_EXPIRY_PERIOD_MS, REFUSED_TIMERS_PER_MS
from grevy.protocol.values import JobValue, MessageBatchValue


class Schedule:
    """Asks the indexes of one partition.

    A timer is asked to fire once: when its element cannot take it any more, it stays until the
    element ends. Messages are not looked through more often than once a period, as in Zeebe: an
    id may be used again when its message has been found to be expired. What was asked is no part
    of the state: a new leader asks once more.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._asked: frozenset[int] = frozenset()
        self._timers_at = 0
        self._expiry_at: int | None = None

    def due(self, now: int, limit: int) -> list[Command]:
        """At most `limit` commands of each kind whose time has come: job time-outs, then timers and
        back-offs, those first that one is due of first, then message expiry.

        The first call begins the first period of message expiry.
        """
        jobs = self._views.jobs
        timeouts = [
            Command(JobIntent.TIME_OUT, key, JobValue()) for key in jobs.timed_out(now, limit)
        ]
        timers = self._timers(now, limit)
        triggers = [Command(TimerIntent.TRIGGER, timer.key, timer.value) for timer in timers]
        backed_off = jobs.backed_off(now, limit)
        backoffs = [Command(JobIntent.RECUR_AFTER_BACKOFF, key, JobValue()) for key in backed_off]
        first = jobs.get(backed_off[0]) if timers and backed_off else None
        if first is not None and first.value.recurring_time < timers[0].value.due_date:
            return timeouts + backoffs + triggers + self._expiry(now, limit)
        return timeouts + triggers + backoffs + self._expiry(now, limit)

    def next_due(self, until: int) -> int | None:
        """When the next thing is due, if that is not after `until` (epoch milliseconds)."""
        jobs, messages = self._views.jobs, self._views.messages
        timed_out = [found for key in jobs.timed_out(until, 1) if (found := jobs.get(key))]
        backed_off = [found for key in jobs.backed_off(until, 1) if (found := jobs.get(key))]
        expired = [late for key in messages.expired(until, 1) if (late := messages.get(key))]
        dues = [timer.value.due_date for timer in self._unasked(until, 1)]
        dues += [job.value.deadline for job in timed_out]
        dues += [job.value.recurring_time for job in backed_off]
        dues += [max(message.value.deadline, self._expiry_at or 0) for message in expired]
        return min((due for due in dues if due <= until), default=None)

    def _timers(self, now: int, limit: int) -> list[StoredTimer]:
        if now < self._timers_at:
            return []
        fresh = self._unasked(now, limit)
        if not fresh:
            self._timers_at = now + len(self._asked) // REFUSED_TIMERS_PER_MS
        self._asked |= {timer.key for timer in fresh}
        return fresh

    def _unasked(self, now: int, limit: int) -> list[StoredTimer]:
        """Those that were asked and are still there were refused."""
        due = self._views.timers.due(now, limit + len(self._asked))
        self._asked = self._asked.intersection(timer.key for timer in due)
        return [timer for timer in due if timer.key not in self._asked][:limit]

    def _expiry(self, now: int, limit: int) -> list[Command]:
        if self._expiry_at is None:
            self._expiry_at = now + MESSAGE_EXPIRY_PERIOD_MS
        if now < self._expiry_at:
            return []
        expired = self._views.messages.expired(now, limit)
        if len(expired) < limit:
            self._expiry_at = now + MESSAGE_EXPIRY_PERIOD_MS
        if not expired:
            return []
        return [Command(MessageBatchIntent.EXPIRE, -1, MessageBatchValue(tuple(expired)))]
