"""Trees into the patterns of Python's `re`. Flags are in the tree already, so none are used."""

from __future__ import annotations

import re
from typing import Final

from grevy.feel.regex import charsets
from grevy.feel.regex.charsets import CharSet
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
    PatternRefused,
    Repeat,
    Sequence,
    Tree,
)

RANGES_MAX: Final = 12_000
"""Of all classes of a pattern. `re` takes some milliseconds to compile the 650 ranges of a class of
all letters.
"""
_LINE_END: Final = r"[\n\r\x85\u2028\u2029]"
_ANCHORS: Final = {
    Anchor.START: r"\A",
    Anchor.TEXT_END: r"\Z",
    Anchor.END: rf"(?=(?:\r\n|{_LINE_END})?\Z)",
    Anchor.LINE_START: rf"(?!\Z)(?:\A|(?<={_LINE_END}))(?<!\r(?=\n))",
    Anchor.LINE_END: rf"(?={_LINE_END}|\Z)(?<!\r(?=\n))",
    Anchor.WORD_EDGE: r"(?a:\b)",
    Anchor.NO_WORD_EDGE: r"(?a:\B)",
}
_GREED: Final = {Greed.GREEDY: "", Greed.LAZY: "?", Greed.POSSESSIVE: "+"}


def compiled(tree: Tree) -> re.Pattern[str] | None:
    """The pattern for `re`; None where `re` knows nothing like it. Groups keep their numbers."""
    emitter = _Emitter()
    try:
        return re.compile(emitter.text(tree.root))
    except (re.error, OverflowError, RecursionError):
        return None


class _Emitter:
    def __init__(self) -> None:
        self.ranges = 0

    def text(self, node: Node) -> str:
        if isinstance(node, Chars):
            return self.chars(node.chars)
        if isinstance(node, At):
            return _ANCHORS[node.anchor]
        if isinstance(node, Sequence):
            return "".join(map(self.text, node.items))
        if isinstance(node, Choice):
            return f"(?:{'|'.join(map(self.text, node.branches))})"
        if isinstance(node, Repeat):
            most = "" if node.most is None else node.most
            return f"(?:{self.text(node.item)}){{{node.least},{most}}}{_GREED[node.greed]}"
        if isinstance(node, Group):
            return f"({self.text(node.item)})"
        if isinstance(node, Atomic):
            return f"(?>{self.text(node.item)})"
        if isinstance(node, Look):
            sign = ("" if node.is_ahead else "<") + ("!" if node.is_negated else "=")
            return f"(?{sign}{self.text(node.item)})"
        assert isinstance(node, Back)
        # In a group, so that a digit after it is none of its own.
        return f"(?{'i' if node.is_case_ignored else ''}:\\{node.number})"

    def chars(self, chars: CharSet) -> str:
        if len(chars) == 1 and chars[0][0] == chars[0][1]:
            return re.escape(chr(chars[0][0]))
        is_negated = bool(chars) and chars[-1][1] == charsets.LAST
        if is_negated:
            chars = charsets.complement(chars)
        self.ranges += len(chars)
        if self.ranges > RANGES_MAX:
            raise PatternRefused(": it has too many classes of characters")
        if not chars:
            return r"[\s\S]" if is_negated else r"(?!)"
        inside = "".join(f"{_escaped(low)}-{_escaped(high)}" for low, high in chars)
        return f"[{'^' if is_negated else ''}{inside}]"


def _escaped(code: int) -> str:
    return f"\\U{code:08x}"
