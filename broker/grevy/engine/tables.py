"""The tables of a partition's engine state: what is stored under which key.

Scans yield values only, so a value says whatever its reader needs, its own key too. Structs are
`array_like`; a new field goes to the end and has a default, so that checkpoints of older versions
stay readable.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from msgspec import Struct

from grevy.protocol.record import RequestId
from grevy.protocol.values import (
    Document,
    IncidentValue,
    JobValue,
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    ProcessValue,
    TimerValue,
)
from grevy.state import BLOB, I64, TEXT, U64, KeyOf, TableSpec


class Lifecycle(IntEnum):
    """Where an element instance is in its life; `lifecycle.py` holds the legal transitions."""

    ACTIVATING = 1
    ACTIVATED = 2
    COMPLETING = 3
    COMPLETED = 4
    TERMINATING = 5
    TERMINATED = 6


class EventTrigger(Struct, frozen=True, array_like=True, gc=False):
    """An event that has happened to a scope and that its target element has not taken up yet."""

    key: int
    element_id: str
    variables: Document
    process_instance_key: int = -1


class ElementInstance(Struct, frozen=True, array_like=True, gc=False):
    """A live element of a process instance.

    `children` counts its live element instances, `active_flows` the tokens on their way between
    them: a scope completes when both are 0. `job_key` is that of its last job, -1 without one.
    `is_interrupted`: the terminate end event `interrupted_by` has ended the scope's other paths.
    `triggers` counts the events that wait to be taken up, `has_variables` says that the scope may
    have variables: most have neither, and then nobody looks for them.
    One of the children, `child` (-1 for none), and the oldest event, `trigger`, may be kept here;
    only what there is beside them has rows of its own, and most elements have nothing beside them.
    """

    key: int
    value: ProcessInstanceValue
    state: Lifecycle
    children: int = 0
    active_flows: int = 0
    job_key: int = -1
    is_interrupted: bool = False
    triggers: int = 0
    has_variables: bool = False
    interrupted_by: str = ""
    child: int = -1
    trigger: EventTrigger | None = None


class WaitingTokens(Struct, frozen=True, array_like=True, gc=False):
    """Tokens that have come over one incoming flow of a joining gateway and wait for the others."""

    gateway_id: str
    flow_id: str
    tokens: int


class StoredVariable(Struct, frozen=True, array_like=True, gc=False):
    """A variable of a scope; `value` is JSON text."""

    key: int
    name: str
    value: bytes


class JobState(IntEnum):
    """What may happen to a job next."""

    ACTIVATABLE = 1
    ACTIVATED = 2
    FAILED = 3
    ERROR_THROWN = 4


NO_CATCH_EVENT: Final = "NO_CATCH_EVENT_FOUND"
"""The element id of a job whose error nobody caught, as Zeebe records it."""


class StoredJob(Struct, frozen=True, array_like=True, gc=False):
    """A job that is not finished."""

    key: int
    value: JobValue
    state: JobState


class StoredTimer(Struct, frozen=True, array_like=True, gc=False):
    """A timer that waits."""

    key: int
    value: TimerValue


class PendingCommand(Struct, frozen=True, array_like=True, gc=False):
    """A command that the engine itself is to process; `value` is the encoded struct of the intent's
    value type.

    `activations` counts the elements that its chain of commands has activated without a wait.
    """

    intent: int
    key: int
    value: bytes
    activations: int = 0
    position: int = -1


class StoredIncident(Struct, frozen=True, array_like=True, gc=False):
    """An open incident; `command` is run again when it is resolved (None where a job becomes
    activatable instead).
    """

    key: int
    value: IncidentValue
    command: PendingCommand | None = None


class StoredMessage(Struct, frozen=True, array_like=True, gc=False):
    """A buffered message."""

    key: int
    value: MessageValue


class StoredMessageSubscription(Struct, frozen=True, array_like=True, gc=False):
    """A subscription on the message's side; `is_correlating` while the instance has not
    confirmed. `sent_at`: since when the partition of the instance has to answer, -1 where it is
    this one or need not.
    """

    key: int
    value: MessageSubscriptionValue
    is_correlating: bool = False
    sent_at: int = -1


class SubscriptionState(IntEnum):
    """How far the opening or closing of a subscription is."""

    OPENING = 1
    OPENED = 2
    CLOSING = 3


class StoredProcessMessageSubscription(Struct, frozen=True, array_like=True, gc=False):
    """A subscription on the instance's side; `sent_at` as on the other side."""

    key: int
    value: ProcessMessageSubscriptionValue
    state: SubscriptionState
    sent_at: int = -1


class StoredStartSubscription(Struct, frozen=True, array_like=True, gc=False):
    """A message start event that waits."""

    key: int
    value: MessageStartEventSubscriptionValue


class AwaitedResult(Struct, frozen=True, array_like=True, gc=False):
    """A client that waits for an instance to complete; empty `fetch_variables` means all."""

    request: RequestId
    fetch_variables: tuple[str, ...]


class RememberedAnswer(Struct, frozen=True, array_like=True, gc=False):
    """The answer to a request: an `Answer` whose value is encoded (empty for None).

    `is_due`: the request was taken, and is answered later. `rejection_type` is -1 for an outcome.
    """

    number: int
    is_due: bool = False
    intent: int = 0
    key: int = -1
    rejection_type: int = -1
    rejection_reason: str = ""
    value: bytes = b""


class LargeAnswer(Struct, frozen=True, array_like=True, gc=False):
    """A remembered answer that counts by its size; `place` says how many there were before it."""

    place: int
    client_id: bytes
    number: int
    size: int


class ClientSession(Struct, frozen=True, array_like=True, gc=False):
    """A client whose answers are remembered, with the time (to a minute) that it was last heard
    of.
    """

    client_id: bytes
    seen: int


ELEMENT_INSTANCES: Final = TableSpec(
    1, "element_instances", key=U64, value=ElementInstance, editable=True
)
CHILDREN: Final = TableSpec(2, "children", key=KeyOf(U64, U64), value=int, ordered=True)
"""(parent, child) → child; one child may be in the parent itself."""

FLOWS_TAKEN: Final = TableSpec(
    3, "flows_taken", key=KeyOf(U64, TEXT, TEXT), value=WaitingTokens, ordered=True
)
"""(flow scope, joining gateway's id, flow's id)."""

VARIABLES: Final = TableSpec(
    4, "variables", key=KeyOf(U64, TEXT), value=StoredVariable, ordered=True
)
JOBS: Final = TableSpec(5, "jobs", key=U64, value=StoredJob)
ACTIVATABLE_JOBS: Final = TableSpec(
    6, "activatable_jobs", key=KeyOf(TEXT, U64), value=int, ordered=True
)
"""(type, job) → job."""

JOB_DEADLINES: Final = TableSpec(7, "job_deadlines", key=KeyOf(U64, U64), value=int, ordered=True)
"""(deadline, job) → job."""

JOB_BACKOFFS: Final = TableSpec(8, "job_backoffs", key=KeyOf(U64, U64), value=int, ordered=True)
"""(recurring time, job) → job."""

TIMERS: Final = TableSpec(9, "timers", key=KeyOf(I64, U64), value=StoredTimer, ordered=True)
"""(element instance, or minus the definition key for start timers; timer)."""

TIMERS_DUE: Final = TableSpec(
    10, "timers_due", key=KeyOf(U64, U64), value=StoredTimer, ordered=True
)
"""(due date, timer)."""

INCIDENTS: Final = TableSpec(11, "incidents", key=U64, value=StoredIncident)
INCIDENT_BY_ELEMENT: Final = TableSpec(
    12, "incident_by_element", key=KeyOf(U64, U64), value=int, ordered=True
)
"""(element instance, incident) → incident."""

EVENT_TRIGGERS: Final = TableSpec(
    13, "event_triggers", key=KeyOf(U64, U64), value=EventTrigger, ordered=True
)
"""(scope, trigger): first in, first out; the oldest one may be in the scope itself."""

MESSAGES: Final = TableSpec(14, "messages", key=U64, value=StoredMessage)
MESSAGES_BY_NAME: Final = TableSpec(
    15, "messages_by_name", key=KeyOf(TEXT, TEXT, U64), value=int, ordered=True
)
"""(name, correlation key, message) → message."""

MESSAGE_DEADLINES: Final = TableSpec(
    16, "message_deadlines", key=KeyOf(U64, U64), value=int, ordered=True
)
"""(deadline, message) → message."""

MESSAGE_IDS: Final = TableSpec(17, "message_ids", key=KeyOf(TEXT, TEXT, TEXT), value=int)
"""(name, correlation key, message id) → message."""

MESSAGES_CORRELATED: Final = TableSpec(
    18, "messages_correlated", key=KeyOf(U64, TEXT), value=str, ordered=True
)
"""(message, process id) → process id: a message is correlated once a process."""

MESSAGE_SUBSCRIPTIONS: Final = TableSpec(
    19, "message_subscriptions", key=KeyOf(U64, TEXT), value=StoredMessageSubscription, ordered=True
)
"""(element instance, message name)."""

MESSAGE_SUBSCRIPTIONS_BY_NAME: Final = TableSpec(
    20, "message_subscriptions_by_name", key=KeyOf(TEXT, TEXT, U64), value=int, ordered=True
)
"""(message name, correlation key, element instance) → element instance."""

PROCESS_MESSAGE_SUBSCRIPTIONS: Final = TableSpec(
    21,
    "process_message_subscriptions",
    key=KeyOf(U64, TEXT),
    value=StoredProcessMessageSubscription,
    ordered=True,
)
"""(element instance, message name)."""

START_SUBSCRIPTIONS: Final = TableSpec(
    22, "start_subscriptions", key=KeyOf(TEXT, U64), value=StoredStartSubscription, ordered=True
)
"""(message name, subscription)."""

START_SUBSCRIPTIONS_BY_PROCESS: Final = TableSpec(
    23,
    "start_subscriptions_by_process",
    key=KeyOf(U64, U64),
    value=StoredStartSubscription,
    ordered=True,
)
"""(process definition, subscription)."""

CORRELATION_LOCKS: Final = TableSpec(24, "correlation_locks", key=KeyOf(TEXT, TEXT), value=int)
"""(process id, correlation key) → the instance that a message started and that still runs."""

CORRELATION_KEYS: Final = TableSpec(25, "correlation_keys", key=U64, value=str)
"""Process instance → the correlation key of the message that started it."""

PROCESSES: Final = TableSpec(26, "processes", key=U64, value=ProcessValue)
PROCESS_VERSIONS: Final = TableSpec(27, "process_versions", key=KeyOf(TEXT, U64), value=int)
"""(process id, version) → definition key; version 0 → the newest version's number."""

AWAITED_RESULTS: Final = TableSpec(28, "awaited_results", key=U64, value=AwaitedResult)
PENDING: Final = TableSpec(29, "pending", key=U64, value=PendingCommand, ordered=True)
"""Position → a command that an entry left to be processed."""

REQUESTS: Final = TableSpec(30, "requests", key=KeyOf(BLOB, U64), value=RememberedAnswer)
"""(client, request number modulo REQUESTS_REMEMBERED)."""

DUE_REQUESTS: Final = TableSpec(
    49, "due_requests", key=KeyOf(BLOB, I64), value=RememberedAnswer, ordered=True
)
"""(client, request number): taken, and answered when its instance has ended. The ring may have gone
round by then."""

LATE_ANSWERS: Final = TableSpec(
    50, "late_answers", key=KeyOf(BLOB, I64), value=RememberedAnswer, ordered=True
)
"""(client, request number): the same, answered when the ring had gone round."""

LARGE_ANSWERS: Final = TableSpec(51, "large_answers", key=U64, value=LargeAnswer, ordered=True)
"""Place → a large answer, the oldest first; it may have gone by itself meanwhile."""

SESSIONS: Final = TableSpec(31, "sessions", key=BLOB, value=ClientSession)
SESSIONS_BY_AGE: Final = TableSpec(
    32, "sessions_by_age", key=KeyOf(U64, BLOB), value=ClientSession, ordered=True
)
COUNTERS: Final = TableSpec(33, "counters", key=TEXT, value=int)
"""Named numbers: the key counter, the number of sessions, the bytes of large answers."""
