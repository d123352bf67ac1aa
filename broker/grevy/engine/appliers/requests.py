"""The applier of replies: what an entry answers is remembered with it, on every replica."""

from __future__ import annotations

from typing import Final

import msgspec

from grevy.engine.stores import Stores
from grevy.engine.tables import AwaitedResult, RememberedAnswer
from grevy.protocol.intents import (
    INTENTS,
    ProcessInstanceCreationIntent,
    ProcessInstanceResultIntent,
    RejectionType,
)
from grevy.protocol.record import Answer, Reply
from grevy.protocol.values import VALUES, ProcessInstanceCreationValue

# Looked up once, see step.py.
_encode: Final = msgspec.msgpack.Encoder().encode
_CREATE_WITH_AWAITING_RESULT: Final = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
_ENDS_OF_WAITING: Final = frozenset(
    {int(_CREATE_WITH_AWAITING_RESULT), int(ProcessInstanceResultIntent.COMPLETED)}
)
"""What answers a request whose instance has ended."""


def is_awaited(answer: Answer) -> bool:
    """Whether this only says that the request was taken and is answered when its instance
    completes.
    """
    return answer.intent == _CREATE_WITH_AWAITING_RESULT and answer.rejection_type is None


def apply_reply(stores: Stores, reply: Reply, now: int) -> None:
    """A request has its answer, or waits for the result of an instance."""
    answer, request = reply.answer, reply.request
    if not is_awaited(answer):
        remember = stores.requests.remember
        if answer.intent in _ENDS_OF_WAITING:
            remember = stores.requests.remember_late
        remember(request, _remembered(request.number, answer), now)
        return
    value = answer.value
    assert isinstance(value, ProcessInstanceCreationValue), "an awaited result names its instance"
    awaited = AwaitedResult(request, value.fetch_variables)
    stores.requests.await_result(value.process_instance_key, awaited)
    stores.requests.remember_due(request, now)


def _remembered(number: int, answer: Answer) -> RememberedAnswer:
    rejection = -1 if answer.rejection_type is None else int(answer.rejection_type)
    value = b"" if answer.value is None else _encode(answer.value)
    return RememberedAnswer(
        number, False, answer.intent, answer.key, rejection, answer.rejection_reason, value
    )


def recalled(remembered: RememberedAnswer) -> Answer:
    """The answer that was remembered."""
    rejection = remembered.rejection_type
    value = None
    if remembered.value:
        kind = VALUES[INTENTS[remembered.intent].value_type]
        value = msgspec.msgpack.decode(remembered.value, type=kind)
    return Answer(
        remembered.intent,
        remembered.key,
        value,
        None if rejection < 0 else RejectionType(rejection),
        remembered.rejection_reason,
    )
