"""Values as text: what `string()` makes of lists and contexts, and what warnings show. Without
recursion, and to a limit. Functions in a context are left out, as they are of its JSON.
"""

from __future__ import annotations

from typing import Final

from grevy.feel.entries import key_order
from grevy.feel.values import FeelFunction, FeelRange, Value
from grevy.protocol import limits

_COMPOUNDS: Final = (list, dict, FeelRange)
SHOWN_CHARS_MAX: Final = 200
"""How much of a value a warning shows."""


def shown(value: Value) -> str:
    """The value as a warning shows it, cut if it is long."""
    text = text_of(value, SHOWN_CHARS_MAX)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def text_of(value: Value, chars_max: int = limits.FEEL_STRING_CHARS_MAX) -> str:
    """The value as FEEL writes it; stops soon after `chars_max` characters, so a longer text means
    that there is more.
    """
    if type(value) not in _COMPOUNDS:
        return _scalar(value)
    pieces: list[str] = []
    length = 0
    pending: list[tuple[bool, Value]] = [(False, value)]
    while pending and length <= chars_max:
        is_text, item = pending.pop()
        if is_text:
            assert isinstance(item, str)
            piece = item
        elif isinstance(item, _COMPOUNDS):
            pending.extend(reversed(_parts(item, chars_max)))
            continue
        else:
            piece = _scalar(item)
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces)


def _scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, FeelFunction):
        return f"function({', '.join(value.parameters)})"
    return str(value)


def _parts(
    value: list[Value] | dict[str, Value] | FeelRange, chars_max: int
) -> list[tuple[bool, Value]]:
    """What a compound is written as: texts, and values that are yet to be written. Every item
    takes a character at least.
    """
    parts: list[tuple[bool, Value]] = []
    if isinstance(value, FeelRange):
        parts += [(True, "[" if value.is_start_closed else "("), (False, value.start)]
        parts += [(True, ".."), (False, value.end)]
        parts.append((True, "]" if value.is_end_closed else ")"))
        return parts
    if isinstance(value, list):
        for item in value[: chars_max + 1]:
            parts += [(True, ", "), (False, item)]
        return [(True, "["), *parts[1:], (True, "]")]
    for key in key_order(value):
        if len(parts) > 2 * chars_max:
            break
        if not isinstance(value[key], FeelFunction):
            parts += [(True, f"{', ' if parts else ''}{key}:"), (False, value[key])]
    return [(True, "{"), *parts, (True, "}")]
