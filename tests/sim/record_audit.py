"""What committed records say of keys, elements, jobs, timers and messages, checked as they come,
without asking the engine that wrote them.

E2  a command has one outcome: events, or one rejection
E3  no key is given out twice in the whole cluster, and a partition's count of keys never falls
E4  a job is held by one lease at a time, is done once, and not under an old lease
E5  a message correlates once for each process, and never after its time
E6  elements go through their lives in order
E8  a timer fires once, and never before its date
E9  no scope ends before all that is in it has ended
"""

from __future__ import annotations

from typing import Final

from grevy.protocol.intents import (
    BpmnElementType,
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    MessageSubscriptionIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    TimerIntent,
)
from grevy.protocol.keys import partition_of
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageSubscriptionValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    TimerValue,
)

_BEFORE: Final[dict[Intent, tuple[Intent | None, ...]]] = {
    ProcessInstanceIntent.ELEMENT_ACTIVATING: (None,),
    ProcessInstanceIntent.ELEMENT_ACTIVATED: (ProcessInstanceIntent.ELEMENT_ACTIVATING,),
    ProcessInstanceIntent.ELEMENT_COMPLETING: (ProcessInstanceIntent.ELEMENT_ACTIVATED,),
    ProcessInstanceIntent.ELEMENT_COMPLETED: (ProcessInstanceIntent.ELEMENT_COMPLETING,),
    ProcessInstanceIntent.ELEMENT_TERMINATING: (
        ProcessInstanceIntent.ELEMENT_ACTIVATING,
        ProcessInstanceIntent.ELEMENT_ACTIVATED,
        ProcessInstanceIntent.ELEMENT_COMPLETING,
    ),
    ProcessInstanceIntent.ELEMENT_TERMINATED: (ProcessInstanceIntent.ELEMENT_TERMINATING,),
}
"""What an element was before it becomes this."""

_ENDS: Final = (ProcessInstanceIntent.ELEMENT_COMPLETED, ProcessInstanceIntent.ELEMENT_TERMINATED)
_JOB_ENDS: Final = (JobIntent.COMPLETED, JobIntent.CANCELED, JobIntent.ERROR_THROWN)
_LEASE_ENDS: Final = (JobIntent.TIMED_OUT, JobIntent.FAILED, JobIntent.YIELDED)
_JOB_COMMANDS: Final = (JobIntent.COMPLETE, JobIntent.FAIL, JobIntent.THROW_ERROR)
_BORN: Final = (
    JobIntent.CREATED,
    MessageIntent.PUBLISHED,
    TimerIntent.CREATED,
    IncidentIntent.CREATED,
    ProcessInstanceIntent.SEQUENCE_FLOW_TAKEN,
    ProcessInstanceIntent.ELEMENT_ACTIVATING,
    MessageSubscriptionIntent.CREATED,
    ProcessMessageSubscriptionIntent.CREATING,
)
"""With these a new key comes into the world."""


class Impossible(AssertionError):
    """Records that cannot be."""


def _must(is_right: bool, rule: str, record: Record, what: str) -> None:
    if not is_right:
        raise Impossible(f"{rule}: {record.intent!r} of {record.key} {what}")


class _Elements:
    """E6, E9."""

    def __init__(self) -> None:
        self.alive: dict[int, Intent] = {}
        self.inside: dict[int, int] = {}
        """Elements that live in a scope, by its key."""

    def take(self, record: Record) -> None:
        value, intent, key = record.value, record.intent, record.key
        assert isinstance(value, ProcessInstanceValue)
        if intent not in _BEFORE:
            return
        before = self.alive.get(key)
        _must(before in _BEFORE[intent], "E6", record, f"was {before!r}")
        scope = value.flow_scope_key
        if intent is ProcessInstanceIntent.ELEMENT_ACTIVATING:
            self.inside[scope] = self.inside.get(scope, 0) + 1
            is_open = scope <= 0 or self.alive.get(scope) is ProcessInstanceIntent.ELEMENT_ACTIVATED
            _must(is_open, "E9", record, f"begins in {scope}, which is not open")
        self.alive[key] = intent
        if intent in _ENDS:
            _must(not self.inside.get(key), "E9", record, "has something in it")
            del self.alive[key]
            self.inside.pop(key, None)
            self.inside[scope] -= 1


def _is_stuck(record: Record, entry: Entry) -> bool:
    """Whether nobody catches a job's error: somebody may resolve that, and the job is there."""
    return record.intent is JobIntent.ERROR_THROWN and any(
        isinstance(other.value, IncidentValue) and other.value.job_key == record.key
        for other in entry.records
    )


class _Jobs:
    """E4."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.leases: dict[int, int] = {}
        """How often each job that is not done was given out."""

    def take(self, record: Record, entry: Entry) -> None:
        key, intent = record.key, record.intent
        if intent is JobBatchIntent.ACTIVATED:
            value = record.value
            assert isinstance(value, JobBatchValue)
            for job in value.job_keys:
                _must(job in self.leases, "E4", record, f"gives out {job}, which is not there")
                _must(job not in self.held, "E4", record, f"gives out {job}, which is held")
                self.held.add(job)
                self.leases[job] += 1
        elif intent is JobIntent.CREATED:
            self.leases[key] = 0
        elif intent in _JOB_ENDS:
            _must(key in self.leases, "E4", record, "is done already")
            self._check_lease(record, entry)
            self.held.discard(key)
            if not _is_stuck(record, entry):
                del self.leases[key]
        elif intent in _LEASE_ENDS:
            is_failed = intent is JobIntent.FAILED  # whoever knows the key may say so
            _must(is_failed or key in self.held, "E4", record, "is not held")
            self._check_lease(record, entry)
            self.held.discard(key)

    def _check_lease(self, record: Record, entry: Entry) -> None:
        command = entry.records[0]
        if command.key == record.key and command.intent in _JOB_COMMANDS:
            assert isinstance(command.value, JobValue)
            named = command.value.activation
            leases = self.leases[record.key]
            _must(named in (0, leases), "E4", record, f"is of lease {named} of {leases}")


class _Timers:
    """E8."""

    def __init__(self) -> None:
        self.dates: dict[int, int] = {}

    def take(self, record: Record, timestamp: int) -> None:
        value = record.value
        assert isinstance(value, TimerValue)
        if record.intent is TimerIntent.CREATED:
            self.dates[record.key] = value.due_date
            return
        _must(record.key in self.dates, "E8", record, "is of a timer that is not there")
        due_date = self.dates.pop(record.key)
        if record.intent is TimerIntent.TRIGGERED:
            _must(timestamp >= due_date, "E8", record, f"is at {timestamp}, due at {due_date}")


class _Messages:
    """E5."""

    def __init__(self) -> None:
        self.by_id: dict[str, int] = {}
        self._times: dict[int, tuple[int, int]] = {}
        self._correlated: set[tuple[int, str]] = set()

    def take(self, record: Record, timestamp: int) -> None:
        value, key = record.value, record.key
        if record.intent is MessageIntent.PUBLISHED:
            assert isinstance(value, MessageValue)
            self._times[key] = (timestamp, value.deadline)
            if value.message_id:
                _must(value.message_id not in self.by_id, "E5", record, "is published twice")
                self.by_id[value.message_id] = key
        elif record.intent is MessageIntent.EXPIRED:
            _must(self._times.pop(key, None) is not None, "E5", record, "is there no longer")
        elif record.intent is MessageSubscriptionIntent.CORRELATING:
            assert isinstance(value, MessageSubscriptionValue)
            times = self._times.get(value.message_key)
            _must(times is not None, "E5", record, f"takes {value.message_key}, which has expired")
            assert times is not None
            published, deadline = times
            in_time = timestamp < deadline if deadline > 0 else timestamp == published
            _must(in_time, "E5", record, f"takes {value.message_key} after its time")
        elif record.intent is ProcessMessageSubscriptionIntent.CORRELATED:
            assert isinstance(value, ProcessMessageSubscriptionValue)
            pair = (value.message_key, value.bpmn_process_id)
            _must(pair not in self._correlated, "E5", record, "takes what its process has taken")
            self._correlated.add(pair)


class Audit:
    """All partitions' events, in the order in which each of them was committed."""

    def __init__(self) -> None:
        self.records = 0
        self.positions: dict[int, int] = {}
        self.instances: dict[int, str] = {}
        """Process instances that were created, by key, with their variables."""
        self.completed: set[int] = set()
        self.ended: set[int] = set()
        """Those that have completed, and those that were terminated too."""
        self.incidents: set[int] = set()
        """Those that nobody has resolved."""
        self.reached: set[Intent] = set()
        """All events' intents."""
        self.elements = _Elements()
        self.jobs = _Jobs()
        self.timers = _Timers()
        self._messages = _Messages()
        self._keys: set[int] = set()
        self._key_counters: dict[int, int] = {}
        self._timestamps: dict[int, int] = {}

    @property
    def messages(self) -> dict[str, int]:
        """Keys of messages, by their ids."""
        return self._messages.by_id

    def take(self, partition_id: int, entry: Entry) -> None:
        """An entry is committed."""
        newest = self.positions.get(partition_id, 0)
        if entry.first_position != newest + 1:
            raise Impossible(f"position {entry.first_position} after {newest}")
        self.positions[partition_id] = entry.last_position
        if entry.timestamp < self._timestamps.get(partition_id, 0):
            raise Impossible("the log's time goes back")
        self._timestamps[partition_id] = entry.timestamp
        if entry.key_counter < self._key_counters.get(partition_id, 0):
            raise Impossible("E3: the count of keys goes back")
        self._key_counters[partition_id] = entry.key_counter
        self._check_outcome(entry)
        for record in entry.records:
            self.records += 1
            if record.record_type is RecordType.EVENT:
                self._event(partition_id, record, entry)

    @staticmethod
    def _check_outcome(entry: Entry) -> None:
        """E2: what comes of a command is events, or that it is refused."""
        command, *outcome = entry.records
        if command.record_type is not RecordType.COMMAND:
            return
        for record in outcome:
            is_refused = record.record_type is RecordType.COMMAND_REJECTION
            if is_refused and (record.intent, record.key) == (command.intent, command.key):
                _must(len(outcome) == 1, "E2", record, "is refused, and has an outcome")

    def _event(self, partition_id: int, record: Record, entry: Entry) -> None:
        intent = record.intent
        self.reached.add(intent)
        if intent in _BORN:
            self._new(partition_id, record)
        match intent:
            case ProcessInstanceCreationIntent.CREATED:
                value = record.value
                assert isinstance(value, ProcessInstanceCreationValue)
                self.instances[value.process_instance_key] = bytes(value.variables).decode()
            case ProcessInstanceIntent():
                self._element(record)
            case JobIntent() | JobBatchIntent():
                self.jobs.take(record, entry)
            case TimerIntent():
                self.timers.take(record, entry.timestamp)
            case IncidentIntent.CREATED:
                self.incidents.add(record.key)
            case IncidentIntent.RESOLVED:
                _must(record.key in self.incidents, "E10", record, "is of none that is open")
                self.incidents.discard(record.key)
            case MessageIntent() | MessageSubscriptionIntent() | ProcessMessageSubscriptionIntent():
                self._messages.take(record, entry.timestamp)

    def _element(self, record: Record) -> None:
        self.elements.take(record)
        value = record.value
        assert isinstance(value, ProcessInstanceValue)
        is_process = value.bpmn_element_type is BpmnElementType.PROCESS
        if is_process and record.intent in _ENDS:
            self.ended.add(record.key)
            if record.intent is ProcessInstanceIntent.ELEMENT_COMPLETED:
                self.completed.add(record.key)

    def _new(self, partition_id: int, record: Record) -> None:
        _must(record.key not in self._keys, "E3", record, "has a key that was given out before")
        _must(partition_of(record.key) == partition_id, "E3", record, "has another's key")
        self._keys.add(record.key)
