"""Getting at parts of values: keys of contexts, properties of temporal values, items of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grevy.feel import civil, decimals
from grevy.feel.decimals import Number
from grevy.feel.errors import EvaluationStopped
from grevy.feel.moments import (
    DAY,
    SECOND,
    Duration,
    FeelDate,
    FeelDateTime,
    FeelTime,
    Period,
)
from grevy.feel.scope import Run
from grevy.feel.text import shown
from grevy.feel.values import FeelRange, Value
from grevy.protocol import limits

_DATE: Final[dict[str, Callable[[int], int]]] = {
    "year": lambda day: civil.date_of(day)[0],
    "month": lambda day: civil.date_of(day)[1],
    "day": lambda day: civil.date_of(day)[2],
    "weekday": civil.weekday_of,
}
_CLOCK: Final = {"hour": 3600 * SECOND, "minute": 60 * SECOND, "second": SECOND}
_PLACE: Final = ("time offset", "timezone")
_PARTS: Final = ("days", "hours", "minutes", "seconds")
_PERIOD: Final = ("years", "months")
_RANGE: Final = ("start", "end", "start included", "end included")

_PROPERTIES: Final[dict[type, tuple[str, ...]]] = {
    FeelDate: tuple(_DATE),
    FeelTime: (*_CLOCK, *_PLACE),
    FeelDateTime: (*_DATE, *_CLOCK, *_PLACE),
    Duration: _PARTS,
    Period: _PERIOD,
    FeelRange: _RANGE,
}


def entry(run: Run, base: Value, key: str, depth: int = 0) -> Value:
    """`base.key`: an entry, a property, or for a list those of its items. What is not there is
    null, with a warning.
    """
    if isinstance(base, dict) and key in base:
        return base[key]
    if isinstance(base, dict):
        run.charge(_MISS_STEPS)
        keys = ", ".join(f"'{key}'" for key in list(base)[:_KEYS_SHOWN])
        what = f"Available keys: {keys}" if keys else "The context is empty"
        run.warn("NO_CONTEXT_ENTRY_FOUND", f"No context entry found with key '{key}'. {what}")
        return None
    if isinstance(base, list):
        if depth > limits.JSON_DEPTH_MAX:
            raise EvaluationStopped(f"a value nests deeper than {limits.JSON_DEPTH_MAX}")
        run.charge(len(base))
        return [entry(run, item, key, depth + 1) for item in base]
    if base is None:
        run.charge(_MISS_STEPS)
        run.warn(
            "NO_CONTEXT_ENTRY_FOUND",
            f"No context entry found with key '{key}'. The context is null",
        )
        return None
    available = _PROPERTIES.get(type(base), ())
    if key not in available:
        run.charge(_MISS_STEPS)
        names = ", ".join(f"'{name}'" for name in available)
        run.warn(
            "NO_PROPERTY_FOUND",
            f"No property found with name '{key}' of value '{shown(base)}'. "
            f"Available properties: {names}",
        )
        return None
    return _property(base, key)


_KEYS_SHOWN: Final = 20
_MISS_STEPS: Final = 10
"""What it costs to say that something is not there."""


def _property(base: Value, key: str) -> Value:
    if key in _DATE:
        assert isinstance(base, _DATES)
        return _DATE[key](base.day if isinstance(base, FeelDate) else base.local // DAY)
    if isinstance(base, Duration):
        return base.parts[_PARTS.index(key)]
    if isinstance(base, Period):
        sign = -1 if base.months < 0 else 1
        return sign * divmod(abs(base.months), 12)[_PERIOD.index(key)]
    if isinstance(base, FeelRange):
        parts = (base.start, base.end, base.is_start_closed, base.is_end_closed)
        return parts[_RANGE.index(key)]
    assert isinstance(base, FeelTime | FeelDateTime)
    if key in _CLOCK:
        nanos = base.nanos if isinstance(base, FeelTime) else base.time.nanos
        return nanos // _CLOCK[key] % (24 if key == "hour" else 60)
    if key == "timezone":
        return base.zone
    return None if base.offset is None else Duration(base.offset * SECOND)


_DATES: Final = (FeelDate, FeelDateTime)


def item(items: list[Value], position: Number) -> Value:
    """The item at a position that counts from 1, or from the end for negative ones; null when
    there is none.
    """
    if position < 0 and not isinstance(position, int):
        # As in Zeebe the fraction is dropped of the place, not of the distance from the end.
        place = decimals.to_index(decimals.add(len(items), position))
        return items[place] if len(items) + position >= 0 else None
    index = decimals.to_index(position)
    if not index or not -len(items) <= index <= len(items):
        return None
    return items[index - 1 if index > 0 else index]
