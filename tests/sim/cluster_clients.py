"""Clients of a simulated cluster: they follow leaders, ask again with the same number, and keep
what they were told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec
from tests.chaos.history import MARK, Operation
from tests.chaos.model import ORDER
from tests.sim.cluster_broker import BROKERS, Connection
from tests.sim.cluster_checker import Violation
from tests.sim.cluster_history import begun, ended
from tests.sim.cluster_links import node_of
from tests.sim.cluster_marks import ClusterMark
from tests.sim.marks import mark

from grevy.protocol.codec import decode_entry, entry_positions
from grevy.protocol.intents import (
    DeploymentIntent,
    Intent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    RejectionType,
)
from grevy.protocol.keys import partition_of, partition_of_correlation_key
from grevy.protocol.messages import (
    ActivatedJob,
    AddCredit,
    CommandReply,
    CommandRequest,
    ErrorReply,
    JobPush,
    OpenJobSubscription,
    OpenRecordSubscription,
    RecordPush,
    Request,
    ServerItem,
    SubscriptionClosed,
    SubscriptionOpened,
    TopologyReply,
    TopologyRequest,
)
from grevy.protocol.record import Answer, RequestId
from grevy.protocol.values import (
    DeploymentValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ResourceFile,
    Value,
)

if TYPE_CHECKING:
    from tests.sim.cluster import SimCluster

ANSWER_US: Final = 1_500_000
"""A client that has heard nothing for so long asks again."""

HASTE_US: Final = 50_000
"""One that is impatient asks again, maybe before what it asked for is committed."""

RETRY_US: Final = 150_000
JOB_CREDIT: Final = 4
RECORD_CREDIT: Final = 16
FAR_BEHIND: Final = 300
"""Records that a reader has not seen."""

MESSAGE_TTL_MS: Final = 86_400_000
"""Longer than any clock is off."""


@dataclass(slots=True)
class Asked:
    """A command under way."""

    number: int
    partition_id: int
    intent: Intent
    key: int
    value: Value
    done: Callable[[Answer], None]
    tries: int = 0
    asked: set[int] = field(default_factory=set)
    """Brokers that were asked."""


class SimClient:
    """One client with its connections and its count of requests."""

    def __init__(self, cluster: SimCluster, rng: Random) -> None:
        self.cluster = cluster
        self.world = cluster.world
        self.rng = rng
        self.client_id = rng.randbytes(16)
        self.answered: dict[int, Answer] = {}
        self.asked: dict[int, Asked] = {}
        self.history: dict[int, Operation] = {}
        """What it asked, by number, and what it was told."""
        self.leaders: dict[int, int] = {}
        self._terms: dict[int, int] = {}
        self._number = 0
        self._connections: dict[int, Connection] = {}

    def command(
        self,
        partition_id: int,
        intent: Intent,
        key: int,
        value: Value,
        done: Callable[[Answer], None],
    ) -> None:
        """Ask for something until it is answered."""
        self._number += 1
        asked = Asked(self._number, partition_id, intent, key, value, done)
        self.asked[asked.number] = asked
        operation = begun(asked.number, intent, key, value, self.world.clock.elapsed_us)
        if operation is not None:
            self.history[asked.number] = operation
        self._ask(asked)

    def send(self, node_id: int, request: Request) -> Connection | None:
        """To a broker, if one is there."""
        connection = self._connections.get(node_id)
        if connection is None or not connection.is_open:
            connection = self.cluster.connect(node_id, self)
            if connection is None:
                return None
            self._connections[node_id] = connection
        connection.send(request)
        return connection

    def leader_of(self, partition_id: int) -> int:
        """Who leads, as far as is known; somebody else once in a while, for brokers know too."""
        return self.leaders.get(partition_id) or self.rng.choice(BROKERS)

    def look(self) -> None:
        """Ask some broker who leads."""
        self.send(self.rng.choice(BROKERS), TopologyRequest(0))

    def disconnect(self) -> None:
        """All connections break."""
        for connection in self._connections.values():
            connection.close()

    def begin(self) -> None:
        """Start to do what it does."""
        raise NotImplementedError

    def on_closed(self, connection: Connection) -> None:
        """A connection is gone."""
        node_id = connection.broker.node_id
        if self._connections.get(node_id) is connection:
            del self._connections[node_id]
        self.lost(connection)

    def lost(self, connection: Connection) -> None:
        """For subscribers."""

    def on_item(self, connection: Connection, item: ServerItem) -> None:
        """A broker says something."""
        match item:
            case CommandReply():
                self._answer(item, connection.broker.node_id)
            case ErrorReply():
                mark(ClusterMark.SENT_ON)
                asked = self.asked.get(item.number)
                if asked is not None:
                    self.look()
                    self._again_after(asked, self.rng.randrange(1, RETRY_US))
            case TopologyReply():
                for info in item.partitions:
                    if info.leader and info.term >= self._terms.get(info.partition_id, 0):
                        self._terms[info.partition_id] = info.term
                        self.leaders[info.partition_id] = node_of(info.leader)
            case _:
                self.hear(connection, item)

    def hear(self, connection: Connection, item: ServerItem) -> None:
        """For subscribers."""

    def _answer(self, reply: CommandReply, node_id: int) -> None:
        known = self.answered.setdefault(reply.number, reply.answer)
        if known != reply.answer:
            raise Violation(f"request {reply.number} is answered {known} and {reply.answer}")
        promised = self.cluster.checker.answers.get(RequestId(self.client_id, reply.number))
        if promised != reply.answer:
            raise Violation(f"request {reply.number} is answered before its entry is committed")
        asked = self.asked.pop(reply.number, None)
        if asked is not None:
            if reply.number in self.history:
                now_us = self.world.clock.elapsed_us
                self.history[reply.number] = ended(self.history[reply.number], reply.answer, now_us)
            if asked.asked != {node_id}:
                mark(ClusterMark.ANSWERED_ELSEWHERE)
            asked.done(reply.answer)

    def _ask(self, asked: Asked) -> None:
        if asked.number not in self.asked:
            return
        asked.tries += 1
        node_id = self.leader_of(asked.partition_id)
        if asked.tries % 3 == 0:
            self.leaders.pop(asked.partition_id, None)
            self.look()
        request = CommandRequest(
            asked.number, asked.partition_id, asked.intent, asked.key, asked.value
        )
        asked.asked.add(node_id)
        self.send(node_id, request)
        is_impatient = self.rng.random() < self.cluster.knobs.impatience
        self._again_after(asked, self.rng.randrange(1, HASTE_US) if is_impatient else ANSWER_US)

    def _again_after(self, asked: Asked, delay_us: int) -> None:
        tries = asked.tries

        def again() -> None:
            if asked.tries == tries:
                self._ask(asked)

        self.world.after(delay_us, again)


class Orderer(SimClient):
    """Deploys the process, creates instances, and publishes the message that each waits for."""

    def __init__(self, cluster: SimCluster, rng: Random, *, count: int, pause_us: int) -> None:
        super().__init__(cluster, rng)
        self.created: dict[str, int] = {}
        self.published: set[str] = set()
        self._count = count
        self._pause_us = pause_us
        self._name = rng.randbytes(3).hex()

    @property
    def is_done(self) -> bool:
        """Whether all is created and published."""
        return len(self.created) == len(self.published) == self._count and not self.asked

    def begin(self) -> None:
        """Deploy, then order."""
        value = DeploymentValue((ResourceFile("order.bpmn", ORDER),))
        self.command(1, DeploymentIntent.CREATE, -1, value, self._on_deployed)

    def _on_deployed(self, answer: Answer) -> None:
        if answer.rejection_type is not None:
            raise Violation(f"the deployment is rejected: {answer}")
        at_us = 0
        for number in range(self._count):
            at_us += self.rng.randrange(2 * self._pause_us)
            key = f"{self._name}-{number}"
            partition_id = self.rng.choice(self.cluster.partition_ids)
            publish = partial(self._publish, key)
            steps = [partial(self._create, key, partition_id), publish]
            self.rng.shuffle(steps)
            self.world.after(at_us, steps[0])
            self.world.after(at_us + self.rng.randrange(self._pause_us), steps[1])
            knobs = self.cluster.knobs
            if self.rng.random() < knobs.doubles:  # somebody else says so too
                self.world.after(at_us + self.rng.randrange(2 * self._pause_us), publish)
            if self.rng.random() < knobs.deployments:
                self.world.after(at_us, self._deploy_again)

    def _deploy_again(self) -> None:
        """The next version, which does the same."""
        mark(ClusterMark.DEPLOYED_AGAIN)
        version = b'id="d%d"' % self.rng.getrandbits(32)
        value = DeploymentValue((ResourceFile("order.bpmn", ORDER.replace(b'id="d"', version)),))
        self.command(1, DeploymentIntent.CREATE, -1, value, lambda _answer: None)

    def _create(self, key: str, partition_id: int) -> None:
        value = ProcessInstanceCreationValue(
            bpmn_process_id="order",
            variables=msgspec.json.encode({"key": key, MARK: key}),
        )

        def done(answer: Answer) -> None:
            if answer.rejection_type is not None:  # not everywhere yet
                self.world.after(RETRY_US, lambda: self._create(key, partition_id))
                return
            created = answer.value
            assert isinstance(created, ProcessInstanceCreationValue)
            self.created[key] = created.process_instance_key
            if self.rng.random() < self.cluster.knobs.cancels:
                delay_us = self.rng.randrange(1, 2 * self._pause_us)
                self.world.after(delay_us, lambda: self._cancel(created.process_instance_key))

        intent = ProcessInstanceCreationIntent.CREATE
        self.command(partition_id, intent, -1, value, done)

    def _cancel(self, instance: int) -> None:
        """An order is not wanted any more; it may have ended."""
        mark(ClusterMark.CANCELLED)
        intent = ProcessInstanceIntent.CANCEL
        self.command(
            partition_of(instance), intent, instance, ProcessInstanceValue(), lambda _answer: None
        )

    def _publish(self, key: str) -> None:
        value = MessageValue(
            name="paid", correlation_key=key, message_id=key, time_to_live=MESSAGE_TTL_MS
        )

        def done(answer: Answer) -> None:
            is_there = answer.rejection_type is RejectionType.ALREADY_EXISTS
            if answer.rejection_type is not None and not is_there:
                raise Violation(f"the message {key} is rejected: {answer}")
            self.published.add(key)

        partition_id = partition_of_correlation_key(key, len(self.cluster.partition_ids))
        self.command(partition_id, MessageIntent.PUBLISH, -1, value, done)


class Subscriber(SimClient):
    """Keeps one subscription at the leader of each partition."""

    def __init__(self, cluster: SimCluster, rng: Random) -> None:
        super().__init__(cluster, rng)
        self._open: dict[int, tuple[Connection, int]] = {}
        """By partition: where its subscription is, and its number."""
        self._subscription = 0
        self._heard_us = dict.fromkeys(cluster.partition_ids, 0)

    def begin(self) -> None:
        """Open what is not open, now and again."""
        for partition_id in self.cluster.partition_ids:
            if partition_id not in self._open:
                self._subscription += 1
                request = self.opening(self._subscription, partition_id)
                connection = self.send(self.leader_of(partition_id), request)
                if connection is not None:
                    self._open[partition_id] = (connection, self._subscription)
        self.look()
        self.world.after(self.rng.randrange(1, 2 * RETRY_US), self.begin)

    def opening(self, number: int, partition_id: int) -> Request:
        """The request that opens one."""
        raise NotImplementedError

    def partition_at(self, connection: Connection, number: int) -> int | None:
        """Which partition a subscription is for; None for one of before."""
        for partition_id, opened in self._open.items():
            if opened == (connection, number):
                return partition_id
        return None

    def lost(self, connection: Connection) -> None:
        """A connection is gone, with what was open there."""
        for partition_id, (other, _) in list(self._open.items()):
            if other is connection:
                del self._open[partition_id]
                self.leaders.pop(partition_id, None)

    def closed(self, connection: Connection, item: SubscriptionClosed) -> int | None:
        """The broker has ended one; of which partition."""
        partition_id = self.partition_at(connection, item.subscription)
        if partition_id is not None:
            del self._open[partition_id]
            self.leaders.pop(partition_id, None)
        return partition_id


class Worker(Subscriber):
    """Does the jobs: mostly well, sometimes twice, sometimes late or not at all."""

    def __init__(
        self,
        cluster: SimCluster,
        rng: Random,
        *,
        timeout_ms: int,
        work_us: int,
        carelessness: float,
    ) -> None:
        super().__init__(cluster, rng)
        self.completed: list[int] = []
        self.carelessness = carelessness
        self._timeout_ms = timeout_ms
        self._work_us = work_us

    def opening(self, number: int, partition_id: int) -> Request:
        """See `Subscriber`."""
        return OpenJobSubscription(
            number, partition_id, "work", "w", self._timeout_ms, (), JOB_CREDIT
        )

    def hear(self, connection: Connection, item: ServerItem) -> None:
        """Jobs, or the end of a subscription."""
        if isinstance(item, SubscriptionClosed):
            self.closed(connection, item)
        elif isinstance(item, JobPush):
            for job in item.jobs:
                self._work(job)
            if connection.is_open:
                connection.send(AddCredit(item.subscription, len(item.jobs)))

    def _work(self, job: ActivatedJob) -> None:
        if self.rng.random() < self.carelessness:
            return  # it comes back by its time-out
        times = 2 if self.rng.random() < self.carelessness else 1
        for _ in range(times):
            work_us = self.rng.randrange(2 * self._work_us)
            self.world.after(work_us, lambda: self._complete(job))

    def _complete(self, job: ActivatedJob) -> None:
        def done(answer: Answer) -> None:
            if answer.rejection_type is None:
                self.completed.append(job.key)

        value = JobValue(activation=job.activation)
        self.command(partition_of(job.key), JobIntent.COMPLETE, job.key, value, done)


@dataclass(slots=True)
class Seen:
    """How far a reader of records is in a partition."""

    position: int = 0
    entries: dict[int, bytes] = field(default_factory=dict)


class Reader(Subscriber):
    """Reads all records."""

    def __init__(self, cluster: SimCluster, rng: Random, *, pause_us: int = 0) -> None:
        super().__init__(cluster, rng)
        self.pause_us = pause_us
        """How long it takes until it wants more."""
        self.seen = {each: Seen() for each in cluster.partition_ids}

    def opening(self, number: int, partition_id: int) -> Request:
        """From where it is."""
        start = self.seen[partition_id].position + 1
        return OpenRecordSubscription(number, partition_id, start, (), RECORD_CREDIT, "")

    def hear(self, connection: Connection, item: ServerItem) -> None:
        """Records, or where they begin, or the end."""
        match item:
            case SubscriptionClosed():
                self.closed(connection, item)
            case SubscriptionOpened():
                partition_id = self.partition_at(connection, item.subscription)
                if partition_id is not None:
                    self._opened(partition_id, item)
            case RecordPush():
                partition_id = self.partition_at(connection, item.subscription)
                if partition_id is not None:
                    self._read(partition_id, item.entries)
                    settle = partial(self._settle, connection, partition_id, item)
                    if self.pause_us:
                        self.world.after(self.rng.randrange(1, 2 * self.pause_us), settle)
                    else:
                        settle()
            case _:
                pass

    def _opened(self, partition_id: int, item: SubscriptionOpened) -> None:
        seen = self.seen[partition_id]
        if item.position > seen.position:
            mark(ClusterMark.GAP_TOLD)
            seen.position = item.position

    def _read(self, partition_id: int, entries: Sequence[bytes]) -> None:
        seen = self.seen[partition_id]
        log = self.cluster.checker.audit.positions.get(partition_id, 0)
        for payload in entries:
            first, last = entry_positions(payload)
            if first > seen.position + 1:
                raise Violation(
                    f"partition {partition_id}: a reader at {seen.position} is sent {first}"
                )
            if last > log:
                raise Violation(f"position {last} is read before it is committed")
            known = seen.entries.setdefault(first, payload)
            if known != payload:
                raise Violation(f"position {first} of partition {partition_id} has changed")
            seen.position = max(seen.position, last)
            decode_entry(payload)

    def _settle(self, connection: Connection, partition_id: int, item: RecordPush) -> None:
        if not connection.is_open:
            return
        newest = self.cluster.checker.audit.positions.get(partition_id, 0)
        if self.seen[partition_id].position < newest - FAR_BEHIND:
            mark(ClusterMark.READER_SLOW)
        if item.entries:
            connection.send(AddCredit(item.subscription, len(item.entries)))
