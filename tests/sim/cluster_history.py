"""What the committed records say of keys, jobs, messages and instances, checked as they come."""

from __future__ import annotations

from grevy.protocol.intents import (
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    JobBatchValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
)

PROCESS_ELEMENT = "PROCESS"


class Impossible(AssertionError):
    """Records that cannot be."""


class Audit:
    """All partitions' events, in the order in which each of them was committed."""

    def __init__(self) -> None:
        self.records = 0
        self.positions: dict[int, int] = {}
        self.instances: dict[int, str] = {}
        """Process instances that were created, by key, with their variables."""
        self.completed: set[int] = set()
        self.messages: dict[str, int] = {}
        self._keys: set[int] = set()
        self._held: set[int] = set()
        self._jobs: dict[int, bool] = {}
        self._correlated: set[tuple[int, str]] = set()
        self._timestamps: dict[int, int] = {}

    def take(self, partition_id: int, entry: Entry) -> None:
        """An entry is committed."""
        newest = self.positions.get(partition_id, 0)
        if entry.first_position != newest + 1:
            raise Impossible(f"position {entry.first_position} after {newest}")
        self.positions[partition_id] = entry.last_position
        if entry.timestamp < self._timestamps.get(partition_id, 0):
            raise Impossible("the log's time goes back")
        self._timestamps[partition_id] = entry.timestamp
        for record in entry.records:
            self.records += 1
            if record.record_type is RecordType.EVENT:
                self._event(record)

    def _event(self, record: Record) -> None:
        match record.intent:
            case ProcessInstanceCreationIntent.CREATED:
                value = record.value
                assert isinstance(value, ProcessInstanceCreationValue)
                self._new(value.process_instance_key)
                self.instances[value.process_instance_key] = bytes(value.variables).decode()
            case ProcessInstanceIntent.ELEMENT_COMPLETED:
                element = record.value
                assert isinstance(element, ProcessInstanceValue)
                if record.key == element.process_instance_key:
                    self._once(record.key not in self.completed, "completes twice", record)
                    self.completed.add(record.key)
            case MessageIntent.PUBLISHED:
                message = record.value
                assert isinstance(message, MessageValue)
                self._new(record.key)
                self._once(message.message_id not in self.messages, "is published twice", record)
                self.messages[message.message_id] = record.key
            case ProcessMessageSubscriptionIntent.CORRELATED:
                subscription = record.value
                assert isinstance(subscription, ProcessMessageSubscriptionValue)
                pair = (subscription.message_key, subscription.bpmn_process_id)
                self._once(pair not in self._correlated, "correlates twice", record)
                self._correlated.add(pair)
            case JobIntent() | JobBatchIntent():
                self._job(record)

    def _job(self, record: Record) -> None:
        """E4: who has a job is alone, and it is done once."""
        key = record.key
        match record.intent:
            case JobIntent.CREATED:
                self._new(key)
                self._jobs[key] = False
            case JobBatchIntent.ACTIVATED:
                value = record.value
                assert isinstance(value, JobBatchValue)
                for job in value.job_keys:
                    self._once(self._jobs.get(job) is False, f"{job} is not to be had", record)
                    self._once(job not in self._held, f"{job} is held already", record)
                    self._held.add(job)
            case JobIntent.COMPLETED | JobIntent.CANCELED | JobIntent.ERROR_THROWN:
                self._once(self._jobs.get(key) is False, "is done twice", record)
                self._jobs[key] = True
                self._held.discard(key)
            case JobIntent.TIMED_OUT | JobIntent.FAILED | JobIntent.YIELDED:
                self._once(key in self._held, "is not held", record)
                self._held.discard(key)

    def _new(self, key: int) -> None:
        if key in self._keys:
            raise Impossible(f"the key {key} was given out before")
        self._keys.add(key)

    @staticmethod
    def _once(is_right: bool, what: str, record: Record) -> None:
        if not is_right:
            raise Impossible(f"{record.intent!r} {record.key} {what}")
