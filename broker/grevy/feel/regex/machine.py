"""A matcher that never goes back: it follows all ways through a pattern at once, character by
character, so its time is the length of the text times that of the pattern. Slow in the usual case,
it is for patterns that could take `re` for ever.

Ways are kept in the order in which a backtracking matcher would try them, so it finds the same
match with the same groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from grevy.feel.budget import Budget
from grevy.feel.regex import charsets
from grevy.feel.regex.charsets import CharSet
from grevy.feel.regex.tree import (
    Anchor,
    At,
    Chars,
    Choice,
    Greed,
    Group,
    Node,
    Repeat,
    Sequence,
    Tree,
)

INSTRUCTIONS_MAX: Final = 2_000
STEPS_PER_CHAR: Final = 8
STEPS_PER_INSTRUCTION: Final = 4
"""What a character of the text costs of the budget, and each instruction that is followed there:
both are some microseconds.
"""

Spans: TypeAlias = tuple[int, ...]
"""Start and end of the match, then of each group; -1 where a group has none."""


@dataclass(slots=True)
class Take:
    """Goes on with one character of a set."""

    chars: CharSet


@dataclass(slots=True)
class Split:
    """Goes on in several places; the first is preferred."""

    targets: list[int]


@dataclass(slots=True)
class Save:
    """Notes where it is."""

    slot: int


@dataclass(slots=True)
class Test:
    """Goes on where the place is right."""

    anchor: Anchor


class Match:
    """All of the pattern was found."""


Instruction: TypeAlias = Take | Split | Save | Test | Match


class _Way(NamedTuple):
    at: int
    spans: Spans


class Machine:
    """A compiled pattern."""

    def __init__(self, tree: Tree) -> None:
        """Raises `Unfit` for a pattern that it cannot follow."""
        self.program: list[Instruction] = []
        self.slots = 2 * (tree.groups + 1)
        self._emit(Group(tree.root, 0, None))
        self._append(Match())

    def _append(self, instruction: Instruction) -> None:
        if len(self.program) >= INSTRUCTIONS_MAX:
            raise Unfit
        self.program.append(instruction)

    def _emit(self, node: Node) -> None:
        if isinstance(node, Chars):
            self._append(Take(node.chars))
        elif isinstance(node, At):
            self._append(Test(node.anchor))
        elif isinstance(node, Sequence):
            for item in node.items:
                self._emit(item)
        elif isinstance(node, Choice):
            self._emit_choice(node)
        elif isinstance(node, Group):
            self._append(Save(2 * node.number))
            self._emit(node.item)
            self._append(Save(2 * node.number + 1))
        elif isinstance(node, Repeat) and node.greed is not Greed.POSSESSIVE:
            self._emit_repeat(node)
        else:
            raise Unfit

    def _emit_choice(self, node: Choice) -> None:
        split = Split([])
        ends: list[Split] = []
        self._append(split)
        for branch in node.branches:
            split.targets.append(len(self.program))
            self._emit(branch)
            ends.append(Split([]))
            self._append(ends[-1])
        for end in ends:
            end.targets.append(len(self.program))

    def _emit_repeat(self, node: Repeat) -> None:
        for _ in range(node.least):
            self._emit(node.item)
        is_lazy = node.greed is Greed.LAZY
        splits: list[Split] = []
        start = len(self.program)
        for _ in range(1 if node.most is None else node.most - node.least):
            splits.append(Split([]))
            self._append(splits[-1])
            splits[-1].targets.append(len(self.program))
            self._emit(node.item)
        if node.most is None:
            self._append(Split([start]))
        for split in splits:
            split.targets.append(len(self.program))
            if is_lazy:
                split.targets.reverse()

    def search(self, text: str, start: int, budget: Budget) -> Spans | None:
        """The first match from `start` on; charges the budget."""
        ways: list[_Way] = []
        found: Spans | None = None
        seen: set[int] = set()
        for at in range(start, len(text) + 1):
            if found is None:
                self._follow(ways, _Way(0, (-1,) * self.slots), text, at, seen)
            budget.charge(STEPS_PER_CHAR + STEPS_PER_INSTRUCTION * len(seen))
            code = ord(text[at]) if at < len(text) else -1
            moved: list[_Way] = []
            for way in ways:
                instruction = self.program[way.at]
                if isinstance(instruction, Match):
                    found = way.spans
                    break  # what would be tried later does not count any more
                if isinstance(instruction, Take) and charsets.contains(instruction.chars, code):
                    moved.append(way)
            ways, seen = self._advanced(moved, text, at + 1)
            if not ways and found is not None:
                return found
        return found

    def _advanced(self, moved: list[_Way], text: str, at: int) -> tuple[list[_Way], set[int]]:
        ways: list[_Way] = []
        seen: set[int] = set()
        for way in moved:
            self._follow(ways, _Way(way.at + 1, way.spans), text, at, seen)
        return ways, seen

    def _follow(self, ways: list[_Way], first: _Way, text: str, at: int, seen: set[int]) -> None:
        """Adds all places that can be reached without a character; each once, the preferred way."""
        pending = [first]
        while pending:
            way = pending.pop()
            if way.at in seen:
                continue
            seen.add(way.at)
            instruction = self.program[way.at]
            if isinstance(instruction, Split):
                pending += [_Way(target, way.spans) for target in reversed(instruction.targets)]
            elif isinstance(instruction, Save):
                spans = list(way.spans)
                spans[instruction.slot] = at
                pending.append(_Way(way.at + 1, tuple(spans)))
            elif isinstance(instruction, Test):
                if is_at(text, at, instruction.anchor):
                    pending.append(_Way(way.at + 1, way.spans))
            else:
                ways.append(way)


class Unfit(Exception):
    """The pattern has what needs going back: back-references, look-around, possessive ones."""


def is_at(text: str, at: int, anchor: Anchor) -> bool:
    """Whether a place in the text is what an anchor asks for."""
    if anchor in (Anchor.WORD_EDGE, Anchor.NO_WORD_EDGE):
        is_edge = _is_word(text, at - 1) is not _is_word(text, at)
        return is_edge is (anchor is Anchor.WORD_EDGE)
    if anchor is Anchor.START:
        return at == 0
    if anchor is Anchor.TEXT_END or at == len(text):
        return at == len(text) and anchor is not Anchor.LINE_START
    is_inside_pair = text[at] == "\n" and text[at - 1 : at] == "\r"
    if anchor is Anchor.LINE_START:
        return at == 0 or (text[at - 1] in _LINE_ENDS and not is_inside_pair)
    is_end = text[at] in _LINE_ENDS and not is_inside_pair
    if anchor is Anchor.LINE_END:
        return is_end
    return is_end and (at + 1 == len(text) or text[at:] == "\r\n")


_LINE_ENDS: Final = "\n\r\u0085\u2028\u2029"


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and charsets.contains(charsets.WORD, ord(text[at]))
