"""What the built-ins on strings need of regular expressions: patterns with FEEL's flags, and
replacements.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from grevy.feel import regex
from grevy.feel.builtins.library import CallFailed
from grevy.feel.errors import quote
from grevy.feel.regex import Found, Pattern

_FLAGS: Final = frozenset("smix")


@contextmanager
def patterns(pattern: str, flags: str = "", what: str = "pattern") -> Iterator[Pattern]:
    """The compiled pattern, to be used inside; what is refused, there too, is a `CallFailed`.
    Unknown flags are ignored.
    """
    try:
        yield regex.compile_pattern(pattern, "".join(sorted(set(flags) & _FLAGS)))
    except regex.PatternRefused as refused:
        raise CallFailed(f"Invalid {what} '{quote(pattern)}'{refused}") from None


def replacer(pattern: Pattern, replacement: str) -> Callable[[Found], str]:
    """What puts a Java replacement (`$1`, `${name}`, `\\$`) in the place of a match; raises
    `PatternRefused`.
    """
    parts: list[str | int] = []
    for match in re.finditer(r"\\(.)|\$(\d+)|\$\{(\w+)\}|([^\\$]+)|.", replacement, re.DOTALL):
        if match[1] or match[4]:
            parts.append(match[1] or match[4])
        elif match[2]:
            parts += _group(pattern, match[2])
        elif match[3] in pattern.names:
            parts.append(pattern.names[match[3]])
        else:
            raise regex.PatternRefused

    def expand(found: Found) -> str:
        return "".join(part if isinstance(part, str) else found.group(part) for part in parts)

    return expand


def _group(pattern: Pattern, digits: str) -> Iterator[str | int]:
    """A group's number: the first digit, and more as long as there are so many groups."""
    count = 1
    while count < len(digits) and int(digits[: count + 1]) <= pattern.groups:
        count += 1
    if int(digits[:count]) > pattern.groups:
        raise regex.PatternRefused
    yield int(digits[:count])
    yield digits[count:]
