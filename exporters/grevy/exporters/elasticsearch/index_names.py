"""How indices, aliases and templates are called.

    index            <prefix>_<value-type>_<version>_<date>   zeebe-record_job_8.8.0_2026-11-24
    alias            <prefix>-<value-type>                    zeebe-record-job
    index template   <prefix>_<value-type>_<version>          zeebe-record_job_8.8.0
    component        <prefix>-<version>                       zeebe-record-8.8.0

The date is that of the record, in UTC, after a pattern of the kind that Java knows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from grevy.protocol.intents import ValueType
from grevy.protocol.record import BROKER_VERSION

_DATE_PARTS: Final = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
_DATE_TOKEN: Final = re.compile(r"yyyy|MM|dd|HH|[-_.]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS: Final = 3_600_000


def check_date_pattern(pattern: str) -> None:
    """Raises `ValueError` for what is not made of yyyy, MM, dd, HH, hyphens, points and such."""
    if not pattern or _DATE_TOKEN.sub("", pattern):
        raise ValueError(f"{pattern!r} is not a pattern of yyyy, MM, dd, HH, '-', '_' and '.'")


def slug_of(value_type: ValueType) -> str:
    """A value type as it stands in names: `process-instance`."""
    return value_type.name.lower().replace("_", "-")


def alias_of(prefix: str, value_type: ValueType) -> str:
    """The alias over all indices of a value type."""
    return f"{prefix}-{slug_of(value_type)}"


def index_template_of(prefix: str, value_type: ValueType) -> str:
    """The index template of a value type; its indices are called so too, with a date."""
    return f"{prefix}_{slug_of(value_type)}_{BROKER_VERSION}"


def component_template_of(prefix: str) -> str:
    """The component template that all index templates share."""
    return f"{prefix}-{BROKER_VERSION}"


class IndexNames:
    """The indices that records go into; names are made once an hour."""

    def __init__(self, prefix: str, date_pattern: str) -> None:
        self._prefix = prefix
        self._date_format = _DATE_TOKEN.sub(
            lambda token: _DATE_PARTS.get(token[0], token[0]), date_pattern
        )
        self._hour = -1
        self._names: dict[ValueType, str] = {}

    def name_of(self, value_type: ValueType, timestamp: int) -> str:
        """The index of a record of this type, written at `timestamp` (epoch ms)."""
        hour = timestamp // _HOUR_MS
        if hour != self._hour:
            self._hour = hour
            self._names = {}
        name = self._names.get(value_type)
        if name is None:
            date = (_EPOCH + timedelta(hours=hour)).strftime(self._date_format)
            name = f"{index_template_of(self._prefix, value_type)}_{date}"
            self._names[value_type] = name
        return name
