"""How long a backtracking matcher can take over a pattern, from the pattern alone.

A repetition is unambiguous when what can follow it begins with other characters than it repeats, as
in `[a-z]+-[0-9]+`: then going back into it never helps. An ambiguous one may be tried with each of
its lengths, and inside of a repetition that is exponential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grevy.feel.regex import charsets
from grevy.feel.regex.charsets import EVERYTHING, CharSet
from grevy.feel.regex.tree import (
    Anchor,
    At,
    Atomic,
    Back,
    Chars,
    Choice,
    Greed,
    Group,
    Look,
    Node,
    Repeat,
    Sequence,
    Tree,
)

NOTHING: Final[CharSet] = ()
CHOICES_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Effort:
    """At the worst it is `choices` times the length of the text to the power of `exponent`."""

    exponent: int
    choices: int


class _Exponential(Exception):
    """There is no such bound."""


def effort(tree: Tree) -> Effort | None:
    """The bound for a search over a text; None where there is none."""
    guard = _Guard()
    try:
        lengths = guard.visit(tree.root, NOTHING, is_last=True, is_repeated=False)
    except _Exponential:
        return None
    lengths += guard.looks
    is_anchored = _is_anchored(tree.root)
    exponent = lengths + guard.scans + (not is_anchored)
    return Effort(max(exponent, 1), min(guard.choices, CHOICES_MAX))


def _is_anchored(node: Node) -> bool:
    """Whether it can match at the very start of a text only."""
    if isinstance(node, Sequence):
        return bool(node.items) and _is_anchored(node.items[0])
    if isinstance(node, Choice):
        return all(map(_is_anchored, node.branches))
    return isinstance(node, At) and node.anchor is Anchor.START


class _Guard:
    """Walks over a tree and counts."""

    def __init__(self) -> None:
        self.choices = 1
        """Combinations of branches and of small numbers of repetitions."""
        self.looks = 0
        """Ambiguous repetitions of the worst look-around."""
        self.scans = False
        """Whether something unambiguous can run on over the whole text, perhaps in vain."""
        self.loops = 0

    def visit(self, node: Node, follow: CharSet, *, is_last: bool, is_repeated: bool) -> int:
        """How many ambiguous repetitions there are one after the other. `follow` is what can come
        after the node; after the last one a match is complete.
        """
        if isinstance(node, Sequence):
            return self.sequence(node, follow, is_last=is_last, is_repeated=is_repeated)
        if isinstance(node, Choice):
            return self.choice(node, follow, is_last=is_last, is_repeated=is_repeated)
        if isinstance(node, Repeat):
            return self.repeat(node, follow, is_last=is_last, is_repeated=is_repeated)
        if isinstance(node, Group):
            return self.visit(node.item, follow, is_last=is_last, is_repeated=is_repeated)
        if isinstance(node, Look | Atomic):
            loops = self.loops
            inner = self.visit(node.item, NOTHING, is_last=True, is_repeated=False)
            self.looks = max(self.looks, inner)
            self.scans |= self.loops > loops
            if is_repeated and self.loops > loops:
                raise _Exponential
        return 0

    def sequence(self, node: Sequence, follow: CharSet, *, is_last: bool, is_repeated: bool) -> int:
        total = 0
        for item in reversed(node.items):
            total += self.visit(item, follow, is_last=is_last, is_repeated=is_repeated)
            is_last = False
            if not isinstance(item, At):
                first = first_of(item)
                follow = charsets.union(first, follow) if is_nullable(item) else first
        return total

    def choice(self, node: Choice, follow: CharSet, *, is_last: bool, is_repeated: bool) -> int:
        seen = NOTHING
        is_distinct = True
        for branch in node.branches:
            first = first_of(branch)
            is_distinct &= not is_nullable(branch) and not charsets.intersection(seen, first)
            seen = charsets.union(seen, first)
        if not is_distinct:
            if is_repeated:
                raise _Exponential
            self.choices *= len(node.branches)
        return max(
            self.visit(branch, follow, is_last=is_last, is_repeated=is_repeated)
            for branch in node.branches
        )

    def repeat(self, node: Repeat, follow: CharSet, *, is_last: bool, is_repeated: bool) -> int:
        is_loop = node.most is None or node.most > 1
        self.loops += is_loop
        first = first_of(node.item)
        inner = self.visit(
            node.item,
            charsets.union(first, follow) if is_loop else follow,
            is_last=False,
            is_repeated=is_repeated or is_loop,
        )
        if is_loop and (inner or is_nullable(node.item)):
            raise _Exponential
        is_free = node.greed is Greed.POSSESSIVE or node.least == node.most
        is_certain = is_last or not charsets.intersection(first, follow)
        if is_free or is_certain:
            self.scans |= is_loop and not is_last
            return inner
        if is_repeated:
            raise _Exponential
        if node.most is None:
            return inner + 1
        self.choices *= node.most - node.least + 1
        return inner


def first_of(node: Node) -> CharSet:
    """What it can begin with."""
    if isinstance(node, Chars):
        return node.chars
    if isinstance(node, Sequence):
        found = NOTHING
        for item in node.items:
            found = charsets.union(found, first_of(item))
            if not is_nullable(item):
                break
        return found
    if isinstance(node, Choice):
        return charsets.union(*map(first_of, node.branches))
    if isinstance(node, Repeat | Group | Atomic):
        return first_of(node.item)
    return EVERYTHING if isinstance(node, Back) else NOTHING


def is_nullable(node: Node) -> bool:
    """Whether it can match no character at all."""
    if isinstance(node, Sequence):
        return all(map(is_nullable, node.items))
    if isinstance(node, Choice):
        return any(map(is_nullable, node.branches))
    if isinstance(node, Repeat):
        return node.least == 0 or is_nullable(node.item)
    if isinstance(node, Group | Atomic):
        return is_nullable(node.item)
    return not isinstance(node, Chars)
