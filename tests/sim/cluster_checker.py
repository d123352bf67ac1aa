"""What must hold in a cluster at every moment: the log that was committed once is the log for ever,
and who has applied the same has the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.sim.cluster_marks import ClusterMark
from tests.sim.marks import mark
from tests.sim.record_audit import Audit

from grevy.engine import PARTITION_COMMANDS, Engine, partition_tables, tables
from grevy.engine.step import NoTopics
from grevy.journal import JournalError
from grevy.partition.exporter_positions import is_of_exporters, positions_told
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import Intent, JobIntent, MessageIntent, RecordType
from grevy.protocol.record import Answer, Entry, RequestId
from grevy.raft import is_of_engine
from grevy.state import MemoryBackend, State
from grevy.stream import StreamProcessor
from grevy.testing.entropy import SeededEntropy

EXPORTER_ID: Final = "sink"

LASTING: Final = {
    spec.number
    for spec in (
        tables.PROCESSES,
        tables.PROCESS_VERSIONS,
        tables.MESSAGES,
        tables.MESSAGES_BY_NAME,
        tables.MESSAGE_DEADLINES,
        tables.MESSAGE_IDS,
        tables.MESSAGES_CORRELATED,
        tables.REQUESTS,
        tables.LARGE_ANSWERS,
        tables.SESSIONS,
        tables.SESSIONS_BY_AGE,
        tables.COUNTERS,
        partition_tables.CLOSED_SUBSCRIPTIONS,
        partition_tables.CLOSED_BY_TIME,
    )
}
"""Tables that keep rows when all instances have ended, and messages that may still be wanted."""


class Violation(BaseException):
    """Something that must hold does not. Brokers catch every `Exception` of their partitions, and
    this one is not theirs.
    """


class ClusterChecker:
    """Watches the commits of all replicas."""

    def __init__(self, partitions: Sequence[int]) -> None:
        self.logs: dict[int, list[bytes]] = {each: [] for each in partitions}
        """The committed log of each partition, from index 1."""
        self.audit = Audit()
        self.entries: list[Entry] = []
        """The engine's, of all partitions, each partition's in its order."""
        self.disks_fail = False
        """Whether a disk may be the reason of a failure."""
        self.failures: list[tuple[int, BaseException]] = []
        self.answers: dict[RequestId, Answer] = {}
        self.exporter_known: dict[int, int] = {}
        """The newest position in each partition when the log named its exporter: from there on all
        replicas hold the log for it.
        """
        self._acknowledged = dict.fromkeys(partitions, 0)
        """The newest position in each partition that its exporter ever acknowledged."""
        self._told: dict[int, list[tuple[int, int]]] = {each: [] for each in partitions}
        """Indexes of the entries that tell how far the exporter is, and what they tell."""
        self._exporter_at: dict[tuple[int, int], int] = {}
        self._log_begins: dict[tuple[int, int], int] = {}
        self._hashes: dict[tuple[int, int], tuple[int, int]] = {}
        self._applied: dict[tuple[int, int], int] = {}

    def restarted(self, node_id: int) -> None:
        """A broker begins anew, from what its disks have."""
        for of_replicas in (self._applied, self._exporter_at, self._log_begins):
            for key in [key for key in of_replicas if key[1] == node_id]:
                del of_replicas[key]

    def dropped(self, node_id: int, partition_id: int) -> None:
        """A broker has deleted a replica, and may be given another one."""
        for of_replicas in (self._applied, self._exporter_at, self._log_begins):
            of_replicas.pop((partition_id, node_id), None)

    def failed(self, node_id: int, error: BaseException) -> None:
        """A partition says that it has failed: only a disk is a reason."""
        self.failures.append((node_id, error))
        if not (self.disks_fail and isinstance(error, OSError | JournalError)):
            raise Violation(f"a partition of broker {node_id} failed: {error!r}") from error
        mark(ClusterMark.DISK_FAILED)

    def committed(
        self, partition_id: int, node_id: int, payloads: Sequence[bytes], last_index: int
    ) -> None:
        """A replica gives out entries, the last of them at an index (R4)."""
        log = self.logs[partition_id]
        first = last_index - len(payloads) + 1
        where = f"partition {partition_id} of broker {node_id}"
        before = self._applied.get((partition_id, node_id))
        if before is not None and first != before + 1 and first <= before:
            raise Violation(f"{where} gives out index {first} after {before}")
        self._applied[partition_id, node_id] = last_index
        for index, payload in enumerate(payloads, first):
            if index <= len(log):
                if log[index - 1] != payload:
                    raise Violation(
                        f"{where} has another entry at index {index} than was committed"
                    )
            elif index == len(log) + 1:
                log.append(payload)
                if is_of_exporters(payload):
                    self._take_positions(partition_id, index, payload)
                if is_of_engine(payload):
                    self._take(partition_id, decode_entry(payload))
            else:
                raise Violation(f"{where} gives out index {index}, but {len(log)} is the newest")

    def applied(self, partition_id: int, node_id: int, index: int, state_hash: int) -> None:
        """What a replica's state is after an index (E1)."""
        first, known = self._hashes.setdefault((partition_id, index), (node_id, state_hash))
        if known != state_hash:
            raise Violation(
                f"partition {partition_id} has another state at index {index} on broker {node_id} "
                f"than on {first}"
            )

    def acknowledged(self, partition_id: int, position: int) -> None:
        """The exporter is about to acknowledge."""
        self._acknowledged[partition_id] = max(self._acknowledged[partition_id], position)

    def _take_positions(self, partition_id: int, index: int, payload: bytes) -> None:
        told = positions_told(payload)[EXPORTER_ID].position
        newest = self.audit.positions.get(partition_id, 0)
        self.exporter_known.setdefault(partition_id, newest)
        before = self._told[partition_id][-1][1] if self._told[partition_id] else 0
        if not before <= told <= self._acknowledged[partition_id]:
            raise Violation(
                f"X2: entry {index} of partition {partition_id} says that the exporter is at "
                f"{told}; before it was at {before}, acknowledged is "
                f"{self._acknowledged[partition_id]}"
            )
        self._told[partition_id].append((index, told))

    def exports(
        self, partition_id: int, node_id: int, *, applied_index: int, exporter_at: int | None
    ) -> None:
        """How far the exporter is, as a replica knows, if it does (X2)."""
        where = f"partition {partition_id} of broker {node_id}"
        told = [told for index, told in self._told[partition_id] if index <= applied_index]
        before = max([*told[-1:], self._exporter_at.get((partition_id, node_id), 0)])
        if exporter_at is None:
            if told:
                raise Violation(f"X2: {where} does not know of the exporter")
            return
        if not before <= exporter_at <= self._acknowledged[partition_id]:
            raise Violation(
                f"X2: {where} knows that the exporter is at {exporter_at}; before it was at "
                f"{before}, acknowledged is {self._acknowledged[partition_id]}"
            )
        self._exporter_at[partition_id, node_id] = exporter_at

    def log_begins(self, partition_id: int, node_id: int, *, index: int, position: int) -> None:
        """Where a replica's log begins. What was there before all knew of the exporter may be gone
        (X3).
        """
        if self._log_begins.get((partition_id, node_id)) == index:
            return
        self._log_begins[partition_id, node_id] = index
        needed = self._acknowledged[partition_id] + 1
        known = self.exporter_known.get(partition_id, position)
        if position > max(needed, known + 1):
            raise Violation(
                f"X3: the log of partition {partition_id} of broker {node_id} begins at position "
                f"{position}, and an exporter needs {needed}"
            )

    def replay(self) -> None:
        """The whole log again, on an empty state: it comes to the same (E1)."""
        for partition_id, log in self.logs.items():
            backend = MemoryBackend()
            state = State(backend)
            engine = Engine(
                state,
                partition_id,
                topics=NoTopics(),
                entropy=SeededEntropy(),
                partition_count=len(self.logs),
            )
            stream = StreamProcessor(engine, state)
            for index, payload in enumerate(log, 1):
                stream.commit([payload if is_of_engine(payload) else b""], index)
                if (partition_id, index) in self._hashes:
                    self.applied(partition_id, 0, index, state.hash)
            left = {row[0] for row, _ in backend.rows(b"\1")}
            if not left <= LASTING:
                raise Violation(f"E7: partition {partition_id} still has rows of {left - LASTING}")

    def check_answer(self, client_id: bytes, number: int, answer: Answer) -> None:
        """What a client was told is in the log (C1)."""
        if self.answers.get(RequestId(client_id, number)) != answer:
            raise Violation(f"the answer to request {number} is not in the log")

    def _take(self, partition_id: int, entry: Entry) -> None:
        self._mark(entry)
        self.entries.append(entry)
        for reply in entry.replies:
            if reply.request in self.answers:
                raise Violation(f"{reply.request} is answered twice")
            self.answers[reply.request] = reply.answer
        self.audit.take(partition_id, entry)

    @staticmethod
    def _mark(entry: Entry) -> None:
        command = entry.records[0]
        outcome = entry.records[-1]
        for record in entry.records:
            if record.record_type is RecordType.EVENT and record.intent in _EVENTS:
                mark(_EVENTS[record.intent])
        if outcome.record_type is RecordType.COMMAND_REJECTION:
            if command.intent in PARTITION_COMMANDS:
                mark(ClusterMark.REFUSED_AGAIN)
            elif command.intent in _REFUSALS:
                mark(_REFUSALS[command.intent])


_EVENTS: Final[dict[Intent, ClusterMark]] = {
    JobIntent.TIMED_OUT: ClusterMark.TIMED_OUT,
    JobIntent.YIELDED: ClusterMark.YIELDED,
}
_REFUSALS: Final[dict[Intent, ClusterMark]] = {
    JobIntent.COMPLETE: ClusterMark.LATE_COMPLETION,
    MessageIntent.PUBLISH: ClusterMark.PUBLISHED_TWICE,
}
