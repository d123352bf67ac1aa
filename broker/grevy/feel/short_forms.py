"""Constants and tests against them in the forms that fill decision tables, told by a pattern.

A large table has ten thousand such texts, all different; the parser needs 50 times as long for
each. What is not in one of these forms, or would be an error, is None: that is for the parser, and
what both read is the same.
"""

from __future__ import annotations

import re
from typing import Final

from grevy.feel import decimals
from grevy.feel.values import FeelRange, Value

CHARS_MAX: Final = 1_000
"""Longer texts are the parser's, which knows the limits."""

_BLANKS: Final = r"[ \n\r\t]*"
_NUMBER: Final = r"-?[0-9]+(?:\.[0-9]+)?"
_STRING: Final = r'"[^"\\]*"'
_SCALAR: Final = re.compile(rf"{_STRING}|{_NUMBER}|true|false|null")
_SCALARS: Final = re.compile(
    rf"(?:{_STRING}|{_NUMBER})(?:{_BLANKS},{_BLANKS}(?:{_STRING}|{_NUMBER}))*"
)
_EACH: Final = re.compile(rf"{_STRING}|{_NUMBER}")
_BOUND: Final = re.compile(rf"([<>]=?){_BLANKS}({_NUMBER})")
_RANGE: Final = re.compile(
    rf"([\[\](]){_BLANKS}({_NUMBER}){_BLANKS}\.\.{_BLANKS}({_NUMBER}){_BLANKS}([\[\])])"
)
_WORDS: Final[dict[str, Value]] = {"true": True, "false": False, "null": None}


def is_string(text: str) -> bool:
    """Whether the text is one in quotes, without escapes."""
    last = len(text) - 1
    return (
        1 <= last < CHARS_MAX and text.find('"', 1) == last and text[0] == '"' and "\\" not in text
    )


def is_scalar(text: str) -> bool:
    """Whether the text is one constant, for `scalar`."""
    return len(text) <= CHARS_MAX and _SCALAR.fullmatch(text) is not None


def scalar(text: str) -> Value:
    """A text, a number, `true`, `false` or `null`."""
    if text[0] == '"':
        return text[1:-1]
    return _WORDS[text] if text in _WORDS else _number(text)


def scalars(text: str) -> tuple[Value, ...] | None:
    """Texts and numbers with commas between them."""
    if len(text) > CHARS_MAX or _SCALARS.fullmatch(text) is None:
        return None
    return tuple(map(scalar, _EACH.findall(text)))


def span(text: str) -> FeelRange | None:
    """A comparison with a number, or a range of numbers."""
    if len(text) > CHARS_MAX:
        return None
    compared = _BOUND.fullmatch(text)
    if compared is not None:
        bound, is_closed = _number(compared[2]), len(compared[1]) > 1
        if text[0] == ">":
            return FeelRange(bound, None, is_closed, False)
        return FeelRange(None, bound, False, is_closed)
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    return FeelRange(_number(found[2]), _number(found[3]), found[1] == "[", found[4] == "]")


def _number(text: str) -> decimals.Number:
    if text[0] == "-":
        return decimals.negate(decimals.parse_number(text[1:]))
    return decimals.parse_number(text)
