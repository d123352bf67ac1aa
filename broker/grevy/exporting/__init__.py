"""Exporting: the plug-in API of exporters, and the core that drives one.

Exporters import this package and `grevy.protocol` only; see `api` for what they are promised.
"""

from __future__ import annotations

from grevy.exporting.api import (
    NO_PARTITION,
    Context,
    Controller,
    Exporter,
    RecordFilter,
    ScheduledTask,
)
from grevy.exporting.driver import ExporterDriver
from grevy.exporting.errors import (
    AcknowledgementRefused,
    ExportingError,
    InvalidArguments,
    RecordsMissing,
    UnknownExporter,
)
from grevy.exporting.outcome import Acknowledgement, ExporterStatus, Failure, Phase, Turn
from grevy.exporting.plugins import ExporterSettings, check_exporter, load_exporter
from grevy.exporting.record import ExportedRecord

__all__ = [
    "NO_PARTITION",
    "Acknowledgement",
    "AcknowledgementRefused",
    "Context",
    "Controller",
    "ExportedRecord",
    "Exporter",
    "ExporterDriver",
    "ExporterSettings",
    "ExporterStatus",
    "ExportingError",
    "Failure",
    "InvalidArguments",
    "Phase",
    "RecordFilter",
    "RecordsMissing",
    "ScheduledTask",
    "Turn",
    "UnknownExporter",
    "check_exporter",
    "load_exporter",
]
