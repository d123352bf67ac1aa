"""Text into tokens. All of it at once: FEEL's tokens do not depend on the grammar, except for
names with spaces in them.

Those are put together by the parser (function names, context keys) or, for names that a caller
announces, here: the longest announced name that stands at a place wins over the words and
operators it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from grevy.feel.errors import FeelSyntaxError


class Kind(Enum):
    """What a token is. The text of a NAME may be a keyword; its place decides."""

    NAME = auto()
    QUOTED_NAME = auto()
    NUMBER = auto()
    STRING = auto()
    SYMBOL = auto()
    OTHER = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is what was written, except for STRING and QUOTED_NAME: what it means. `offset` to
    `end` is its place.
    """

    kind: Kind
    text: str
    offset: int
    end: int


SPACE: Final = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What separates tokens, as the DMN grammar lists it."""

_SKIPPED: Final = re.compile(rf"(?:[{SPACE}]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TOKEN: Final = re.compile(
    r"""
      (?P<NAME>[^\W\d][\w$]*|\$[\w$]*)
    | (?P<NUMBER>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?)
    | (?P<STRING>"(?:[^"\\]|\\.)*")
    | (?P<QUOTED_NAME>`[^`]+`)
    | (?P<SYMBOL>\.\.|\*\*|<=|>=|!=|->|[-+*/<>=(){}\[\],.:?@])
    | (?P<OTHER>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"""
      \\ (?: ([nrtbf'"\\])
           | [uU] ([dD][89abAB][0-9a-fA-F]{2}) \\[uU] ([dD][c-fC-F][0-9a-fA-F]{2})
           | u ([0-9a-fA-F]{4})
           | U ([0-9a-fA-F]{6}) )
    """,
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def tokenize(text: str, names: Iterable[str] = ()) -> list[Token]:
    """The tokens of `text`, the last one an END. `names` are names with spaces or symbols to be
    taken as one.

    Raises `FeelSyntaxError` for a string, a quoted name or a comment that does not end.
    """
    announced = _pattern_of(names)
    tokens: list[Token] = []
    offset = _skip(text, 0)
    while offset < len(text):
        token = _next(text, offset, announced)
        tokens.append(token)
        offset = _skip(text, token.end)
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def _skip(text: str, offset: int) -> int:
    match = _SKIPPED.match(text, offset)
    assert match is not None, "the pattern matches nothing, too"
    if text.startswith("/*", match.end()):
        raise FeelSyntaxError(text, match.end(), "'*/' after this comment")
    return match.end()


def _next(text: str, offset: int, announced: re.Pattern[str] | None) -> Token:
    if announced is not None:
        match = announced.match(text, offset)
        if match is not None:
            return Token(Kind.QUOTED_NAME, match[0], offset, match.end())
    match = _TOKEN.match(text, offset)
    assert match is not None, "OTHER matches every character"
    assert match.lastgroup is not None
    kind, written = Kind[match.lastgroup], match[0]
    if kind is Kind.OTHER and written in '"`':
        raise FeelSyntaxError(text, offset, f"a closing {written} for this one")
    if kind is Kind.STRING:
        written = _ESCAPE.sub(_unescape, written[1:-1])
    elif kind is Kind.QUOTED_NAME:
        written = written[1:-1]
    return Token(kind, written, offset, match.end())


def _unescape(match: re.Match[str]) -> str:
    """What an escape sequence stands for; what stands for no character stays as it is written."""
    if match[1] is not None:
        return _ESCAPES.get(match[1], match[1])
    if match[2] is not None:
        code = 0x10000 + ((int(match[2], 16) & 0x3FF) << 10) + (int(match[3], 16) & 0x3FF)
        return chr(code)
    code = int(match[4] or match[5], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else match[0]


def _pattern_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern of the names that are not one word, the longest first."""
    odd = {name for name in names if re.fullmatch(r"[^\W\d]\w*", name) is None}
    if not odd:
        return None
    ordered = sorted(odd, key=lambda name: (-len(name), name))
    return re.compile(f"(?:{'|'.join(map(re.escape, ordered))})(?![\\w$])")
