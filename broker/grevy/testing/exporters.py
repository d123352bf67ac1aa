"""An exporter for tests: driven as its process drives it, without a broker, on a clock of its own.

run = ExporterRun(MyExporter(), {"path": "/tmp/records"})
run.export(one_record(1, RecordType.EVENT, JobIntent.CREATED, JobValue(type="work")))
assert run.position == 1
again = ExporterRun(MyExporter(), arguments, position=run.position, metadata=run.metadata)
"""

from __future__ import annotations

from collections.abc import Mapping

from grevy.exporting import Context, Exporter, ExporterDriver, ExporterStatus, Turn
from grevy.protocol.intents import Intent, RecordType
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import Value
from grevy.testing.clock import START_MS, VirtualClock


def one_record(
    position: int, kind: RecordType, intent: Intent, value: Value, *, timestamp: int = START_MS
) -> Entry:
    """An entry of partition 1 that holds one record; its key is its position."""
    record = Record(kind, intent, position, value)
    return Entry(1, timestamp, position, position, (record,))


class ExporterRun:
    """One run of an exporter of partition 1, from its start until it is closed or dropped.

    `position` and `metadata` are what the broker would keep: give them to the run that comes after.
    """

    def __init__(
        self,
        exporter: Exporter,
        arguments: Mapping[str, object],
        *,
        position: int = 0,
        metadata: bytes = b"",
    ) -> None:
        """Configures and opens the exporter; raises what either of them raises."""
        self.clock = VirtualClock()
        self.position = position
        self.metadata = metadata
        self._pause_ms = 0
        self._driver = ExporterDriver(exporter, Context("exporter", 1, arguments, self.clock))
        self._driver.open(position, metadata)
        failure = self.turn().failure
        if failure is not None:
            raise failure.error

    def export(self, *entries: Entry) -> Turn:
        """Deliver entries; what came of the exporter's first try to take them."""
        self._driver.receive(entries, entries[-1].last_position)
        return self.turn()

    def turn(self) -> Turn:
        """Let the exporter do what is at hand; the pause after a failure passes before."""
        self.clock.move_to(self.clock.now_ms() + self._pause_ms)
        turn = self._driver.turn()
        self._pause_ms = turn.failure.pause_ms if turn.failure else 0
        self._keep(turn)
        return turn

    def pass_time(self, ms: int) -> Turn:
        """Move the clock, and let the exporter do what is due."""
        self.clock.move_to(self.clock.now_ms() + ms)
        return self.turn()

    def close(self) -> Turn:
        """End the run in order."""
        turn = self._driver.close()
        self._keep(turn)
        return turn

    def status(self) -> ExporterStatus:
        """How the exporter is doing."""
        return self._driver.status()

    def _keep(self, turn: Turn) -> None:
        if turn.acknowledgement is not None:
            self.position = turn.acknowledgement.position
            self.metadata = turn.acknowledgement.metadata
