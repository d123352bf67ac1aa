"""What a pattern means: a tree in which flags, classes and escapes are resolved already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from grevy.feel.regex.charsets import CharSet


class PatternRefused(Exception):
    """The pattern is not valid, not supported, or too risky. The text says which; it is empty for
    one that is not valid.
    """


class Anchor(Enum):
    """A test of a place between characters."""

    START = auto()
    END = auto()
    LINE_START = auto()
    LINE_END = auto()
    TEXT_END = auto()
    WORD_EDGE = auto()
    NO_WORD_EDGE = auto()


class Greed(Enum):
    """Which number of repetitions is tried first; a possessive one is never tried again."""

    GREEDY = auto()
    LAZY = auto()
    POSSESSIVE = auto()


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set."""

    chars: CharSet


@dataclass(frozen=True, slots=True)
class At:
    """No character, but a place."""

    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first of the branches with which the rest matches, too."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Something `least` to `most` times; None is without end."""

    item: Node
    least: int
    most: int | None
    greed: Greed


@dataclass(frozen=True, slots=True)
class Group:
    """A group whose match is remembered under its number (from 1), and its name if it has one."""

    item: Node
    number: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Atomic:
    """A group that is never gone back into."""

    item: Node


@dataclass(frozen=True, slots=True)
class Look:
    """A test of what follows, or of what was before."""

    item: Node
    is_ahead: bool
    is_negated: bool


@dataclass(frozen=True, slots=True)
class Back:
    """What the group of that number matched, once more."""

    number: int
    is_case_ignored: bool


Node: TypeAlias = Chars | At | Sequence | Choice | Repeat | Group | Atomic | Look | Back


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole pattern: its root, the number of its groups, and the numbers of those with names."""

    root: Node
    groups: int
    names: dict[str, int]
