"""The requests under way: each with a number, a future for its answer, a plan for if none comes."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from grevy.client.connection import Connection
from grevy.client.errors import REJECTIONS, ClientError, Overloaded, RequestTimeout, Unavailable
from grevy.client.options import ClientOptions
from grevy.protocol.messages import ActivatedJob, CommandRequest, ErrorCode, ErrorReply
from grevy.protocol.record import Answer


class Call(Struct, eq=False):
    """One command from its first try to its answer."""

    request: CommandRequest
    size: int
    future: asyncio.Future[Answer]
    deadline_s: float
    connection: Connection | None = None
    """Where its answer is expected from; None while it waits for its next try."""
    retry_at_s: float = 0.0
    tries: int = 0
    unanswered: int = 0
    """Tries that nothing came back from: each of them may have had its effect."""
    refusal: ErrorReply | None = None
    """Why the last try was not taken."""
    jobs: tuple[ActivatedJob, ...] = ()
    """What `JOB_BATCH.ACTIVATE` brought, ahead of its answer."""


class Calls:
    """All calls by number, oldest first."""

    def __init__(self, options: ClientOptions) -> None:
        self._options = options
        self._pending: dict[int, Call] = {}
        self.stale_replies = 0
        self.retries = 0

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, call: Call) -> None:
        """Keep a call until it is answered."""
        self._pending[call.request.number] = call

    def settled(self, next_number: int) -> int:
        """All requests below this number are answered or given up."""
        return next(iter(self._pending), next_number)

    def find(self, number: int) -> Call | None:
        """The call of a number that is still under way."""
        return self._pending.get(number)

    def elsewhere(self, connection: Connection) -> list[Call]:
        """Calls whose answers are not expected from this connection."""
        return [call for call in self._pending.values() if call.connection is not connection]

    def sent(self, call: Call, connection: Connection, now_s: float) -> None:
        """A call is on its way."""
        call.connection = connection
        call.retry_at_s = now_s + self._options.try_timeout_s
        self.retries += call.tries > 0
        call.tries += 1
        call.unanswered += 1

    def answer(self, number: int, answer: Answer) -> None:
        """The broker has decided."""
        call = self._pending.pop(number, None)
        if call is None:
            self.stale_replies += 1
            return
        future = call.future
        if future.done():
            return
        if answer.rejection_type is None:
            future.set_result(answer)
        else:
            future.set_exception(REJECTIONS[answer.rejection_type](answer.rejection_reason))

    def refuse(self, reply: ErrorReply, now_s: float) -> None:
        """The broker did not take it: try again later."""
        call = self._pending.get(reply.number)
        if call is None:
            self.stale_replies += 1
            return
        call.refusal = reply
        call.connection = None
        call.unanswered = max(call.unanswered - 1, 0)
        backoff_s = max(self._options.backoff_s(call.tries), reply.retry_after_ms / 1000)
        call.retry_at_s = now_s + backoff_s

    def fail(self, number: int, error: ClientError) -> None:
        """It will never be answered."""
        call = self._pending.pop(number, None)
        if call is not None and not call.future.done():
            call.future.set_exception(error)

    def fail_all(self, error: ClientError) -> None:
        """Nothing will be answered any more."""
        for number in list(self._pending):
            self.fail(number, error)

    def lose(self, connection: Connection) -> None:
        """What a broker had is to be sent again."""
        for call in self._pending.values():
            if call.connection is connection:
                call.connection = None
                call.retry_at_s = 0.0

    def sweep(self, now_s: float) -> list[Call]:
        """Fail the calls whose time is over; gives those whose next try is due."""
        due = []
        for number, call in list(self._pending.items()):
            if call.future.done():
                del self._pending[number]
            elif now_s >= call.deadline_s:
                self.fail(number, _time_is_over(call))
            elif now_s >= call.retry_at_s:
                due.append(call)
        return due


def _time_is_over(call: Call) -> ClientError:
    intent = call.request.intent
    what = f"{intent.value_type.name} {intent.name} on partition {call.request.partition_id}"
    if call.unanswered:
        return RequestTimeout(f"{what} was sent {call.tries} times and not answered in time")
    refusal = call.refusal
    if refusal is None:
        return Unavailable(f"{what} could not be sent: no leader could be reached in time")
    if refusal.code is ErrorCode.RESOURCE_EXHAUSTED:
        return Overloaded(refusal.message)
    return Unavailable(refusal.message)
