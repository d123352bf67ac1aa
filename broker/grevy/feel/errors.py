"""What can go wrong with FEEL: text that does not parse, and an evaluation that has to stop.

    ValueError
    ├── FeelSyntaxError      the expression is not FEEL; the writer of the process has to change it
    └── FeelFormatError      a value (JSON, ISO 8601 text) cannot be read or written
    EvaluationFailed         an expression of a session has no value; the text says why
    EvaluationStopped        inside the room only: unwinds an evaluation that cannot give a value

Bad data raises none of these: it becomes null with a `FeelWarning`.
"""

from __future__ import annotations

import re
from typing import Final

FOUND_CHARS_MAX: Final = 20
"""How much of the offending text a syntax error quotes."""

EXCERPT_CHARS_MAX: Final = 70
"""How much of a line is shown around the place of a syntax error."""


class FeelSyntaxError(ValueError):
    """The text is not a FEEL expression. The message is complete by itself; `line` and `column`
    count from 1. `excerpt` is the line, or the part of it around the place, with a caret below;
    `hint` says how FEEL writes what was probably meant, or is empty.
    """

    def __init__(self, text: str, offset: int, expected: str) -> None:
        """`offset` is the index into `text` of what was found instead of `expected`."""
        self.line = text.count("\n", 0, offset) + 1
        self.column = offset - (text.rfind("\n", 0, offset) + 1) + 1
        self.expected = expected
        self.excerpt = _excerpt(text, offset)
        self.found = _found(text, offset)
        self.hint = _hint(text, offset)
        super().__init__(
            f"failed to parse expression '{quote(text)}': expected {expected} "
            f"at line {self.line}, column {self.column}, but found {self.found}"
            + (f" ({self.hint})" if self.hint else "")
        )


def _found(text: str, offset: int) -> str:
    rest = text[offset : offset + FOUND_CHARS_MAX + 1].split("\n", 1)[0].rstrip("\r")
    return f"'{rest[:FOUND_CHARS_MAX]}'" if rest.strip() else "the end"


_HINTS: Final = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (r"(?<==)=", "two values are compared with one '='"),
        (r"=", "the '=' that marks an expression in a model is not part of it"),
        (r"&", "conditions are joined by 'and'"),
        (r"\|", "conditions are joined by 'or'"),
        (r"!", "the opposite is not(…)"),
        (r"(?<=\bnot )\S", "the opposite is not(…)"),
        (r"%", "what is left of a division is modulo(…, …)"),
        (r"'", "texts stand in double quotes"),
        (r"\?", "a choice is: if … then … else …"),
        (r"@", 'dates and times stand in quotes: @"2026-01-31"'),
        (r"(?<=[0-9]),[0-9]", "decimals have a point"),
        (r"(?<=[0-9])\.\.", "a range stands in brackets: [1..5]"),
        (r"#\{|(?<=\$)\{", "an expression stands without #{ or ${"),
    )
)
"""How FEEL writes what other languages write otherwise, by what stands at the place of an error."""


def _hint(text: str, offset: int) -> str:
    if text[offset : offset + 1] == "=" and text[:offset].strip() and text[offset - 1] != "=":
        return ""
    return next((hint for pattern, hint in _HINTS if pattern.match(text, offset)), "")


def _excerpt(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : len(text) if end < 0 else end].rstrip("\r")
    at = offset - start
    cut = max(at - EXCERPT_CHARS_MAX // 2, 0)
    before = "…" if cut else ""
    shown = f"{before}{line[cut : cut + EXCERPT_CHARS_MAX]}"
    after = "…" if len(line) > cut + EXCERPT_CHARS_MAX else ""
    # Tabs stay tabs, so that the caret stands below its place wherever tabs end.
    blanks = "".join("\t" if char == "\t" else " " for char in f"{before}{line[cut:at]}")
    return f"{shown}{after}\n{blanks}^"


class FeelFormatError(ValueError):
    """A text that should be JSON, a duration or a date-time is not, or a value is too large to
    write.
    """


class EvaluationStopped(Exception):
    """Ends an evaluation without a value: a budget is used up, or `assert` failed. Never leaves
    the room.
    """

    def __init__(self, reason: str, *, is_assertion: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_assertion = is_assertion


class EvaluationFailed(Exception):
    """An expression of a `Session` has no value: a budget is used up, or `assert` failed. The
    message is complete by itself.
    """


def quote(text: str, chars_max: int = 200) -> str:
    """The text as a message shows it: cut at `chars_max`, so that a message never outgrows what it
    tells about.
    """
    return text if len(text) <= chars_max else f"{text[:chars_max]}…"
