"""Java's patterns into trees. Where Java has an error there is `PatternRefused`, and also for what
is rarely used: `\\G`, `\\X`, the flags `u` and `U`.
"""

from __future__ import annotations

import unicodedata
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

REPETITIONS_MAX: Final = 1_000
NESTING_MAX: Final = 50
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_CLASSES: Final[dict[str, CharSet]] = {
    "d": charsets.DIGIT,
    "w": charsets.WORD,
    "s": charsets.SPACE,
    "h": charsets.HORIZONTAL,
    "v": charsets.VERTICAL,
}
_ANCHORS: Final = {
    "b": Anchor.WORD_EDGE,
    "B": Anchor.NO_WORD_EDGE,
    "A": Anchor.START,
    "Z": Anchor.END,
    "z": Anchor.TEXT_END,
}
_LOOKS: Final = {"=": (True, False), "!": (True, True), "<=": (False, False), "<!": (False, True)}


def read(pattern: str, flags: str) -> Tree:
    """The tree of a pattern with these flags, out of `s`, `m`, `i`, `x`; raises
    `PatternRefused`.
    """
    # As in XML's patterns: with `x` white space is taken out before anything else, even after a \.
    if "x" in flags:
        pattern = _without_comments(pattern)
    reader = _Reader(pattern, frozenset(flags) - {"x"})
    root = reader.choice()
    if reader.index < len(pattern):
        raise PatternRefused  # a bracket that closes nothing
    if any(number > reader.groups for number in reader.references):
        raise PatternRefused
    return Tree(root, reader.groups, reader.names)


def _without_comments(pattern: str) -> str:
    lines = (line.partition("#")[0] for line in pattern.split("\n"))
    return "".join("".join(lines).split())


class _Reader:
    """Each method reads one part of the grammar and leaves `index` behind it."""

    def __init__(self, pattern: str, flags: frozenset[str]) -> None:
        self.pattern = pattern
        self.flags = flags
        self.index = 0
        self.groups = 0
        self.depth = 0
        self.names: dict[str, int] = {}
        self.references: list[int] = []

    def here(self, text: str) -> bool:
        return self.pattern.startswith(text, self.index)

    def accept(self, text: str) -> bool:
        if not self.here(text):
            return False
        self.index += len(text)
        return True

    def take(self) -> str:
        if self.index >= len(self.pattern):
            raise PatternRefused
        self.index += 1
        return self.pattern[self.index - 1]

    def until(self, end: str) -> str:
        """All before `end`, which is taken too."""
        at = self.pattern.find(end, self.index)
        if at < 0:
            raise PatternRefused
        found = self.pattern[self.index : at]
        self.index = at + len(end)
        return found

    # --- sequences ---

    def choice(self) -> Node:
        flags = self.flags
        branches = [self.sequence()]
        while self.accept("|"):
            branches.append(self.sequence())
        self.flags = flags  # those that were set inside hold no longer
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def sequence(self) -> Node:
        items: list[Node] = []
        self.skip_comments()
        while self.index < len(self.pattern) and not self.here("|") and not self.here(")"):
            if self.accept("\\Q"):
                items += [Chars(self.cased(charsets.of_chars(c))) for c in self.quoted()]
                continue
            atom = self.atom()
            self.skip_comments()
            if atom is not None:
                items.append(self.quantified(atom))
                self.skip_comments()
        return items[0] if len(items) == 1 else Sequence(tuple(items))

    def skip_comments(self) -> None:
        """White space and comments, where the pattern itself says `(?x)`."""
        while "x" in self.flags and self.index < len(self.pattern):
            if self.here("#"):
                line = self.pattern[self.index :].partition("\n")[0]
                self.index += len(line)
            elif self.pattern[self.index].isspace():
                self.index += 1
            else:
                return

    def quoted(self) -> str:
        if "\\E" in self.pattern[self.index :]:
            return self.until("\\E")
        rest = self.pattern[self.index :]
        self.index = len(self.pattern)
        return rest

    def quantified(self, atom: Node) -> Node:
        most: int | None = None
        if self.accept("*"):
            least = 0
        elif self.accept("+"):
            least = 1
        elif self.accept("?"):
            least, most = 0, 1
        elif self.accept("{"):
            least, most = self.counts()
        else:
            return atom
        greed = Greed.GREEDY
        if self.accept("?"):
            greed = Greed.LAZY
        elif self.accept("+"):
            greed = Greed.POSSESSIVE
        return Repeat(atom, least, most, greed)

    def counts(self) -> tuple[int, int | None]:
        low, comma, high = self.until("}").partition(",")
        if not (
            low.isascii() and low.isdigit() and (not high or (high.isascii() and high.isdigit()))
        ):
            raise PatternRefused
        if max(len(low), len(high)) > len(str(REPETITIONS_MAX)):
            raise PatternRefused(f": it repeats more than {REPETITIONS_MAX} times")
        least = int(low)
        most = int(high) if high else None if comma else least
        if max(least, most or 0) > REPETITIONS_MAX:
            raise PatternRefused(f": it repeats more than {REPETITIONS_MAX} times")
        if most is not None and most < least:
            raise PatternRefused
        return least, most

    # --- atoms ---

    def atom(self) -> Node | None:
        """One atom; None for flags, which are none."""
        char = self.take()
        if char == "(":
            return self.bracketed()
        if char == "[":
            return Chars(self.char_class())
        if char == "\\":
            return self.escape()
        if char == ".":
            is_all = "s" in self.flags
            return Chars(charsets.EVERYTHING if is_all else _NO_LINE_END)
        if char == "^":
            return At(Anchor.LINE_START if "m" in self.flags else Anchor.START)
        if char == "$":
            return At(Anchor.LINE_END if "m" in self.flags else Anchor.END)
        if char in "*+?{":
            raise PatternRefused
        return Chars(self.cased(charsets.of_chars(char)))

    def cased(self, chars: CharSet) -> CharSet:
        return charsets.both_cases(chars) if "i" in self.flags else chars

    def bracketed(self) -> Node | None:
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise PatternRefused(f": it nests deeper than {NESTING_MAX}")
        node = self.group()
        self.depth -= 1
        return node

    def group(self) -> Node | None:
        if not self.accept("?"):
            return self.remembered(None)
        if self.accept(":"):
            return self.inside()
        if self.accept(">"):
            return Atomic(self.inside())
        for sign, (is_ahead, is_negated) in _LOOKS.items():
            if self.accept(sign):
                return Look(self.inside(), is_ahead, is_negated)
        if self.accept("<"):
            return self.remembered(self.until(">"))
        return self.flagged()

    def inside(self) -> Node:
        node = self.choice()
        if not self.accept(")"):
            raise PatternRefused
        return node

    def remembered(self, name: str | None) -> Group:
        self.groups += 1
        number = self.groups
        if name is not None:
            is_name = name.isascii() and name.isalnum() and name[0].isalpha()
            if not is_name or name in self.names:
                raise PatternRefused
            self.names[name] = number
        return Group(self.inside(), number, name)

    def flagged(self) -> Node | None:
        """`(?i)`, for what follows in this group, or `(?i:…)`."""
        before, is_on = self.flags, True
        while not (self.here(")") or self.here(":")):
            char = self.take()
            if char == "-" and is_on:
                is_on = False
            elif char in "smidx":
                self.flags = self.flags | {char} if is_on else self.flags - {char}
            else:
                raise PatternRefused(": this kind of group is not supported")
        if self.accept(")"):
            return None
        self.index += 1
        node = self.inside()
        self.flags = before
        return node

    # --- escapes and classes ---

    def escape(self) -> Node:
        char = self.take()
        if char in _ANCHORS:
            return At(_ANCHORS[char])
        if char == "R":
            pair = Sequence(tuple(Chars(charsets.of_chars(c)) for c in "\r\n"))
            return Choice((pair, Chars(charsets.VERTICAL)))
        if char == "k":
            if not self.accept("<"):
                raise PatternRefused
            number = self.names.get(self.until(">"))
            if number is None:
                raise PatternRefused
            return Back(number, "i" in self.flags)
        if char in "123456789":
            return self.reference(int(char))
        return Chars(self.escaped(char))

    def reference(self, number: int) -> Back:
        """More digits belong to it as long as there are so many groups."""
        while self.pattern[self.index : self.index + 1].isdigit():
            longer = number * 10 + int(self.pattern[self.index])
            if longer > self.groups:
                break
            number, self.index = longer, self.index + 1
        self.references.append(number)
        return Back(number, "i" in self.flags)

    def escaped(self, char: str) -> CharSet:
        """The set that an escape means, in a class and elsewhere; `char` follows the backslash."""
        if char.lower() in _CLASSES:
            found = _CLASSES[char.lower()]
            return found if char.islower() else charsets.complement(found)
        if char in "pP":
            found = self.property()
            return self.cased(found if char == "p" else charsets.complement(found))
        return self.cased(charsets.of_chars(self.character(char)))

    def property(self) -> CharSet:
        name = self.until("}").strip() if self.accept("{") else self.take()
        found = charsets.named(name)
        if found is None:
            raise PatternRefused(f": the class {name} is not supported")
        return found

    def character(self, char: str) -> str:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "c":
            return chr(ord(self.take()) ^ 64)
        if char == "0":
            return self.octal()
        if char == "x":
            return self.code(self.until("}")) if self.accept("{") else self.code(self.some(2))
        if char == "u":
            return self.unit()
        if char == "N" and self.accept("{"):
            try:
                return unicodedata.lookup(self.until("}"))
            except KeyError:
                raise PatternRefused from None
        if char.isascii() and char.isalnum():
            raise PatternRefused
        return char

    def some(self, count: int) -> str:
        return "".join(self.take() for _ in range(count))

    def code(self, digits: str) -> str:
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise PatternRefused from None

    def unit(self) -> str:
        """`\\uXXXX`, or two of them that make one character."""
        first = self.code(self.some(4))
        if "\ud800" <= first < "\udc00" and self.accept("\\u"):
            pair = first + self.code(self.some(4))
            return pair.encode("utf-16", "surrogatepass").decode("utf-16", "replace")[0]
        return first

    def octal(self) -> str:
        digits = ""
        while len(digits) < 3 and self.pattern[self.index : self.index + 1] in tuple("01234567"):
            if len(digits) == 2 and digits[0] > "3":
                break
            digits += self.take()
        if not digits:
            raise PatternRefused
        return chr(int(digits, 8))

    def char_class(self) -> CharSet:
        """What follows `[`, its `]` included: a union, or intersections of unions."""
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise PatternRefused(f": it nests deeper than {NESTING_MAX}")
        is_negated = self.accept("^")
        found: CharSet | None = None
        parts: list[CharSet] = []
        is_first = True
        while is_first or not self.here("]"):
            if self.accept("&&"):
                found = self.crossed(found, parts)
                parts = []
            else:
                parts.append(self.class_part())
            is_first = False
        self.index += 1
        self.depth -= 1
        found = self.crossed(found, parts)
        return charsets.complement(found) if is_negated else found

    def crossed(self, found: CharSet | None, parts: list[CharSet]) -> CharSet:
        if not parts:
            if found is None:
                raise PatternRefused
            return found
        part = charsets.union(*parts)
        return part if found is None else charsets.intersection(found, part)

    def class_part(self) -> CharSet:
        if self.accept("["):
            return self.char_class()
        if self.accept("\\Q"):
            return self.cased(charsets.of_chars(self.quoted()))
        low = self.class_char()
        if not isinstance(low, str):
            return low
        is_range = self.here("-") and not self.here("-]") and not self.here("-[")
        if not is_range or self.index + 1 >= len(self.pattern):
            return self.cased(charsets.of_chars(low))
        self.index += 1
        high = self.class_char()
        if not isinstance(high, str) or high < low:
            raise PatternRefused
        return self.cased(((ord(low), ord(high)),))

    def class_char(self) -> str | CharSet:
        """A character, or the set of an escape."""
        char = self.take()
        if char != "\\":
            return char
        char = self.take()
        if char in "pP" or char.lower() in _CLASSES:
            return self.escaped(char)
        return self.character(char)


_NO_LINE_END: Final = charsets.complement(charsets.LINE_ENDS)
