"""Planted bugs of an engine among others: each leaves out one thing that the protocol between
partitions needs. They measure the simulation: it must find every one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from unittest.mock import ANY, patch

from msgspec.structs import replace

from grevy.engine import Command, Engine, SentCommand
from grevy.engine.appliers import APPLIERS
from grevy.engine.behaviors import distribution, scopes, termination
from grevy.engine.behaviors.distribution import distributed_command
from grevy.engine.processors import (
    PROCESSORS,
    deletion,
    distributed_deployment,
    messages,
    process_messages,
    start_events,
)
from grevy.engine.resends import Resends
from grevy.engine.step import Step
from grevy.engine.stores import Stores
from grevy.engine.stores.unanswered import UnansweredStore
from grevy.engine.tables import StoredMessage, StoredMessageSubscription
from grevy.engine.views.subscriptions import SubscriptionsView
from grevy.protocol.intents import (
    CommandDistributionIntent,
    MessageSubscriptionIntent,
    ProcessMessageSubscriptionIntent,
    RejectionType,
)
from grevy.protocol.record import Entry
from grevy.protocol.values import MessageSubscriptionValue, Value
from grevy.state import WriteSet


@dataclass(frozen=True)
class Mutant:
    """A planted bug, in one sentence, how it is planted, and a seed that finds it."""

    name: str
    says: str
    plant: Callable[[ExitStack], object]
    seed: int = 1
    partition_count: int = 3


def _patched(target: object, name: str, new: object) -> Callable[[ExitStack], object]:
    return lambda stack: stack.enter_context(patch.object(target, name, new))


def _processor(intent: object, new: object) -> Callable[[ExitStack], object]:
    return lambda stack: stack.enter_context(patch.dict(PROCESSORS, {intent: new}))


def _correlating_only(known: StoredMessageSubscription, _answer: MessageSubscriptionValue) -> bool:
    return known.is_correlating


def _reject_always(step: Step, command: Command) -> None:
    value = command.value
    assert isinstance(value, MessageSubscriptionValue)
    messages._give_back(step, command.key, value)


def _drop(step: Step, key: int, value: MessageSubscriptionValue) -> None:
    step.event(MessageSubscriptionIntent.DELETED, key, value)


def _closed_at_once(stores: Stores, _key: int, value: Value) -> None:
    stores.subscriptions.remove_process_side(value)  # type: ignore[arg-type]


def _refuse_and_forget(step: Step, command: Command) -> None:
    value = command.value
    assert isinstance(value, MessageSubscriptionValue)
    known = step.views.subscriptions.message_side(value.element_instance_key, value.message_name)
    if known is None:
        step.reject(command, RejectionType.NOT_FOUND, "it is closed")
        return
    messages.delete_subscription(step, command)


def _open_again(step: Step, command: Command) -> None:
    value = command.value
    assert isinstance(value, MessageSubscriptionValue)
    key = step.next_key()
    step.event(MessageSubscriptionIntent.CREATED, key, value)
    if not messages._correlate_next(step, StoredMessageSubscription(key, value)):
        messages._send(step, value, ProcessMessageSubscriptionIntent.CREATE)


def _correlate_any(step: Step, subscription: StoredMessageSubscription) -> bool:
    value = subscription.value
    for message in step.views.messages.buffered(value.message_name, value.correlation_key):
        if not step.views.messages.is_correlated(message.key, value.bpmn_process_id):
            found = messages._correlating(step, subscription, message)
            messages._send(step, found.value, ProcessMessageSubscriptionIntent.CORRELATE)
            return True
    return False


def _correlate_to_all(step: Step, message: StoredMessage) -> None:
    name, key = message.value.name, message.value.correlation_key
    for subscription in step.views.subscriptions.waiting_for(name, key):
        if not subscription.is_correlating:
            found = messages._correlating(step, subscription, message)
            messages._send(step, found.value, ProcessMessageSubscriptionIntent.CORRELATE)


def _apply_without_keys(engine: Engine, entry: Entry) -> WriteSet:
    return _apply(engine, replace(entry, key_counter=engine._stores.pending.key_counter()))


_apply = Engine.apply


def _nothing_due(_resends: Resends, _now: int, _limit: int) -> list[SentCommand]:
    return []


def _send_all(step: Step, partition_id: int) -> None:
    for key in step.views.distributions._distributions._live:
        queued = step.views.distributions.queued(partition_id, key)
        stored = step.views.distributions.get(key)
        if queued is not None and queued.sent_at < 0 and stored is not None:
            step.event(CommandDistributionIntent.DISTRIBUTING, key, queued.value)
            step.send(partition_id, distributed_command(stored.value, key))


def _forget_retired(stack: ExitStack) -> None:
    for module in (scopes, termination):
        stack.enter_context(patch.object(module, "forget_retired", lambda _step, _ended: None))


def _followed_again(stack: ExitStack) -> None:
    for module in (deletion, distributed_deployment):
        stack.enter_context(patch.object(module, "is_new", lambda _step, _command: True))


def _no(*_: object) -> bool:
    return False


MUTANTS = (
    Mutant(
        "taken twice",
        "a message that comes again to an element is taken again",
        _patched(process_messages, "_is_taken", _no),
    ),
    Mutant(
        "any answer counts",
        "an answer is taken for that to what was sent last, whichever message it speaks of",
        _patched(messages, "_is_awaited", _correlating_only),
    ),
    Mutant(
        "every refusal counts",
        "a refusal frees its message, however late or double it comes",
        _processor(MessageSubscriptionIntent.REJECT, _reject_always),
        seed=7,
    ),
    Mutant(
        "opened by a late command",
        "a subscription that was closed is opened again by a command that comes late",
        _patched(SubscriptionsView, "is_closed", _no),
    ),
    Mutant(
        "opened twice",
        "a subscription that is open is opened again",
        _processor(MessageSubscriptionIntent.CREATE, _open_again),
    ),
    Mutant(
        "close forgets the other side",
        "the instance's side forgets a subscription before the message's side has closed it",
        lambda stack: stack.enter_context(
            patch.dict(APPLIERS, {ProcessMessageSubscriptionIntent.DELETING: _closed_at_once})
        ),
    ),
    Mutant(
        "close is confirmed once",
        "a closing that comes again is not confirmed again",
        _processor(MessageSubscriptionIntent.DELETE, _refuse_and_forget),
    ),
    Mutant(
        "late confirmation",
        "a confirmation that comes after the message has its message given to another element",
        _patched(process_messages, "_ALL", 0),
        seed=146,
        partition_count=4,
    ),
    Mutant(
        "close loses the message",
        "a message on its way to an element that waits no longer is given to nobody else",
        _patched(messages, "_give_back", _drop),
    ),
    Mutant(
        "correlation after expiry",
        "a message whose time is up is correlated until it is swept away",
        _patched(messages, "_correlate_next", _correlate_any),
    ),
    Mutant(
        "several of a process",
        "a message reaches several instances of a process",
        _patched(messages, "_correlate_to_waiting", _correlate_to_all),
    ),
    Mutant(
        "keys again",
        "a partition that begins again gives out keys a second time",
        _patched(Engine, "apply", _apply_without_keys),
    ),
    Mutant(
        "never again",
        "what is lost is not sent again",
        _patched(Resends, "due", _nothing_due),
    ),
    Mutant(
        "never settled",
        "what is answered still counts as not answered",
        _patched(UnansweredStore, "settle", lambda _store, _sent_at, _key, _partition_id=0: None),
    ),
    Mutant(
        "distributed twice",
        "a distributed command that comes again is followed again",
        _followed_again,
    ),
    Mutant(
        "deletions overtake",
        "a partition is sent all distributed commands at once, in no order",
        _patched(distribution, "_send_first", _send_all),
    ),
    Mutant(
        "timers everywhere",
        "every partition has the start timers",
        _patched(start_events, "DEPLOYMENT_PARTITION", ANY),
    ),
    Mutant(
        "never forgotten",
        "a definition that was deleted while instances lived is kept for ever",
        _forget_retired,
        seed=4,
    ),
)
"""The board."""
