"""What partitions write of what they ask each other, and what they make of repetitions."""

from __future__ import annotations

import pytest
from tests.engine.models import one_task
from tests.engine.partition_workload import catching, noting
from tests.engine.partitions import Cluster, Faults, SimPartition

from grevy.engine import Command, SentCommand
from grevy.protocol.intents import (
    CommandDistributionIntent,
    DeploymentIntent,
    Intent,
    JobIntent,
    MessageIntent,
    MessageSubscriptionIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    RejectionType,
    ResourceDeletionIntent,
    ValueType,
)
from grevy.protocol.keys import partition_of, partition_of_correlation_key
from grevy.protocol.limits import RESEND_AFTER_MS, RESEND_PERIOD_MS, RESENDS_MAX
from grevy.protocol.record import Answer, Record
from grevy.protocol.values import (
    CommandDistributionValue,
    DeploymentValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ResourceDeletionValue,
    ResourceFile,
)
from grevy.testing import InProcessEngine

_BETWEEN = (
    ValueType.MESSAGE,
    ValueType.MESSAGE_SUBSCRIPTION,
    ValueType.PROCESS_MESSAGE_SUBSCRIPTION,
    ValueType.COMMAND_DISTRIBUTION,
    ValueType.DEPLOYMENT,
    ValueType.RESOURCE_DELETION,
    ValueType.PROCESS,
)
_MARKS = {RecordType.COMMAND: "?", RecordType.EVENT: "", RecordType.COMMAND_REJECTION: "!"}
KEY = "key2"
"""Its messages are partition 2's, of two."""


def records(part: SimPartition, *intents: Intent) -> list[Record]:
    """The events of some intents."""
    found = (record for entry in part.log() for record in entry.records)
    return [r for r in found if r.intent in intents and r.record_type is RecordType.EVENT]


def lines(part: SimPartition, first: int = 0) -> list[str]:
    """What a partition has written of what goes on between partitions, `?` behind commands, `!`
    behind rejections.
    """
    return [
        f"{record.value_type.name} {record.intent.name}{_MARKS[record.record_type]}"
        for entry in part.log()[first:]
        for record in entry.records
        if record.value_type in _BETWEEN
    ]


class Two(Cluster):
    """Two partitions; what clients do is done when a method returns."""

    def __init__(self) -> None:
        super().__init__(seed=1, partition_count=2)
        self.answers: list[Answer] = []
        self.one, self.two = self.partitions

    def do(self, part: SimPartition, intent: Intent, key: int, value: object) -> Answer:
        """A command of a client, and all that follows at once."""
        self.ask(part.partition_id, intent, key, value, self.answers.append)  # type: ignore[arg-type]
        self.run(200)
        return self.answers[-1]

    def deploy(self, xml: str, name: str = "p.bpmn") -> DeploymentValue:
        value = DeploymentValue((ResourceFile(name, xml.encode()),))
        answer = self.do(self.one, DeploymentIntent.CREATE, -1, value)
        assert isinstance(answer.value, DeploymentValue), answer
        return answer.value

    def create(self, part: SimPartition, process_id: str) -> Answer:
        variables = f'{{"key":"{KEY}"}}'.encode()
        value = ProcessInstanceCreationValue(process_id, variables=variables)
        return self.do(part, ProcessInstanceCreationIntent.CREATE, -1, value)

    def publish(self, name: str, ttl_ms: int = 0) -> Answer:
        return self.do(self.two, MessageIntent.PUBLISH, -1, MessageValue(name, KEY, "", ttl_ms))


@pytest.fixture
def two() -> Two:
    cluster = Two()
    assert partition_of_correlation_key(KEY, 2) == 2
    return cluster


def test_a_message_reaches_an_instance_of_another_partition(two: Two) -> None:
    two.deploy(catching("p", "paid"))
    before = len(two.one.log()), len(two.two.log())
    two.create(two.one, "p")
    two.publish("paid")

    assert lines(two.one, before[0]) == [
        "PROCESS_MESSAGE_SUBSCRIPTION CREATING",
        "PROCESS_MESSAGE_SUBSCRIPTION CREATE?",
        "PROCESS_MESSAGE_SUBSCRIPTION CREATED",
        "PROCESS_MESSAGE_SUBSCRIPTION CORRELATE?",
        "PROCESS_MESSAGE_SUBSCRIPTION CORRELATED",
    ]
    assert lines(two.two, before[1]) == [
        "MESSAGE_SUBSCRIPTION CREATE?",
        "MESSAGE_SUBSCRIPTION CREATED",
        "MESSAGE PUBLISH?",
        "MESSAGE PUBLISHED",
        "MESSAGE_SUBSCRIPTION CORRELATING",
        "MESSAGE EXPIRED",
        "MESSAGE_SUBSCRIPTION CORRELATE?",
        "MESSAGE_SUBSCRIPTION CORRELATED",
    ]
    assert not two.is_waiting()


def test_a_buffered_message_is_sent_instead_of_the_confirmation(two: Two) -> None:
    two.deploy(catching("p", "paid"))
    two.publish("paid", 60_000)
    before = len(two.one.log())
    two.create(two.one, "p")

    assert lines(two.one, before) == [
        "PROCESS_MESSAGE_SUBSCRIPTION CREATING",
        "PROCESS_MESSAGE_SUBSCRIPTION CORRELATE?",
        "PROCESS_MESSAGE_SUBSCRIPTION CORRELATED",
    ]
    assert not two.is_waiting()


def test_a_late_confirmation_frees_no_message_that_was_taken(two: Two) -> None:
    """The element has its message and is gone; the message's side does not know that yet."""
    two.deploy(catching("p", "paid"))
    two.create(two.one, "p")
    confirmations = [
        sent.command
        for _, sent in two.delivered
        if sent.command.intent is ProcessMessageSubscriptionIntent.CREATE
    ]
    publish = Command(MessageIntent.PUBLISH, -1, MessageValue("paid", KEY, "", 60_000))
    two.two.submit(publish, two.now, 0, None)
    (correlate,) = two.two.commit().sends
    two.one.submit(correlate.command, two.now, 2, None)
    (answer,) = two.one.commit().sends  # which is late
    two.create(two.one, "p")

    two.one.submit(confirmations[0], two.now, 2, None)
    for sent in (*two.one.commit().sends, answer):
        two.two.submit(sent.command, two.now, 1, None)
    assert not two.two.commit().sends[1:], "the other instance is sent nothing"
    two.settle()

    assert len(records(two.one, ProcessMessageSubscriptionIntent.CORRELATED)) == 1


def test_both_sides_close_a_subscription(two: Two) -> None:
    two.deploy(catching("p", "paid"))
    created = two.create(two.one, "p").value
    assert isinstance(created, ProcessInstanceCreationValue)
    before = len(two.one.log()), len(two.two.log())
    key = created.process_instance_key
    two.do(two.one, ProcessInstanceIntent.CANCEL, key, ProcessInstanceValue())

    assert lines(two.one, before[0]) == [
        "PROCESS_MESSAGE_SUBSCRIPTION DELETING",
        "PROCESS_MESSAGE_SUBSCRIPTION DELETE?",
        "PROCESS_MESSAGE_SUBSCRIPTION DELETED",
    ]
    assert lines(two.two, before[1]) == [
        "MESSAGE_SUBSCRIPTION DELETE?",
        "MESSAGE_SUBSCRIPTION DELETED",
    ]


def test_whatever_comes_again_is_refused_and_changes_nothing(two: Two) -> None:
    """Each command that partitions send each other, in the state that it has led to."""
    two.deploy(noting())
    two.create(two.one, "noting")
    for name in ("note", "note", "done"):
        two.publish(name)
    deployed = two.deploy(one_task("q"), "q.bpmn").processes_metadata[0]
    deletion = ResourceDeletionValue(deployed.process_definition_key)
    two.do(two.one, ResourceDeletionIntent.DELETE, -1, deletion)
    seen = set()
    for source, sent in two.delivered.copy():
        part = two.partitions[sent.partition_id - 1]
        before, count = part.state.hash, len(part.entries)
        part.submit(sent.command, two.now, source, None)
        part.commit()
        kinds = [record.record_type for record in part.log()[count].records]
        assert kinds == [RecordType.COMMAND, RecordType.COMMAND_REJECTION], sent
        assert part.state.hash == before, sent
        seen.add(sent.command.intent)
    assert seen >= {
        MessageSubscriptionIntent.CREATE,
        MessageSubscriptionIntent.CORRELATE,
        MessageSubscriptionIntent.DELETE,
        ProcessMessageSubscriptionIntent.CREATE,
        ProcessMessageSubscriptionIntent.CORRELATE,
        ProcessMessageSubscriptionIntent.DELETE,
        CommandDistributionIntent.ACKNOWLEDGE,
        DeploymentIntent.CREATE,
        ResourceDeletionIntent.DELETE,
    }
    events = records(two.one, ProcessMessageSubscriptionIntent.CORRELATED)
    assert len(events) == 3


def test_a_deployment_is_distributed(two: Two) -> None:
    two.deploy(one_task())

    assert lines(two.one) == [
        "DEPLOYMENT CREATE?",
        "PROCESS CREATED",
        "DEPLOYMENT CREATED",
        "COMMAND_DISTRIBUTION STARTED",
        "COMMAND_DISTRIBUTION ENQUEUED",
        "COMMAND_DISTRIBUTION DISTRIBUTING",
        "COMMAND_DISTRIBUTION ACKNOWLEDGE?",
        "COMMAND_DISTRIBUTION ACKNOWLEDGED",
        "COMMAND_DISTRIBUTION FINISHED",
    ]
    assert lines(two.two) == ["DEPLOYMENT CREATE?", "PROCESS CREATED", "DEPLOYMENT CREATED"]
    (here,), (there,) = (records(part, ProcessIntent.CREATED) for part in two.partitions)
    assert here.key == there.key
    assert here.value == there.value
    key = two.create(two.two, "p").key
    assert partition_of(key) == 2


def test_the_client_does_not_wait_for_the_other_partitions_and_they_keep_the_order(
    two: Two,
) -> None:
    two.faults = Faults(loss=1.0)
    deployed = two.deploy(one_task("a"), "a.bpmn").processes_metadata[0]
    two.deploy(one_task("b"), "b.bpmn")
    deletion = ResourceDeletionValue(deployed.process_definition_key)
    two.do(two.one, ResourceDeletionIntent.DELETE, -1, deletion)
    assert len(records(two.one, CommandDistributionIntent.ENQUEUED)) == 3
    assert len(records(two.one, CommandDistributionIntent.DISTRIBUTING)) == 1
    assert not two.two.entries

    two.settle()

    assert len(records(two.one, CommandDistributionIntent.FINISHED)) == 3
    assert [line for line in lines(two.two) if not line.endswith(("?", "!"))] == [
        "PROCESS CREATED",
        "DEPLOYMENT CREATED",
        "PROCESS CREATED",
        "DEPLOYMENT CREATED",
        "RESOURCE_DELETION DELETING",
        "PROCESS DELETING",
        "PROCESS DELETED",
        "RESOURCE_DELETION DELETED",
    ]


def test_only_partition_1_deploys_and_deletes(two: Two) -> None:
    for intent, value in (
        (DeploymentIntent.CREATE, DeploymentValue((ResourceFile("p.bpmn", one_task().encode()),))),
        (ResourceDeletionIntent.DELETE, ResourceDeletionValue(5)),
    ):
        answer = two.do(two.two, intent, -1, value)
        assert answer.rejection_type is RejectionType.INVALID_ARGUMENT
        assert "partition 1" in answer.rejection_reason


def test_a_deleted_definition_goes_with_the_last_instance_of_another_partition(two: Two) -> None:
    deployed = two.deploy(one_task()).processes_metadata[0]
    definition = deployed.process_definition_key
    two.create(two.two, "p")
    two.do(two.one, ResourceDeletionIntent.DELETE, -1, ResourceDeletionValue(definition))
    assert not records(two.two, ProcessIntent.DELETED)
    assert not two.is_waiting(), "nothing that comes after it has to wait"
    for value in (
        ProcessInstanceCreationValue("p"),
        ProcessInstanceCreationValue(process_definition_key=definition),
    ):
        answer = two.do(two.two, ProcessInstanceCreationIntent.CREATE, -1, value)
        assert answer.rejection_type is RejectionType.NOT_FOUND

    (job,) = records(two.two, JobIntent.CREATED)
    two.do(two.two, JobIntent.COMPLETE, job.key, JobValue())

    assert len(records(two.two, ProcessIntent.DELETED)) == 1
    assert two.two.engine.views.processes.get(definition) is None


def test_what_is_not_answered_is_sent_again_after_a_while_and_in_turns(two: Two) -> None:
    two.deploy(catching("p", "paid"))
    two.faults = Faults(loss=1.0)
    for _ in range(RESENDS_MAX + 5):
        two.create(two.one, "p")
    engine, now = two.one.engine, two.now

    def due(at: int) -> list[SentCommand]:
        return engine.resends(at, RESENDS_MAX)

    due(now)  # whatever is due before
    while due(now):
        pass
    later = now + RESEND_AFTER_MS + RESEND_PERIOD_MS
    assert len(due(later)) == RESENDS_MAX
    assert len(due(later)) == 5
    assert not due(later + RESEND_PERIOD_MS - 1)
    assert len(due(later + RESEND_PERIOD_MS)) == RESENDS_MAX


def test_what_is_sent_again_waits_for_what_is_in_flight(two: Two) -> None:
    two.deploy(catching("p", "paid"))
    two.faults = Faults(loss=1.0)
    two.create(two.one, "p")
    part, later = two.one, two.now + RESEND_AFTER_MS + RESEND_PERIOD_MS
    value = ProcessInstanceCreationValue("p", variables=b'{"key":"k"}')
    part.submit(Command(ProcessInstanceCreationIntent.CREATE, -1, value), later, 0, None)

    assert not part.processor.resend(later)

    intents = [sent.command.intent for sent in part.commit().sends]
    assert MessageSubscriptionIntent.CREATE in intents


def test_an_acknowledgement_of_nothing_is_refused(two: Two) -> None:
    value = CommandDistributionValue(int(DeploymentIntent.CREATE), 2)
    two.one.submit(Command(CommandDistributionIntent.ACKNOWLEDGE, 77, value), two.now, 2, None)
    two.one.commit()
    assert lines(two.one) == [
        "COMMAND_DISTRIBUTION ACKNOWLEDGE?",
        "COMMAND_DISTRIBUTION ACKNOWLEDGE!",
    ]


def test_one_partition_distributes_nothing_and_waits_for_nobody() -> None:
    engine = InProcessEngine()
    engine.deploy("p.bpmn", catching("p", "paid"))
    engine.create("p", {"key": KEY})
    assert not engine.core.resends(engine.clock.now_ms() + 3_600_000, 10)
    engine.publish("paid", KEY)
    kinds = {record.intent.value_type for record in engine.records}
    assert ValueType.COMMAND_DISTRIBUTION not in kinds
