"""What is due: commands that time brings about.

Each kind has an ordered index, so nothing that waits is looked at before its time.
"""

from __future__ import annotations

from grevy.engine.step import Command
from grevy.engine.views import Views
from grevy.protocol.intents import JobIntent, MessageBatchIntent, TimerIntent
from grevy.protocol.values import JobValue, MessageBatchValue


def due_commands(views: Views, now: int, limit: int) -> list[Command]:
    """At most `limit` commands of each kind whose time has come: timers, job time-outs and
    back-offs, message expiry.
    """
    commands = [
        Command(TimerIntent.TRIGGER, timer.key, timer.value)
        for timer in views.timers.due(now, limit)
    ]
    for key in views.jobs.timed_out(now, limit):
        commands.append(Command(JobIntent.TIME_OUT, key, JobValue()))
    for key in views.jobs.backed_off(now, limit):
        commands.append(Command(JobIntent.RECUR_AFTER_BACKOFF, key, JobValue()))
    expired = views.messages.expired(now, limit)
    if expired:
        commands.append(Command(MessageBatchIntent.EXPIRE, -1, MessageBatchValue(tuple(expired))))
    return commands
