"""The applier of replies: what an entry answers is remembered with it, on every replica."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.engine.tables import AwaitedResult
from grevy.protocol.codec import encode_answer
from grevy.protocol.intents import ProcessInstanceCreationIntent
from grevy.protocol.record import Answer, Reply
from grevy.protocol.values import ProcessInstanceCreationValue


def is_awaited(answer: Answer) -> bool:
    """Whether this only says that the request was taken and is answered when its instance
    completes.
    """
    return (
        answer.intent == ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
        and answer.rejection_type is None
    )


def apply_reply(stores: Stores, reply: Reply, now: int) -> None:
    """A request has its answer, or waits for the result of an instance."""
    answer = reply.answer
    if not is_awaited(answer):
        stores.requests.remember(reply.request, encode_answer(answer), now)
        return
    value = answer.value
    assert isinstance(value, ProcessInstanceCreationValue), "an awaited result names its instance"
    awaited = AwaitedResult(reply.request, value.fetch_variables)
    stores.requests.await_result(value.process_instance_key, awaited)
    stores.requests.remember(reply.request, b"", now)
