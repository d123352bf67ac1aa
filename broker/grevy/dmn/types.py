"""The types that values are checked against: the basic ones. Others, such as those that a file
defines, hold for any value, as in Zeebe; null is of every type.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from grevy.feel import EvaluationFailed, Value, feel_type, shown

Type: TypeAlias = str

_FEEL_TYPES: Final[dict[Type, str]] = {
    "string": "string",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "dateTime": "date and time",
    "dayTimeDuration": "days and time duration",
    "yearMonthDuration": "years and months duration",
}


def known_type(reference: str) -> Type | None:
    """The type that a `typeRef` means, with or without a prefix; None for what is not checked."""
    name = reference.rpartition(":")[2]
    return name if name in _FEEL_TYPES else None


def check_type(expected: Type | None, value: Value) -> None:
    """Raises `EvaluationFailed` for a value of another type."""
    if expected is not None and value is not None and feel_type(value) != _FEEL_TYPES[expected]:
        raise EvaluationFailed(f"expected '{expected}' but found '{shown(value)}'")
