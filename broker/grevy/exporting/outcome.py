"""What a driver tells its shell: values out of the core."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Phase(Enum):
    """Where an exporter is in its life."""

    CLOSED = "closed"
    OPENING = "opening"
    EXPORTING = "exporting"


class Acknowledgement(Struct, frozen=True):
    """To be told to the broker: everything up to `position` is done with."""

    position: int
    metadata: bytes


class Failure(Struct, frozen=True):
    """The call at hand raised `error`, for the `attempts`-th time; it is repeated in `pause_ms`."""

    error: Exception
    attempts: int
    pause_ms: int


class Turn(Struct, frozen=True):
    """What the shell has to do after a turn.

    `wake_in_ms`: call `turn` again after so long at the latest (0: at once), or when something was
    received (None). `is_ready`: the driver takes another delivery.
    """

    acknowledgement: Acknowledgement | None
    failure: Failure | None
    wake_in_ms: int | None
    is_ready: bool


class ExporterStatus(Struct, frozen=True):
    """How an exporter is doing; `error` is empty unless its last call failed.

    `lost_records` counts positions that the log no longer held when the exporter asked for them.
    """

    exporter_id: str
    partition_id: int
    phase: Phase
    acknowledged_position: int
    exported_position: int
    seen_position: int
    exported_records: int
    lost_records: int
    attempts: int
    error: str
