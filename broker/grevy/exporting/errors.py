"""What goes wrong around exporters, apart from what an exporter itself raises.

GrevyError
└── ExportingError
    ├── UnknownExporter          no installed plug-in has this name, or what has it is no exporter
    ├── InvalidArguments         an argument is missing, unknown or wrong; the text names it
    ├── AcknowledgementRefused   an exporter acknowledged what it was never given
    └── RecordsMissing           a delivery does not begin where the one before ended
"""

from __future__ import annotations

from grevy.protocol.errors import GrevyError


class ExportingError(GrevyError):
    """Base of this room's errors."""


class UnknownExporter(ExportingError):
    """No installed plug-in has this name, or what has it is no exporter."""


class InvalidArguments(ExportingError):
    """An exporter cannot work with its arguments; the text names the exporter and the argument."""


class AcknowledgementRefused(ExportingError):
    """An exporter acknowledged what it was never given, or with too much metadata."""


class RecordsMissing(ExportingError):
    """A delivery does not begin where the one before ended; subscribe again (`next_position`)."""
