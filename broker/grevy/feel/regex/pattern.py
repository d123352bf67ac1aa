"""Compiled patterns, and finding them in texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from grevy.feel.budget import Budget
from grevy.feel.regex.emitter import compiled
from grevy.feel.regex.guard import Effort, effort
from grevy.feel.regex.machine import Machine, Spans, Unfit
from grevy.feel.regex.reader import read
from grevy.feel.regex.tree import Chars, Greed, Node, PatternRefused, Repeat, Sequence, Tree
from grevy.protocol import limits

WORK_PER_STEP = 1_000
"""How much estimated work of `re` costs one step. Most texts are far from the worst case, so it is
cheap.
"""


class Found(NamedTuple):
    """A match in a text; `spans` as in `machine`."""

    text: str
    spans: Spans

    @property
    def start(self) -> int:
        """Where it begins."""
        return self.spans[0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.spans[1]

    def group(self, number: int) -> str:
        """What a group matched, 0 is all; empty for a group that matched nothing."""
        start, end = self.spans[2 * number : 2 * number + 2]
        return self.text[start:end] if start >= 0 else ""


class Pattern:
    """A pattern, ready to be looked for."""

    def __init__(self, tree: Tree) -> None:
        """Raises `PatternRefused` when nothing here can match it."""
        self.groups = tree.groups
        self.names = tree.names
        self._tree = tree
        self._regex: re.Pattern[str] | None = compiled(tree)
        self._effort: Effort | None = effort(tree)
        self._machine: Machine | None = None
        self._is_unfit = False
        core = _core_of(tree)
        self._core: Pattern | None = None if core is None else Pattern(core)
        if (self._regex is None or self._effort is None) and self._fallback() is None:
            is_known = self._regex is not None
            raise PatternRefused(
                ": it could take too long" if is_known else ": it is not supported"
            )

    def _fallback(self) -> Machine | None:
        if self._machine is None and not self._is_unfit:
            try:
                self._machine = Machine(self._tree)
            except Unfit:
                self._is_unfit = True
        return self._machine

    def is_in(self, text: str, budget: Budget) -> bool:
        """Whether there is a match; raises `PatternRefused` if looking for it could take too
        long.
        """
        if self._core is not None:
            return self._core.is_in(text, budget)
        return next(self.find_all(text, budget), None) is not None

    def find_all(self, text: str, budget: Budget) -> Iterator[Found]:
        """All matches, none within another; raises as `is_in` does."""
        regex = self._within_bounds(text, budget)
        if regex is not None:
            for match in regex.finditer(text):
                spans = (match.span(number) for number in range(self.groups + 1))
                yield Found(text, tuple(at for span in spans for at in span))
            return
        machine = self._fallback()
        if machine is None:
            raise PatternRefused(f": it could take too long on a text of {len(text)} characters")
        yield from _find_all(machine, text, budget)

    def _within_bounds(self, text: str, budget: Budget) -> re.Pattern[str] | None:
        """Python's pattern, if its worst case is good enough for that text."""
        if self._regex is None or self._effort is None:
            return None
        work: int = self._effort.choices * (len(text) + 1) ** self._effort.exponent
        if work > limits.FEEL_REGEX_WORK_MAX:
            return None
        budget.charge(work // WORK_PER_STEP)
        return self._regex


def _core_of(tree: Tree) -> Tree | None:
    """The pattern without the `.*` at its ends, which never decide whether there is a match; None
    if it has no such ends.
    """
    root = tree.root
    if not isinstance(root, Sequence):
        return None
    items = root.items
    start, end = 0, len(items)
    while start < end and _is_skippable(items[start]):
        start += 1
    while end > start and _is_skippable(items[end - 1]):
        end -= 1
    if end - start == len(items):
        return None
    return Tree(Sequence(items[start:end]), tree.groups, tree.names)


def _is_skippable(node: Node) -> bool:
    is_free = isinstance(node, Repeat) and node.least == 0 and isinstance(node.item, Chars)
    return is_free and isinstance(node, Repeat) and node.greed is not Greed.POSSESSIVE


def _find_all(machine: Machine, text: str, budget: Budget) -> Iterator[Found]:
    start = 0
    while start <= len(text):
        spans = machine.search(text, start, budget)
        if spans is None:
            return
        yield Found(text, spans)
        start = spans[1] + (spans[0] == spans[1])


def compile_pattern(pattern: str, flags: str) -> Pattern:
    """The pattern with these flags, out of `s`, `m`, `i`, `x`; raises `PatternRefused`."""
    found = _compile(pattern, flags)
    if isinstance(found, str):
        raise PatternRefused(found)
    return found


@lru_cache(maxsize=500)
def _compile(pattern: str, flags: str) -> Pattern | str:
    """Also remembers why a pattern is refused: that takes as long to find out."""
    if len(pattern) > limits.FEEL_REGEX_CHARS_MAX:
        return f": it has more than {limits.FEEL_REGEX_CHARS_MAX} characters"
    try:
        return Pattern(read(pattern, flags))
    except PatternRefused as refused:
        return str(refused)
