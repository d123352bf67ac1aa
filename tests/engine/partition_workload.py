"""What clients do to several partitions, and what must hold of their logs and states whatever goes
wrong meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final

from tests.engine.decisions import graph, literal
from tests.engine.models import ProcessBuilder, message_ref, timer
from tests.engine.partitions import Cluster, SimPartition, draw_faults

from grevy.engine import partition_tables, resource_tables, tables
from grevy.protocol.intents import (
    CommandDistributionIntent,
    DeploymentIntent,
    ErrorIntent,
    IncidentIntent,
    MessageIntent,
    MessageStartEventSubscriptionIntent,
    MessageSubscriptionIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    ResourceDeletionIntent,
)
from grevy.protocol.keys import partition_of, partition_of_correlation_key
from grevy.protocol.limits import MESSAGE_EXPIRY_PERIOD_MS
from grevy.protocol.record import Answer, Record
from grevy.protocol.values import (
    DeploymentValue,
    MessageStartEventSubscriptionValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    ResourceDeletionValue,
    ResourceFile,
    TimerValue,
)

LONG_MS: Final = 400_000
SHORT_MS: Final = 3_000
BUSY_MS: Final = 60_000
"""How long clients do things while things go wrong."""

ROUNDS_MAX: Final = 8

DEFINITIONS: Final = (
    tables.PROCESSES,
    tables.PROCESS_VERSIONS,
    resource_tables.DECISIONS,
    resource_tables.DECISION_VERSIONS,
    resource_tables.DECISION_GRAPHS,
    resource_tables.DECISION_GRAPH_VERSIONS,
    resource_tables.DECISIONS_OF_GRAPH,
    resource_tables.DECISIONS_OF_DEPLOYMENT,
    resource_tables.DECISION_TAGS,
    resource_tables.VERSIONS_GIVEN_OUT,
)
LASTING: Final = {
    spec.number
    for spec in (
        *DEFINITIONS,
        tables.REQUESTS,
        tables.LARGE_ANSWERS,
        tables.SESSIONS,
        tables.SESSIONS_BY_AGE,
        tables.COUNTERS,
        tables.START_SUBSCRIPTIONS,
        tables.START_SUBSCRIPTIONS_BY_PROCESS,
        partition_tables.CLOSED_SUBSCRIPTIONS,
        partition_tables.CLOSED_BY_TIME,
    )
}
"""Tables that keep rows when all instances have ended."""

_ENDED: Final = (ProcessInstanceIntent.ELEMENT_COMPLETED, ProcessInstanceIntent.ELEMENT_TERMINATED)


def catching(process_id: str, name: str) -> str:
    """start → a message → end."""
    p = ProcessBuilder(process_id)
    catch = message_ref(p.message(name, "=key"))
    p.chain(p.start(), p.node("intermediateCatchEvent", "wait", catch), p.end())
    return p.xml()


def noting() -> str:
    """A message that is waited for, while notes are taken, until another message stops it."""
    p = ProcessBuilder("noting")
    receive = p.node("receiveTask", "wait", messageRef=p.message("done", "=key"))
    p.chain(p.start(), receive, p.end())
    note = message_ref(p.message("note", "=key"))
    p.node("boundaryEvent", "note", note, attachedToRef="wait", cancelActivity="false")
    p.chain("note", p.end("noted"))
    stop = message_ref(p.message("stop", "=key"))
    p.node("boundaryEvent", "stop", stop, attachedToRef="wait")
    p.chain("stop", p.end("stopped"))
    return p.xml()


def racing() -> str:
    """The first of a message and a timer."""
    p = ProcessBuilder("racing")
    p.chain(p.start(), p.node("eventBasedGateway", "first"))
    catch = message_ref(p.message("run", "=key"))
    p.chain("first", p.node("intermediateCatchEvent", "message", catch), p.end("won"))
    p.chain("first", p.node("intermediateCatchEvent", "timer", timer("PT8S")), p.end("lost"))
    return p.xml()


def begun(version: int) -> str:
    """A process that a message starts, and another one ends; a timer starts it once too."""
    p = ProcessBuilder("begun")
    p.start("start", message_ref(p.message("begin")))
    p.start("late", timer("PT20S"))
    catch = message_ref(p.message("finish", f'=if key = null then "{version}" else key'))
    wait = p.node("intermediateCatchEvent", "wait", catch)
    p.chain("start", wait, p.end())
    p.chain("late", wait)
    return p.xml()


class Workload:
    """Drives a cluster through a busy time with faults, heals it, and checks it."""

    def __init__(self, seed: int, partition_count: int = 3) -> None:
        self.cluster = Cluster(seed, partition_count)
        self.rng: Random = self.cluster.rng
        self.count = partition_count
        self.keys = 0
        self.versions = 0
        self.deletable: list[int] = []
        self.notes: set[str] = set()

    def run(self) -> None:
        """All of it; raises AssertionError for whatever does not hold."""
        cluster = self.cluster
        self._deploy(
            {
                "catching.bpmn": catching("catching", "paid"),
                "noting.bpmn": noting(),
                "racing.bpmn": racing(),
                "begun.bpmn": begun(0),
            }
        )
        cluster.settle()
        cluster.faults = draw_faults(self.rng)
        for _ in range(40):
            cluster.at(self.rng.randint(0, BUSY_MS), self.rng.choice(self._actions()))
        cluster.run(BUSY_MS)
        cluster.settle()
        self._check_messages()
        self._end_all()
        cluster.settle()
        cluster.run(LONG_MS + 2 * MESSAGE_EXPIRY_PERIOD_MS)
        cluster.settle()
        self._check_messages()
        self._check_logs()
        self._check_states()

    # ── what clients do ───────────────────────────────────────────────────────────────────────────

    def _actions(self) -> list[Callable[[], None]]:
        return [
            self._catch,
            self._catch,
            self._catch_together,
            self._note,
            self._note,
            self._race,
            self._begin,
            self._cancel,
            self._redeploy,
            self._delete,
        ]

    def _new_key(self) -> str:
        self.keys += 1
        return f"key{self.keys}"

    def _soon(self, action: Callable[[], None]) -> None:
        self.cluster.at(self.rng.choice((0, 5, 40, 400, 4_000, 15_000)), action)

    def _catch(self) -> None:
        """A message for an instance, one way or the other first."""
        key = self._new_key()
        self._soon(partial(self._create, "catching", key))
        self._soon(partial(self._publish, "paid", key, self.rng.choice((SHORT_MS, LONG_MS))))

    def _catch_together(self) -> None:
        """Several instances wait for messages with the same key, and one is cancelled."""
        key = self._new_key()
        for _ in range(3):
            self._soon(partial(self._create, "catching", key))
            self._soon(partial(self._publish, "paid", key, self.rng.choice((0, LONG_MS))))
        self._soon(self._cancel)

    def _note(self) -> None:
        key = self._new_key()
        self._create("noting", key)
        for _ in range(3):
            self._soon(partial(self._publish, "note", key, LONG_MS))
        ends = self.rng.choice(((), ("done",), ("stop", "done")))
        for name in ends:
            self._soon(partial(self._publish, name, key, LONG_MS))
        if not ends:
            self.notes.add(key)

    def _race(self) -> None:
        key = self._new_key()
        self._create("racing", key)
        delay = self.rng.choice((7_900, 7_990, 8_000, 8_010))
        self.cluster.at(delay, partial(self._publish, "run", key, LONG_MS))

    def _begin(self) -> None:
        """Messages with one key start one instance after the other."""
        key = self._new_key()
        for _ in range(2):
            self._soon(partial(self._publish, "begin", key, LONG_MS, b'{"key":"%s"}'))
            self._soon(partial(self._publish, "finish", key, LONG_MS))

    def _cancel(self) -> None:
        alive = [i for i in self.alive() if i.bpmn_process_id != "noting"]
        if alive:
            instance = self.rng.choice(alive).process_instance_key
            intent = ProcessInstanceIntent.CANCEL
            self.cluster.ask(partition_of(instance), intent, instance, ProcessInstanceValue())

    def _redeploy(self) -> None:
        self.versions += 1
        name = self.rng.choice(("begun", "passing"))
        xml = begun(self.versions) if name == "begun" else catching("passing", f"m{self.versions}")
        decisions = graph("g", literal("d", str(self.versions)))
        self._deploy({f"{name}.bpmn": xml, "g.dmn": decisions})

    def _delete(self) -> None:
        """What goes may still have instances on other partitions."""
        if not self.deletable:
            self._redeploy()
            return
        self._create("passing", self._new_key())
        key = self.deletable.pop(self.rng.randrange(len(self.deletable)))
        self.cluster.ask(1, ResourceDeletionIntent.DELETE, -1, ResourceDeletionValue(key))

    def _deploy(self, files: dict[str, str]) -> None:
        resources = tuple(ResourceFile(name, text.encode()) for name, text in files.items())
        value = DeploymentValue(resources)
        self.cluster.ask(1, DeploymentIntent.CREATE, -1, value, self._deployed)

    def _deployed(self, answer: Answer) -> None:
        value = answer.value
        assert isinstance(value, DeploymentValue), answer
        for process in value.processes_metadata:
            if process.bpmn_process_id in ("begun", "passing"):
                self.deletable.append(process.process_definition_key)
        self.deletable += [
            g.decision_requirements_key for g in value.decision_requirements_metadata
        ]

    def _create(self, process_id: str, key: str) -> None:
        variables = f'{{"key":"{key}"}}'.encode()
        value = ProcessInstanceCreationValue(bpmn_process_id=process_id, variables=variables)
        partition_id = self.rng.randint(1, self.count)
        self.cluster.ask(partition_id, ProcessInstanceCreationIntent.CREATE, -1, value)

    def _publish(self, name: str, key: str, ttl_ms: int, variables: bytes = b"{}") -> None:
        document = variables.replace(b"%s", key.encode())
        value = MessageValue(name, key, time_to_live=ttl_ms, variables=document)
        partition_id = partition_of_correlation_key(key, self.count)
        self.cluster.ask(partition_id, MessageIntent.PUBLISH, -1, value)

    def _end_all(self) -> None:
        """Whoever waits gets a message; that may start others."""
        for _ in range(ROUNDS_MAX):
            waiting = list(self._waiting())
            if not self.alive():
                return
            self.cluster.faults = draw_faults(self.rng)
            for value in waiting:
                if value.message_name not in ("note", "stop"):
                    self._publish(value.message_name, value.correlation_key, SHORT_MS)
            self.cluster.run(20_000)
            self.cluster.settle()
        raise AssertionError(f"still running: {self.alive()}")

    # ── what must hold ────────────────────────────────────────────────────────────────────────────

    def records(self) -> Iterator[tuple[SimPartition, int, Record]]:
        """All events of all logs, with their time."""
        for part in self.cluster.partitions:
            for entry in part.log():
                for record in entry.records:
                    if record.record_type is RecordType.EVENT:
                        yield part, entry.timestamp, record

    def alive(self) -> list[ProcessInstanceValue]:
        """The instances that have not ended."""
        found: dict[int, ProcessInstanceValue] = {}
        for _, _, record in self.records():
            value = record.value
            if not isinstance(value, ProcessInstanceValue) or value.flow_scope_key > 0:
                continue
            if record.intent is ProcessInstanceIntent.ELEMENT_ACTIVATING:
                found[record.key] = value
            elif record.intent in _ENDED:
                found.pop(record.key, None)
        return list(found.values())

    def _waiting(self) -> Iterator[ProcessMessageSubscriptionValue]:
        for part in self.cluster.partitions:
            for stored in part.state.table(tables.PROCESS_MESSAGE_SUBSCRIPTIONS).scan():
                yield stored.value

    def _check_messages(self) -> None:
        """Each message has reached each process once at most, those that are marked exactly once;
        and nobody waits for what is there.
        """
        taken: Counter[tuple[int, str]] = Counter()
        for _, _, record in self.records():
            value = record.value
            if record.intent in (
                ProcessMessageSubscriptionIntent.CORRELATED,
                MessageStartEventSubscriptionIntent.CORRELATED,
            ):
                assert isinstance(
                    value, ProcessMessageSubscriptionValue | MessageStartEventSubscriptionValue
                )
                taken[value.message_key, value.bpmn_process_id] += 1
        twice = {pair: times for pair, times in taken.items() if times > 1}
        assert not twice, f"messages that reached a process more than once: {twice}"
        for part in self.cluster.partitions:
            for key in part.state.table(tables.MESSAGES_BY_NAME).scan():
                for process_id in part.state.table(tables.MESSAGES_CORRELATED).scan(key):
                    assert taken[key, process_id] == 1, f"message {key} is lost for {process_id}"
        for value in self._waiting():
            part = self._message_partition(value.correlation_key)
            views = part.engine.views
            element, name = value.element_instance_key, value.message_name
            assert views.subscriptions.message_side(element, name) is not None, value
            for message in views.messages.buffered(name, value.correlation_key):
                is_due = message.value.deadline <= self.cluster.now
                had = views.messages.is_correlated(message.key, value.bpmn_process_id)
                assert had or is_due, f"{value} waits, and message {message.key} is there"

    def _message_partition(self, key: str) -> SimPartition:
        return self.cluster.partitions[partition_of_correlation_key(key, self.count) - 1]

    def _check_logs(self) -> None:
        born: set[int] = set()
        deadlines: dict[int, tuple[int, int]] = {}
        creations = (
            ProcessInstanceIntent.ELEMENT_ACTIVATING,
            ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN,
            ProcessMessageSubscriptionIntent.CREATING,
            MessageSubscriptionIntent.CREATED,
            MessageIntent.PUBLISHED,
            MessageStartEventSubscriptionIntent.CREATED,
        )
        for part, timestamp, record in self.records():
            value = record.value
            assert record.intent is not ErrorIntent.CREATED, value
            assert record.intent is not IncidentIntent.CREATED, value
            if record.intent in creations:
                assert record.key not in born, f"key {record.key} is given out twice"
                assert partition_of(record.key) == part.partition_id, record
                born.add(record.key)
            if isinstance(value, TimerValue) and value.element_instance_key < 0:
                assert part.partition_id == 1, "only the first partition has start timers"
            if isinstance(value, MessageValue) and record.intent is MessageIntent.PUBLISHED:
                deadlines[record.key] = (timestamp, value.deadline)
            if record.intent is MessageSubscriptionIntent.CORRELATING:
                assert isinstance(value, MessageSubscriptionValue)
                published, deadline = deadlines[value.message_key]
                is_in_time = timestamp < deadline if deadline > 0 else timestamp == published
                assert is_in_time, f"message {value.message_key} correlates after its time"
        self._check_definitions_in_order()

    def _check_definitions_in_order(self) -> None:
        """Every partition has followed the same deployments and deletions, in the same order."""
        orders: dict[int, list[int]] = {part.partition_id: [] for part in self.cluster.partitions}
        started, finished = set(), set()
        for part, _, record in self.records():
            if record.intent in (DeploymentIntent.CREATED, ResourceDeletionIntent.DELETED):
                orders[part.partition_id].append(record.key)
            if record.intent is CommandDistributionIntent.STARTED:
                started.add(record.key)
            if record.intent is CommandDistributionIntent.FINISHED:
                finished.add(record.key)
        assert all(order == orders[1] for order in orders.values()), orders
        assert started == finished == set(orders[1] if self.count > 1 else ())
        deleted = Counter(
            (part.partition_id, record.value.process_definition_key)  # type: ignore[attr-defined]
            for part, _, record in self.records()
            if record.intent is ProcessIntent.DELETED
        )
        assert all(times == 1 for times in deleted.values()), deleted

    def _check_states(self) -> None:
        numbers = {spec.number for spec in DEFINITIONS}
        of_definitions = []
        for part in self.cluster.partitions:
            state_hash = part.state.hash
            assert part.replayed().hash == state_hash, f"partition {part.partition_id}"
            rows = list(part.backend.rows(b"\1"))
            left = Counter(key[0] for key, _ in rows)
            assert left.keys() <= LASTING, f"partition {part.partition_id}: {left}"
            of_definitions.append([row for row in rows if row[0][0] in numbers])
        first = of_definitions[0]
        assert all(rows == first for rows in of_definitions), "definitions differ"
