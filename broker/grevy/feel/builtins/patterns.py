"""Regular expressions of FEEL (Java's) on Python's `re`, with a guard: patterns are written by
others.

`re` backtracks, so a pattern can take exponential time. There is no linear-time matcher in the
standard library; this module estimates instead how often a pattern can go back, and refuses what
could take too long: an ambiguous repetition inside a repetition at once, everything else by the
length of the text (`limits.FEEL_REGEX_WORK_MAX`). A repetition is unambiguous when what follows it
cannot match what it repeats, as in `[a-z]+-[0-9]+`; then it never goes back. The guard is
conservative: it refuses some patterns that would have been fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from grevy.feel.builtins.library import CallFailed
from grevy.feel.errors import quote
from grevy.feel.scope import Run
from grevy.protocol import limits

_FLAGS: Final = {"s": re.DOTALL, "m": re.MULTILINE, "i": re.IGNORECASE}
_QUANTIFIER: Final = re.compile(r"(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})[?+]?")
_GROUP: Final = re.compile(r"\((?:\?(?:[:=!>]|<[=!]|<([A-Za-z]\w*)>))?")
_ESCAPE: Final = re.compile(r"\\(?:([pP])\{ ?(?:Is)?(\w+)\}|x\w\w|u\w{4}|.)", re.DOTALL)
_CLASSES: Final = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "Blank": r" \t",
    "XDigit": "0-9a-fA-F",
    "ASCII": "\\x00-\\x7f",
    "BasicLatin": "\\x00-\\x7f",
}
_WORK_PER_STEP: Final = 1_000
"""How much estimated work costs one step.

Most texts are far from the worst case, so it is cheap.
"""
_ZERO_WIDTH: Final = frozenset("AbBzZ")
_SAMPLE: Final = [chr(code) for code in range(128)] + ["é", "\u0130", "\u212a", "横"]
"""Characters that stand for all others when two atoms are compared."""
_EVERYTHING: Final = frozenset(_SAMPLE)


class _Refused(Exception):
    """The pattern is not valid, not supported, or too risky; the text says which."""


@dataclass(slots=True)
class _Item:
    """A part of a sequence: what characters it can begin with, and how often it may be repeated."""

    first: frozenset[str]
    least: int = 1
    is_variable: bool = False
    is_repeated: bool = False


@dataclass(slots=True)
class _Group:
    """A group while it is read: its finished branches, and the one that is being read."""

    branches: list[list[_Item]] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    has_ambiguity: bool = False
    is_look_around: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern, with the measure of how often it can go back over a text."""

    source: str
    regex: re.Pattern[str]
    exponent: int
    choices: int

    def over(self, run: Run, text: str) -> re.Pattern[str]:
        """The regex, for use on that text; raises `CallFailed` if that could take too long."""
        work = self.choices * (len(text) + 1) ** self.exponent
        if work > limits.FEEL_REGEX_WORK_MAX:
            raise CallFailed(
                f"the pattern '{quote(self.source)}' could take too long "
                f"on a text of {len(text)} characters"
            )
        run.charge(work // _WORK_PER_STEP)
        return self.regex


def compile_pattern(pattern: str, flags: str, what: str = "pattern") -> Pattern:
    """Compiles a pattern; raises `CallFailed` for one that is invalid or refused. Unknown flags
    are ignored.
    """
    try:
        return _compile(pattern, "".join(sorted(set(flags) & {*_FLAGS, "x"})))
    except _Refused as refused:
        raise CallFailed(f"Invalid {what} '{quote(pattern)}'{refused}") from None


@lru_cache(maxsize=500)
def _compile(pattern: str, flags: str) -> Pattern:
    if len(pattern) > limits.FEEL_REGEX_CHARS_MAX:
        raise _Refused(f": it has more than {limits.FEEL_REGEX_CHARS_MAX} characters")
    plain = re.sub(r"\s+|#[^\n]*", "", pattern) if "x" in flags else pattern
    options = re.ASCII
    for flag in flags:
        options |= _FLAGS.get(flag, re.ASCII)
    reader = _Reader(plain, is_case_ignored="i" in flags)
    translated = reader.read()
    try:
        regex = re.compile(translated, options)
    except (re.error, OverflowError, RecursionError):
        raise _Refused from None
    # A match is tried at each character, may go over the whole text, and over it again for each
    # length that an ambiguous repetition can have.
    is_anchored = plain.startswith("^") and "|" not in plain and "m" not in flags
    exponent = int(not is_anchored) + int(reader.scans) + reader.repeats
    return Pattern(pattern, regex, max(exponent, 1), reader.choices)


class _Reader:
    """Reads a pattern once: translates it, and counts what can make it go back."""

    def __init__(self, pattern: str, *, is_case_ignored: bool) -> None:
        self.pattern = pattern
        self.is_case_ignored = is_case_ignored
        self.index = 0
        self.repeats = 0
        """Repetitions that may have to be tried with each of their lengths."""
        self.choices = 1
        """Combinations of options and alternatives that may have to be tried."""
        self.scans = False
        """Whether a match can be as long as the text."""
        self.groups = [_Group()]

    def read(self) -> str:
        """The pattern as `re` writes it."""
        out: list[str] = []
        while self.index < len(self.pattern):
            character = self.pattern[self.index]
            if character == "(":
                out.append(self._open())
            elif character == ")":
                out.append(self._close())
            elif character == "|":
                self.index += 1
                self._end_branch(self.groups[-1], is_last=len(self.groups) == 1)
                out.append("|")
            else:
                out.append(self._atom(character))
        if len(self.groups) != 1:
            raise _Refused
        self._end_branch(self.groups[0], is_last=True)
        self.choices *= len(self.groups[0].branches)
        return "".join(out)

    def _open(self) -> str:
        match = _GROUP.match(self.pattern, self.index)
        assert match is not None, "there is a bracket here"
        self.index = match.end()
        is_look_around = match[0][2:3] in ("=", "!", "<") and match[1] is None
        self.groups.append(_Group(is_look_around=is_look_around))
        if self.pattern.startswith("?", self.index):
            raise _Refused(": this kind of group is not supported")
        return f"(?P<{match[1]}>" if match[1] else match[0]

    def _close(self) -> str:
        group = self.groups.pop()
        if not self.groups:
            raise _Refused
        self.index += 1
        self._end_branch(group, is_last=False)
        self.choices *= len(group.branches)
        quantifier, item = self._quantified(_Item(_firsts(group)))
        if item.is_repeated and (group.has_ambiguity or not _are_distinct(group)):
            raise _Refused(": it repeats what can be read in several ways")
        self.groups[-1].items.append(item)
        self.groups[-1].has_ambiguity |= group.has_ambiguity
        return f"){quantifier}"

    def _end_branch(self, group: _Group, *, is_last: bool) -> None:
        """Counts the repetitions of a branch that what follows them does not end."""
        items = group.items
        followers: list[_Item | None] = [*items[1:], None]
        for item, following in zip(items, followers, strict=False):
            if not item.is_variable or (following is None and is_last):
                continue
            if following is not None and following.least and not item.first & following.first:
                continue
            group.has_ambiguity = True
            if item.is_repeated:
                self.repeats += 1
            else:
                self.choices *= 2
        group.branches.append(items)
        group.items = []

    def _atom(self, character: str) -> str:
        if character == "[":
            source = self._class()
        elif character == "\\":
            source = self._escape()
        elif character in "*+?{":
            raise _Refused
        else:
            self.index += 1
            source = character
        is_zero_width = source in "^$" or (source[0] == "\\" and source[1] in _ZERO_WIDTH)
        is_reference = source[0] == "\\" and source[1].isdigit()
        if is_zero_width:
            return source
        first = _EVERYTHING if is_reference else _matched(source, self.is_case_ignored)
        quantifier, item = self._quantified(_Item(first))
        self.groups[-1].items.append(item)
        return source + quantifier

    def _quantified(self, item: _Item) -> tuple[str, _Item]:
        match = _QUANTIFIER.match(self.pattern, self.index)
        if match is None:
            return "", item
        self.index = match.end()
        if match[1]:
            item.least, item.is_variable = int(match[1] == "+"), True
            item.is_repeated = match[1] != "?"
        else:
            item.least = int(match[2])
            item.is_variable = bool(match[3]) and match[4] != match[2]
            item.is_repeated = item.is_variable or item.least > 1
        self.scans |= item.is_repeated
        return match[0], item

    def _escape(self) -> str:
        match = _ESCAPE.match(self.pattern, self.index)
        if match is None:
            raise _Refused
        self.index = match.end()
        if match[0] == r"\z":
            return r"\Z"
        if match[1] is None:
            return match[0]
        return f"[{'^' if match[1] == 'P' else ''}{_class_of(match[2])}]"

    def _class(self) -> str:
        """A bracketed class; Java's classes inside classes, unions and intersections are not
        supported.
        """
        out = ["["]
        self.index += 1
        if self.pattern.startswith("^", self.index):
            out.append("^")
            self.index += 1
        start = self.index
        can_begin, is_end = False, False  # of a range
        while not self.pattern.startswith("]", self.index) or self.index == start:
            if self.index >= len(self.pattern) or self.pattern[self.index] == "[":
                raise _Refused
            if self.pattern.startswith("&&", self.index):
                raise _Refused(": intersections are not supported")
            part, is_character = self._class_part()
            if part == "-" and can_begin and not self.pattern.startswith("]", self.index):
                can_begin, is_end = False, True
            else:
                # Python reads a doubled one as a set operator that is still to come, and says so.
                part = f"\\{part}" if part in ("-", "&", "~", "|") else part
                can_begin, is_end = is_character and not is_end, False
            out.append(part)
        self.index += 1
        return "".join([*out, "]"])

    def _class_part(self) -> tuple[str, bool]:
        """The next part of a bracketed class, and whether it is a single character."""
        if self.pattern[self.index] != "\\":
            self.index += 1
            return self.pattern[self.index - 1], True
        match = _ESCAPE.match(self.pattern, self.index)
        if match is None or match[1] == "P" or match[0][1:].isdigit():
            raise _Refused
        self.index = match.end()
        if match[1]:
            return _class_of(match[2]), False
        return match[0], match[0][1] not in "dDsSwW"


def _class_of(name: str) -> str:
    if name not in _CLASSES:
        raise _Refused(f": the class {name} is not supported")
    return _CLASSES[name]


@lru_cache(maxsize=2_000)
def _matched(source: str, is_case_ignored: bool) -> frozenset[str]:
    if not source.isascii() or "\\u" in source or "\\x" in source:
        return _EVERYTHING  # the sample says too little about these
    options = re.ASCII | re.DOTALL | (re.IGNORECASE if is_case_ignored else re.ASCII)
    try:
        regex = re.compile(source, options)
    except re.error:
        raise _Refused from None
    return frozenset(filter(regex.fullmatch, _SAMPLE)) or _EVERYTHING


def _firsts(group: _Group) -> frozenset[str]:
    """What a group can begin with; everything, unless each branch begins with something that has
    to be there.
    """
    if group.is_look_around or not all(branch and branch[0].least for branch in group.branches):
        return _EVERYTHING
    return frozenset[str]().union(*(branch[0].first for branch in group.branches))


def _are_distinct(group: _Group) -> bool:
    """Whether the first character already tells the branches apart."""
    if len(group.branches) == 1:
        return True
    seen: set[str] = set()
    for branch in group.branches:
        if not branch or not branch[0].least or seen & branch[0].first:
            return False
        seen |= branch[0].first
    return True


def replacer(pattern: Pattern, replacement: str) -> Callable[[re.Match[str]], str]:
    """What puts a Java replacement (`$1`, `${name}`, `\\$`) in the place of a match; raises
    `CallFailed`.
    """
    parts: list[str | int] = []
    for match in re.finditer(r"\\(.)|\$(\d)|\$\{(\w+)\}|([^\\$]+)|.", replacement, re.DOTALL):
        if match[1] or match[4]:
            parts.append(match[1] or match[4])
            continue
        group = int(match[2]) if match[2] else pattern.regex.groupindex.get(match[3] or "", -1)
        if not 0 <= group <= pattern.regex.groups:
            raise CallFailed(f"Invalid pattern '{quote(pattern.source)}'")
        parts.append(group)

    def expand(match: re.Match[str]) -> str:
        return "".join(part if isinstance(part, str) else match[part] or "" for part in parts)

    return expand
