"""The core that drives one exporter of one partition: deliveries in, decisions out.

The shell around it owns the subscription, the clock's alarm and the log. It hands in what the
broker delivered (`receive`), lets the driver make its next call (`turn`), and does what the
returned `Turn` says: acknowledge, wait, ask for more.

    closed ──open──▶ opening ──Exporter.open succeeds──▶ exporting ──close──▶ closed

In every open phase one call at a time is at hand: `Exporter.open`, a scheduled task that is due, or
`Exporter.export` of the records delivered last. A call that raises stays at hand and is repeated
after a pause; nothing overtakes it, so the exporter sees its records in order, and what the driver
holds is bounded by one delivery.

Positions, each at most the next:

    acknowledged ≤ confirmed (by the exporter) ≤ handed (to the exporter) ≤ seen (delivered, or
    passed over by the filter)

Once the exporter confirmed all that it was handed, everything seen counts as acknowledged.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Final

from grevy.exporting.api import Context, Exporter
from grevy.exporting.errors import AcknowledgementRefused, RecordsMissing
from grevy.exporting.outcome import Acknowledgement, ExporterStatus, Failure, Phase, Turn
from grevy.exporting.record import ExportedRecord
from grevy.protocol.limits import (
    EXPORTER_ERROR_CHARS_MAX,
    EXPORTER_METADATA_BYTES_MAX,
    EXPORTER_PAUSE_MS_MAX,
    EXPORTER_PAUSE_MS_MIN,
)
from grevy.protocol.record import Entry


def pause_ms(attempts: int) -> int:
    """How long to wait after so many failures in a row: doubles up to the greatest pause."""
    doublings = min(attempts - 1, 32)
    return min(EXPORTER_PAUSE_MS_MIN << doublings, EXPORTER_PAUSE_MS_MAX)


class _Task:
    """A call of the exporter that waits for its time; ordered by that, then by age."""

    __slots__ = ("_number", "due_ms", "is_cancelled", "run")

    def __init__(self, due_ms: int, number: int, run: Callable[[], None]) -> None:
        self.due_ms = due_ms
        self.run = run
        self.is_cancelled = False
        self._number = number

    def __lt__(self, other: _Task) -> bool:
        return (self.due_ms, self._number) < (other.due_ms, other._number)

    def cancel(self) -> None:
        self.is_cancelled = True


class ExporterDriver:
    """One exporter of one partition. Not for several threads at once; `turn` and `close` block."""

    def __init__(self, exporter: Exporter, context: Context) -> None:
        """Configures the exporter; raises `InvalidArguments`."""
        exporter.configure(context)
        self._exporter: Final = exporter
        self._context: Final = context
        self._filter: Final = context.filter
        self._phase = Phase.CLOSED
        self._call: Callable[[], None] | None = None
        self._delivered: tuple[ExportedRecord, ...] = ()
        self._tasks: list[_Task] = []
        self._tasks_made = 0
        self._attempts = 0
        self._retry_at_ms = 0
        self._error = ""
        self._seen = self._handed = self._confirmed = self._acknowledged = 0
        self._metadata = self._acknowledged_metadata = b""
        self._exported_records = self._lost_records = 0

    # What the shell does.

    def open(self, position: int, metadata: bytes) -> None:
        """Begin after `position`, acknowledged in an earlier run together with `metadata`."""
        assert self._phase is Phase.CLOSED, self._phase
        assert position >= 0, position
        self._seen = self._handed = self._confirmed = self._acknowledged = position
        self._metadata = self._acknowledged_metadata = metadata
        self._phase = Phase.OPENING
        self._call = self._open_exporter

    def resume(self, position: int) -> None:
        """The subscription was opened again and begins after `position`.

        Where that is beyond what was seen, the log no longer holds what lies between: it is counted
        as lost.
        """
        assert self._phase is not Phase.CLOSED
        if position > self._seen:
            self._lost_records += position - self._seen
            self._seen = position

    def receive(self, entries: Sequence[Entry], up_to: int) -> None:
        """Take a delivery: entries in order, and the last position that the broker looked at.

        Only while `is_ready`. What was delivered before is passed over; raises `RecordsMissing` for
        a delivery that begins too late, and takes none of it.
        """
        assert self.is_ready
        records: list[ExportedRecord] = []
        seen = self._seen
        for entry in entries:
            self._check_follows(entry, seen)
            records += self._wanted(entry)
            seen = max(seen, entry.last_position)
        self._delivered = tuple(records)
        self._seen = max(seen, up_to)

    def turn(self) -> Turn:
        """Make the call that is at hand, if there is one and its time has come."""
        assert self._phase is not Phase.CLOSED
        if self._call is None:
            self._call = self._next_call()
        failure = None
        if self._call is not None and self._now_ms() >= self._retry_at_ms:
            failure = self._attempt(self._call)
        return Turn(self._take_acknowledgement(), failure, self._wake_in_ms(), self.is_ready)

    def close(self) -> Turn:
        """Close the exporter, which may acknowledge once more; a failure is not repeated."""
        failure = None
        if self._phase is Phase.EXPORTING:
            failure = self._attempt(self._exporter.close)
        self._phase = Phase.CLOSED
        self._call, self._delivered = None, ()
        self._tasks.clear()
        return Turn(self._take_acknowledgement(), failure, None, is_ready=False)

    # What the shell sees.

    @property
    def is_ready(self) -> bool:
        """Whether another delivery is taken: the exporter is open and has nothing at hand."""
        return self._phase is Phase.EXPORTING and self._call is None and not self._delivered

    @property
    def next_position(self) -> int:
        """Where a subscription has to begin after a cut."""
        return self._seen + 1

    @property
    def last_acknowledgement(self) -> Acknowledgement:
        """What a broker that just came to lead should be told again."""
        return Acknowledgement(self._acknowledged, self._acknowledged_metadata)

    def status(self) -> ExporterStatus:
        """A picture of now."""
        return ExporterStatus(
            exporter_id=self._context.exporter_id,
            partition_id=self._context.partition_id,
            phase=self._phase,
            acknowledged_position=self._acknowledged,
            exported_position=self._handed,
            seen_position=self._seen,
            exported_records=self._exported_records,
            lost_records=self._lost_records,
            attempts=self._attempts,
            error=self._error,
        )

    # What the exporter asks for (api.Controller).

    @property
    def position(self) -> int:
        """See `api.Controller`."""
        return self._confirmed

    @property
    def metadata(self) -> bytes:
        """See `api.Controller`."""
        return self._metadata

    def acknowledge(self, position: int, metadata: bytes | None = None) -> None:
        """See `api.Controller`."""
        if position > self._handed:
            raise AcknowledgementRefused(
                f"position {position} was acknowledged, but exported only up to {self._handed}"
            )
        if metadata is not None and len(metadata) > EXPORTER_METADATA_BYTES_MAX:
            raise AcknowledgementRefused(
                f"{len(metadata)} bytes of metadata, the limit is {EXPORTER_METADATA_BYTES_MAX}"
            )
        if position < self._confirmed:
            return
        self._confirmed = position
        if metadata is not None:
            self._metadata = metadata

    def schedule(self, delay_ms: int, task: Callable[[], None]) -> _Task:
        """See `api.Controller`."""
        assert delay_ms >= 0, delay_ms
        self._tasks_made += 1
        scheduled = _Task(self._now_ms() + delay_ms, self._tasks_made, task)
        heapq.heappush(self._tasks, scheduled)
        return scheduled

    # Within.

    def _check_follows(self, entry: Entry, seen: int) -> None:
        if self._filter.subscribed_value_types:
            return  # The broker leaves entries out: a gap between two is no sign of a loss.
        if entry.first_position > seen + 1:
            raise RecordsMissing(f"expected position {seen + 1}, got {entry.first_position}")

    def _wanted(self, entry: Entry) -> list[ExportedRecord]:
        first_new = max(self._seen + 1 - entry.first_position, 0)
        accepts = self._filter.accepts
        return [
            ExportedRecord(entry, index)
            for index, record in enumerate(entry.records)
            if index >= first_new and accepts(record)
        ]

    def _next_call(self) -> Callable[[], None] | None:
        self._drop_cancelled_tasks()
        if self._tasks and self._tasks[0].due_ms <= self._now_ms():
            return heapq.heappop(self._tasks).run
        if self._delivered:
            return self._export_delivered
        return None

    def _attempt(self, call: Callable[[], None]) -> Failure | None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises is kept, told and repeated
            self._attempts += 1
            pause = pause_ms(self._attempts)
            self._retry_at_ms = self._now_ms() + pause
            self._error = f"{type(error).__name__}: {error}"[:EXPORTER_ERROR_CHARS_MAX]
            return Failure(error, self._attempts, pause)
        self._call = None
        self._attempts = self._retry_at_ms = 0
        self._error = ""
        return None

    def _open_exporter(self) -> None:
        self._exporter.open(self)
        self._phase = Phase.EXPORTING

    def _export_delivered(self) -> None:
        self._handed = self._delivered[-1].position
        self._exporter.export(self._delivered)
        self._exported_records += len(self._delivered)
        self._delivered = ()

    def _take_acknowledgement(self) -> Acknowledgement | None:
        is_all_confirmed = self._confirmed == self._handed and not self._delivered
        position = self._seen if is_all_confirmed else max(self._confirmed, self._acknowledged)
        if (position, self._metadata) == (self._acknowledged, self._acknowledged_metadata):
            return None
        assert self._acknowledged <= position <= self._seen, (
            self._acknowledged,
            position,
            self._seen,
        )
        self._acknowledged, self._acknowledged_metadata = position, self._metadata
        return Acknowledgement(position, self._metadata)

    def _wake_in_ms(self) -> int | None:
        now_ms = self._now_ms()
        if self._call is not None:
            return max(self._retry_at_ms - now_ms, 0)
        if self._delivered:
            return 0
        self._drop_cancelled_tasks()
        return max(self._tasks[0].due_ms - now_ms, 0) if self._tasks else None

    def _drop_cancelled_tasks(self) -> None:
        while self._tasks and self._tasks[0].is_cancelled:
            heapq.heappop(self._tasks)

    def _now_ms(self) -> int:
        return self._context.clock.monotonic_ns() // 1_000_000
