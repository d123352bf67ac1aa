"""One step of the engine: a command, and everything that follows from it in one entry.

Processors and behaviours get a `Step` and nothing else: they read the state through its views,
append events (which are applied at once), queue commands of the engine itself, and say what is to
be told to whom after the commit. A step that fails is dropped whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from grevy.bpmn.model import Element
from grevy.engine.appliers import APPLIERS
from grevy.engine.models import Models
from grevy.engine.ordering import VariableOrder
from grevy.engine.stores import Stores
from grevy.engine.tables import AwaitedResult
from grevy.engine.views import Views
from grevy.ports.entropy import Entropy
from grevy.protocol.intents import (
    Intent,
    ProcessInstanceCreationIntent,
    RecordType,
    RejectionType,
)
from grevy.protocol.messages import ActivatedJob
from grevy.protocol.record import Answer, Reply, RequestId, Row
from grevy.protocol.values import ProcessInstanceCreationValue, ProcessInstanceValue, Value

_EVENT: Final = RecordType.EVENT
"""Looked up once: in Python 3.11 a member of an enumeration costs ten times what a name does. Where
a module says so on its first lines, it is on the way of every command.
"""


class Command(Struct, frozen=True, gc=False):
    """A command of a client, of the schedule or of the engine itself; `key` is -1 where it creates
    what it is about. `element` is the model of the element that it is about, where that is at hand.
    """

    intent: Intent
    key: int
    value: Value
    element: Element | None = None


class Refused(Exception):
    """A client's command cannot be followed after all: its step is dropped, and the command
    rejected.
    """

    def __init__(self, rejection_type: RejectionType, reason: str) -> None:
        super().__init__(reason)
        self.rejection_type = rejection_type
        self.reason = reason


class JobTaker(Protocol):
    """A worker's subscription that has credit for a job."""

    worker: str
    timeout: int
    fetch_variables: tuple[str, ...]


class JobTopics(Protocol):
    """Who waits for jobs, on the leader. It is no part of the state: what it decides is written as
    events.
    """

    def take(self, job_type: str) -> JobTaker | None:
        """Takes one credit of a subscription to a job type; None if nobody has any."""

    def give_back(self, taker: JobTaker) -> None:
        """The job was not handed out after all."""

    def use(self, taker: JobTaker, count: int) -> None:
        """A subscription gets jobs that were there before its credit: so much of it is used."""


class NoTopics:
    """Nobody waits for jobs: they are fetched."""

    def take(self, job_type: str) -> JobTaker | None:
        """Always None."""
        return None

    def give_back(self, taker: JobTaker) -> None:
        """Never called."""
        raise AssertionError("nothing was taken")

    def use(self, taker: JobTaker, count: int) -> None:
        """Never called."""
        raise AssertionError("nobody has credit")


class PushedJobs(Struct, frozen=True, gc=False):
    """Jobs for a worker: to a subscription, or to the request that fetched them."""

    taker: JobTaker | RequestId
    jobs: tuple[ActivatedJob, ...]


class SentCommand(Struct, frozen=True, gc=False):
    """A command for another partition."""

    partition_id: int
    command: Command


class Step:
    """What one command leads to. `now` is the entry's time, in epoch milliseconds;
    `source_partition_id` the partition that has sent the command, 0 if none has.

    An engine has one, and begins it anew for each command: that takes half the time of making one.
    """

    __slots__ = (
        "_awaiting",
        "_first_key",
        "_keys",
        "_partition_id",
        "_stores",
        "activations",
        "document_bytes",
        "entropy",
        "models",
        "now",
        "partition_count",
        "pushes",
        "queue",
        "replies",
        "request",
        "rows",
        "sends",
        "source_partition_id",
        "taken",
        "taker",
        "topics",
        "variable_order",
        "views",
    )

    def __init__(
        self,
        *,
        views: Views,
        stores: Stores,
        models: Models,
        topics: JobTopics,
        entropy: Entropy | None,
        variable_order: VariableOrder,
        partition_id: int,
        partition_count: int,
        first_key: int,
    ) -> None:
        self.views = views
        self.models = models
        self.topics = topics
        self.entropy = entropy
        self.variable_order = variable_order
        self.partition_count = partition_count
        self.queue: deque[Command] = deque()
        self._stores = stores
        self._partition_id = partition_id
        self._first_key = first_key
        self.begin(0, None, None)

    def begin(self, now: int, request: RequestId | None, taker: JobTaker | None) -> None:
        """Forgets the command before; what that gave is not touched."""
        self.now = now
        self.request = request
        self.taker = taker
        self.activations = 0
        self.source_partition_id = 0
        self.queue.clear()
        self.rows: list[Row] = []
        self.replies: list[Reply] = []
        self.pushes: list[PushedJobs] = []
        self.sends: list[SentCommand] = []
        self.taken: list[JobTaker] = []
        self._awaiting: AwaitedResult | None = None
        self.document_bytes = 0
        self._keys = self._stores.pending.key_counter()

    def next_key(self) -> int:
        """A key that nothing has had before."""
        key = self._first_key + self._keys
        self._keys += 1
        return key

    @property
    def key_counter(self) -> int:
        """How many keys the partition has given out, this step's included."""
        return self._keys

    def event(self, intent: Intent, key: int, value: Value) -> None:
        """Something has happened: recorded, and applied to the state at once."""
        self.rows.append((_EVENT, intent, key, value, None, ""))
        applier = APPLIERS.get(intent)
        if applier is not None:
            applier(self._stores, key, value)

    def restate(self, value: Value) -> None:
        """The log gets the client's command in the form in which it was understood."""
        record_type, intent, key, *_ = self.rows[0]
        assert record_type is RecordType.COMMAND, "a step begins with its command"
        self.rows[0] = record_type, intent, key, value, None, ""

    def follow_up(
        self, intent: Intent, key: int, value: Value, element: Element | None = None
    ) -> None:
        """The engine goes on with this, after what is queued already."""
        self.queue.append(Command(intent, key, value, element))

    def send(self, partition_id: int, command: Command) -> None:
        """A command for the partition that is responsible, which may be this one."""
        if partition_id == self._partition_id:
            self.queue.append(command)
        else:
            self.sends.append(SentCommand(partition_id, command))

    @property
    def partition_id(self) -> int:
        """The partition that the step belongs to."""
        return self._partition_id

    def reject(self, command: Command, rejection: RejectionType, reason: str) -> None:
        """Refuses a command: recorded, and told to the client if the command is the client's."""
        intent, key, value = command.intent, command.key, command.value
        self.rows.append((RecordType.COMMAND_REJECTION, intent, key, value, rejection, reason))
        if self.request is not None:
            answer = Answer(int(command.intent), command.key, None, rejection, reason)
            self.reply(self.request, answer)

    def answer(self, intent: Intent, key: int, value: Value | None = None) -> None:
        """The outcome, for the client whose command this step is."""
        if self.request is not None:
            self.reply(self.request, Answer(int(intent), key, value))

    def reply(self, request: RequestId, answer: Answer) -> None:
        """An answer to any request, sent after the commit; the request of this step is answered
        once.
        """
        if self._awaiting is not None and request == self._awaiting.request:
            self.replies = [reply for reply in self.replies if reply.request != request]
            self._awaiting = None
        self.replies.append(Reply(request, answer))
        if request is self.request:
            self.request = None

    def await_result(self, process_instance_key: int, fetch_variables: tuple[str, ...]) -> None:
        """The client of this step is answered when the instance completes, maybe in this very
        step.
        """
        if self.request is None:
            return
        value = ProcessInstanceCreationValue(
            process_instance_key=process_instance_key, fetch_variables=fetch_variables
        )
        intent = ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT
        awaiting = AwaitedResult(self.request, fetch_variables)
        self.reply(self.request, Answer(int(intent), process_instance_key, value))
        self._awaiting = awaiting

    def awaited(self, process_instance_key: int) -> AwaitedResult | None:
        """Who waits for the result of an instance."""
        return self._awaiting or self.views.requests.awaited(process_instance_key)

    def push(self, taker: JobTaker | RequestId, jobs: tuple[ActivatedJob, ...]) -> None:
        """Jobs for a worker, pushed after the commit."""
        self.pushes.append(PushedJobs(taker, jobs))

    def take_worker(self, job_type: str) -> JobTaker | None:
        """A worker with credit for a job type; the credit goes back if the step is dropped."""
        taker = self.topics.take(job_type)
        if taker is not None:
            self.taken.append(taker)
        return taker

    def use_credit(self, taker: JobTaker, count: int) -> None:
        """A worker gets jobs that were there before its credit, which goes back in the same way."""
        self.topics.use(taker, count)
        self.taken += [taker] * count

    def element(self, value: ProcessInstanceValue) -> Element:
        """The model of the element that a record speaks of."""
        process = self.models.get(value.process_definition_key)
        return process.elements[value.element_id]

    def lookup(self, scope_key: int) -> Callable[[str], bytes | None]:
        """How expressions read the variables that a scope sees."""
        find = self.views.variables.find
        return lambda name: find(scope_key, name)
