"""Whether what clients were told of an order can be explained: by an order of its operations, each
at one moment between question and answer, in which a small model of the process takes them all
(after Wing and Gong).

The log is asked for two things only: which operations are of one process instance, and how that one
has ended. An operation whose outcome nobody knows may have happened at any time since, or never.
Changes of variables are left out: the model has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from tests.chaos.effects import mark_of
from tests.chaos.history import Kind, Operation, Outcome

from grevy.protocol.intents import (
    BpmnElementType,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RecordType,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
)

PROCESS: Final = "order"
ANY_KEY: Final = -1


class Fate(Enum):
    """How a process instance has ended."""

    RUNNING = "runs"
    COMPLETED = "has completed"
    TERMINATED = "was terminated"


class State(NamedTuple):
    """What the model knows of an order: a job, then a message."""

    instance: int = 0
    """Its key; 0 where it is not created, `ANY_KEY` where nobody was told."""
    is_published: bool = False
    is_job_done: bool = False
    is_cancelled: bool = False
    is_ended: bool = False
    """It has ended for sure: cancelled, or somebody was told that it was gone. One whose job is
    done and whose message is there ends by itself, sooner or later.
    """

    @property
    def may_end(self) -> bool:
        """Whether nothing keeps it from having completed."""
        return self.instance != 0 and self.is_published and self.is_job_done


def after(state: State, operation: Operation) -> State | None:
    """What an operation makes of it, that had this outcome, or was done if nobody knows; None where
    it cannot have it.
    """
    is_refused = operation.outcome is Outcome.REJECTED
    match operation.kind:
        case Kind.CREATE:
            return state if is_refused else _created(state, operation.key)
        case Kind.PUBLISH:
            if not is_refused:
                return None if state.is_published else state._replace(is_published=True)
            is_known = operation.reason.startswith("AlreadyExists")
            return state if state.is_published or not is_known else None
        case Kind.COMPLETE:
            return _refused_job(state, operation) if is_refused else _completed(state)
        case Kind.CANCEL:
            return _refused_cancel(state, operation) if is_refused else _cancelled(state)
        case _:
            return state


def _created(state: State, key: int) -> State | None:
    return None if state.instance else state._replace(instance=key or ANY_KEY)


def _completed(state: State) -> State | None:
    if not state.instance or state.is_job_done or state.is_ended:
        return None
    return state._replace(is_job_done=True)


def _refused_job(state: State, operation: Operation) -> State | None:
    if not operation.reason.startswith("NotFound"):
        return state if state.instance else None  # of an old lease
    return state if state.is_job_done or state.is_ended else None


def _cancelled(state: State) -> State | None:
    if not state.instance or state.is_ended:
        return None
    return state._replace(is_cancelled=True, is_ended=True)


def _refused_cancel(state: State, operation: Operation) -> State | None:
    if not operation.reason.startswith("NotFound") or state.is_ended:
        return state
    return state._replace(is_ended=True) if state.may_end else None


def is_end(state: State, instance: int, fate: Fate) -> bool:
    """Whether an order in this state may be found so at the end."""
    if state.instance not in (instance, ANY_KEY):
        return False
    match fate:
        case Fate.TERMINATED:
            return state.is_cancelled
        case Fate.COMPLETED:
            return state.may_end and not state.is_cancelled
        case Fate.RUNNING:
            return not state.is_ended


def is_explained(operations: Sequence[Operation], instance: int, fate: Fate) -> bool:
    """Whether some order of the operations leads to the end that was found."""
    everything = (1 << len(operations)) - 1
    told = sum(1 << n for n, each in enumerate(operations) if each.outcome is not Outcome.UNKNOWN)
    known = {(State(), everything)}
    waiting = list(known)
    while waiting:
        state, left = waiting.pop()
        if not left & told and is_end(state, instance, fate):
            return True
        rest = [n for n in range(len(operations)) if left >> n & 1]
        first_end_s = min((operations[n].end_s for n in rest), default=0.0)
        for number in rest:
            if operations[number].begin_s > first_end_s:
                continue  # another one had been answered before it began
            following = after(state, operations[number])
            step = (following, left & ~(1 << number))
            if following is not None and step not in known:
                known.add((following, step[1]))
                waiting.append((following, step[1]))
    return False


@dataclass(slots=True)
class Order:
    """What the log says of a process instance of the orders' process."""

    name: str
    fate: Fate = Fate.RUNNING
    jobs: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Orders:
    """All of them by key, and the messages' ids by the order that they are for."""

    by_key: dict[int, Order] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def orders_of(entries: Iterable[Entry]) -> Orders:
    """What the log says; the variable `MARK` of a process instance is its order's name."""
    orders = Orders()
    for entry in entries:
        for record in entry.records:
            if record.record_type is RecordType.EVENT:
                _take(orders, record)
    return orders


def _take(orders: Orders, record: Record) -> None:
    value, intent = record.value, record.intent
    if intent is ProcessInstanceCreationIntent.CREATED:
        assert isinstance(value, ProcessInstanceCreationValue)
        if value.bpmn_process_id == PROCESS:
            orders.by_key[value.process_instance_key] = Order(mark_of(value.variables))
    elif intent is MessageIntent.PUBLISHED:
        assert isinstance(value, MessageValue)
        orders.messages[value.correlation_key].append(value.message_id)
    elif intent is JobIntent.CREATED:
        assert isinstance(value, JobValue)
        if value.process_instance_key in orders.by_key:
            orders.by_key[value.process_instance_key].jobs.append(record.key)
    elif isinstance(value, ProcessInstanceValue) and record.key in orders.by_key:
        assert value.bpmn_element_type is BpmnElementType.PROCESS
        if intent is ProcessInstanceIntent.ELEMENT_COMPLETED:
            orders.by_key[record.key].fate = Fate.COMPLETED
        elif intent is ProcessInstanceIntent.ELEMENT_TERMINATED:
            orders.by_key[record.key].fate = Fate.TERMINATED


def unexplained(history: Sequence[Operation], entries: Iterable[Entry]) -> Iterator[str]:
    """Each order whose answers nothing explains, with its operations."""
    orders = orders_of(entries)
    by_subject: dict[tuple[Kind, str], list[Operation]] = defaultdict(list)
    for operation in history:
        by_subject[operation.kind, operation.subject].append(operation)
    for key, order in orders.by_key.items():
        if not order.name:
            continue
        subjects = [
            (Kind.CREATE, order.name),
            (Kind.CANCEL, str(key)),
            *((Kind.COMPLETE, str(job)) for job in order.jobs),
            *((Kind.PUBLISH, message) for message in orders.messages[order.name]),
        ]
        operations = [each for subject in subjects for each in by_subject[subject]]
        if not is_explained(operations, key, order.fate):
            told = "; ".join(map(_told, sorted(operations, key=lambda each: each.begin_s)))
            yield f"process instance {key} {order.fate.value}: {told}"


def _told(operation: Operation) -> str:
    said = operation.reason.partition(":")[0] or operation.outcome.value
    return f"{operation.begin_s:.6f} to {operation.end_s:.6f} {operation.kind.value}: {said}"
