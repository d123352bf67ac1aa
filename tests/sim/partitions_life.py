"""sim-partitions: several engines with everything going wrong between them, and what must hold of
their logs and states then (`tests/engine/partition_workload.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.engine.partition_workload import Workload
from tests.sim.marks import Mark, mark
from tests.sim.record_audit import Audit

from grevy.protocol.intents import (
    CommandDistributionIntent,
    Intent,
    MessageIntent,
    MessageSubscriptionIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    ResourceDeletionIntent,
)
from grevy.protocol.record import Entry
from grevy.protocol.text_form import entry_lines


class PartitionsMark(Mark):
    """What a column of these runs must reach."""

    CREATE_AGAIN = "a subscription is opened again"
    DELETE_AGAIN = "a subscription is closed again"
    CORRELATE_AGAIN = "a message is brought again that was taken"
    CORRELATE_LATE = "a message is brought to an element that takes none any more"
    CONFIRM_AGAIN = "a correlation is confirmed again"
    REJECT_AGAIN = "a refusal comes that nobody waits for"
    GIVEN_BACK = "a message that was refused goes on to somebody else"
    EXPIRED = "a message expires"
    ACKNOWLEDGED_AGAIN = "a distribution is acknowledged again"
    DELETED = "a definition is deleted that others have too"
    CRASHED = "a partition loses what it has not committed"
    FOUR = "four partitions take part"


_REFUSED: dict[Intent, PartitionsMark] = {
    MessageSubscriptionIntent.CREATE: PartitionsMark.CREATE_AGAIN,
    MessageSubscriptionIntent.DELETE: PartitionsMark.DELETE_AGAIN,
    MessageSubscriptionIntent.CORRELATE: PartitionsMark.CONFIRM_AGAIN,
    MessageSubscriptionIntent.REJECT: PartitionsMark.REJECT_AGAIN,
    CommandDistributionIntent.ACKNOWLEDGE: PartitionsMark.ACKNOWLEDGED_AGAIN,
}


@dataclass(frozen=True, slots=True)
class PartitionsReport:
    """What a run was."""

    trace_hash: str
    events: int


class PartitionsLife:
    """One run."""

    def __init__(self, seed: int, partition_count: int = 0) -> None:
        self._workload = Workload(seed, partition_count or 2 + seed % 3)

    def run(self) -> PartitionsReport:
        """Everything; raises what is wrong."""
        self._workload.run()
        trace = hashlib.blake2b(digest_size=16)
        audit = Audit()
        for partition in self._workload.cluster.partitions:
            if partition.crashes:
                mark(PartitionsMark.CRASHED)
            for entry, payload in zip(partition.log(), partition.entries, strict=True):
                trace.update(payload)
                audit.take(partition.partition_id, entry)
                self._mark(entry)
        if self._workload.count == 4:
            mark(PartitionsMark.FOUR)
        return PartitionsReport(trace.hexdigest(), audit.records)

    def story(self) -> Iterator[str]:
        """The logs."""
        yield "last events:"
        for partition in self._workload.cluster.partitions:
            yield f"partition {partition.partition_id}"
            for entry in partition.log():
                yield from entry_lines(entry)

    @staticmethod
    def _mark(entry: Entry) -> None:
        command, *outcome = entry.records
        intents = {record.intent for record in outcome if record.record_type is RecordType.EVENT}
        is_refused = any(each.record_type is RecordType.COMMAND_REJECTION for each in outcome)
        intent = command.intent
        if is_refused and intent in _REFUSED:
            mark(_REFUSED[intent])
        elif is_refused and intent is ProcessMessageSubscriptionIntent.CORRELATE:
            is_known = "again" in outcome[0].rejection_reason
            mark(PartitionsMark.CORRELATE_AGAIN if is_known else PartitionsMark.CORRELATE_LATE)
        elif intent is MessageSubscriptionIntent.REJECT:
            if MessageSubscriptionIntent.CORRELATING in intents:
                mark(PartitionsMark.GIVEN_BACK)
        elif intent is ResourceDeletionIntent.DELETE:
            mark(PartitionsMark.DELETED)
        if MessageIntent.EXPIRED in intents:
            mark(PartitionsMark.EXPIRED)
