"""Sets of characters as sorted ranges of code points, and the sets that have names in Java's
patterns.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

CharSet: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges, both ends included, that neither touch nor overlap."""

LAST: Final = 0x10FFFF
EVERYTHING: Final[CharSet] = ((0, LAST),)
_ASSIGNED: Final = (range(0x40000), range(0xE0000, 0xE1000))
"""Where characters are; beyond are unassigned ones and those for private use."""


def of_ranges(ranges: Iterable[tuple[int, int]]) -> CharSet:
    """The set of all these ranges, in whatever order."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def of_chars(chars: str) -> CharSet:
    """The set of these characters."""
    return of_ranges((ord(char), ord(char)) for char in chars)


def union(*sets: CharSet) -> CharSet:
    """What is in any of them."""
    return of_ranges(pair for chars in sets for pair in chars)


def complement(chars: CharSet) -> CharSet:
    """What is not in it."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in chars:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        gaps.append((start, LAST))
    return tuple(gaps)


def intersection(left: CharSet, right: CharSet) -> CharSet:
    """What is in both."""
    found: list[tuple[int, int]] = []
    a = b = 0
    while a < len(left) and b < len(right):
        low, high = max(left[a][0], right[b][0]), min(left[a][1], right[b][1])
        if low <= high:
            found.append((low, high))
        if left[a][1] < right[b][1]:
            a += 1
        else:
            b += 1
    return tuple(found)


def contains(chars: CharSet, code: int) -> bool:
    """Whether a code point is in it."""
    at = bisect_right(chars, (code, LAST)) - 1
    return at >= 0 and code <= chars[at][1]


def both_cases(chars: CharSet) -> CharSet:
    """With the ASCII letters of the other case, too: Java's `i` knows no others."""
    upper, lower = (intersection(chars, letters) for letters in (_UPPER, _LOWER))
    return union(
        chars,
        tuple((low + 32, high + 32) for low, high in upper),
        tuple((low - 32, high - 32) for low, high in lower),
    )


_UPPER: Final = of_ranges([(0x41, 0x5A)])
_LOWER: Final = of_ranges([(0x61, 0x7A)])
DIGIT: Final = of_ranges([(0x30, 0x39)])
WORD: Final = union(_UPPER, _LOWER, DIGIT, of_chars("_"))
SPACE: Final = of_chars(" \t\n\v\f\r")
VERTICAL: Final = of_chars("\n\v\f\r\u0085\u2028\u2029")
HORIZONTAL: Final = union(
    of_chars(" \t\u00a0\u1680\u180e\u202f\u205f\u3000"), of_ranges([(0x2000, 0x200A)])
)
LINE_ENDS: Final = of_chars("\n\r\u0085\u2028\u2029")

_PUNCTUATION: Final = of_ranges([(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)])
_ASCII: Final[dict[str, CharSet]] = {
    "Lower": _LOWER,
    "Upper": _UPPER,
    "ASCII": ((0, 0x7F),),
    "Alpha": union(_UPPER, _LOWER),
    "Digit": DIGIT,
    "Alnum": union(_UPPER, _LOWER, DIGIT),
    "Punct": _PUNCTUATION,
    "Graph": ((0x21, 0x7E),),
    "Print": ((0x20, 0x7E),),
    "Blank": of_chars(" \t"),
    "Cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "XDigit": of_ranges([(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)]),
    "Space": SPACE,
    "L1": ((0, 0xFF),),
    "all": EVERYTHING,
}
_BLOCKS: Final = {
    "BASICLATIN": (0, 0x7F),
    "LATIN1SUPPLEMENT": (0x80, 0xFF),
    "LATINEXTENDEDA": (0x100, 0x17F),
    "LATINEXTENDEDB": (0x180, 0x24F),
    "GREEK": (0x370, 0x3FF),
    "GREEKANDCOPTIC": (0x370, 0x3FF),
    "CYRILLIC": (0x400, 0x4FF),
    "ARMENIAN": (0x530, 0x58F),
    "HEBREW": (0x590, 0x5FF),
    "ARABIC": (0x600, 0x6FF),
    "DEVANAGARI": (0x900, 0x97F),
    "THAI": (0xE00, 0xE7F),
    "GENERALPUNCTUATION": (0x2000, 0x206F),
    "CURRENCYSYMBOLS": (0x20A0, 0x20CF),
    "ARROWS": (0x2190, 0x21FF),
    "MATHEMATICALOPERATORS": (0x2200, 0x22FF),
    "BOXDRAWING": (0x2500, 0x257F),
    "HIRAGANA": (0x3040, 0x309F),
    "KATAKANA": (0x30A0, 0x30FF),
    "CJKUNIFIEDIDEOGRAPHS": (0x4E00, 0x9FFF),
    "HANGULSYLLABLES": (0xAC00, 0xD7AF),
    "EMOTICONS": (0x1F600, 0x1F64F),
}
_BINARY: Final = {
    "ALPHABETIC": ("L", "Nl"),
    "LETTER": ("L",),
    "LOWERCASE": ("Ll",),
    "UPPERCASE": ("Lu",),
    "TITLECASE": ("Lt",),
    "PUNCTUATION": ("P",),
    "CONTROL": ("Cc",),
    "DIGIT": ("Nd",),
    "IDEOGRAPHIC": (),
    "WHITE_SPACE": ("Z",),
}
"""Properties by their categories; Unicode's own lists have some characters more."""
_SCRIPTS: Final = {
    "LATIN": ("LATIN ",),
    "GREEK": ("GREEK ",),
    "CYRILLIC": ("CYRILLIC ",),
    "ARMENIAN": ("ARMENIAN ",),
    "HEBREW": ("HEBREW ",),
    "ARABIC": ("ARABIC ",),
    "DEVANAGARI": ("DEVANAGARI ",),
    "THAI": ("THAI ",),
    "GEORGIAN": ("GEORGIAN ",),
    "HANGUL": ("HANGUL ",),
    "HIRAGANA": ("HIRAGANA ",),
    "KATAKANA": ("KATAKANA ",),
    "HAN": ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "CJK RADICAL"),
}
"""Scripts by how the names of their characters begin: `unicodedata` knows no scripts."""


@lru_cache(maxsize=200)
def named(name: str) -> CharSet | None:
    """The set that `\\p{name}` means; None for a name that is not known."""
    if name in _ASCII:
        return _ASCII[name]
    kind, _, value = name.rpartition("=")
    if kind in ("gc", "general_category", ""):
        found = _of_category(value)
        if found is not None:
            return found
    if kind in ("sc", "script"):
        return _of_script(value.upper())
    if kind in ("blk", "block"):
        return _of_block(value)
    if name.startswith("In"):
        return _of_block(name[2:])
    if name.startswith("java"):
        return _of_java(name[4:])
    return _of_property(name[2:]) if name.startswith("Is") else None


def _of_property(name: str) -> CharSet | None:
    """What follows `Is`: a property, a script, a category, or, as in XML's patterns, a block."""
    upper = name.upper()
    if upper in _BINARY:
        found = union(*(_categories().get(part, ()) for part in _BINARY[upper]))
        if upper == "WHITE_SPACE":
            return union(found, SPACE, of_chars("\u0085"))
        return _of_script("HAN") if upper == "IDEOGRAPHIC" else found
    return _of_script(upper) or _of_category(name) or _of_block(name)


def _of_java(name: str) -> CharSet | None:
    kinds = {
        "LowerCase": "Ll", "UpperCase": "Lu", "TitleCase": "Lt", "Digit": "Nd", "Alphabetic": "L",
        "Letter": "L",
    }  # fmt: skip
    if name in kinds:
        return _of_category(kinds[name])
    if name == "LetterOrDigit":
        return union(_categories()["L"], _categories()["Nd"])
    if name == "Whitespace":
        spaces = intersection(_categories()["Z"], complement(of_chars("\u00a0\u2007\u202f")))
        return union(spaces, of_ranges([(0x09, 0x0D), (0x1C, 0x1F)]))
    return None


def _of_block(name: str) -> CharSet | None:
    block = _BLOCKS.get(name.upper().replace(" ", "").replace("-", "").replace("_", ""))
    return None if block is None else (block,)


def _of_category(name: str) -> CharSet | None:
    if name == "LC":
        return union(*(_categories()[part] for part in ("Lu", "Ll", "Lt")))
    return _categories().get(name)


@lru_cache(maxsize=1)
def _categories() -> dict[str, CharSet]:
    """Every category, and every first letter of some."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for area in _ASSIGNED:
        start, current = area[0], unicodedata.category(chr(area[0]))
        for code in area:
            found = unicodedata.category(chr(code))
            if found != current:
                runs.setdefault(current, []).append((start, code - 1))
                start, current = code, found
        runs.setdefault(current, []).append((start, area[-1]))
    runs["Cn"] += [(0x40000, 0xDFFFF), (0xE1000, 0xEFFFF)]
    runs["Co"] += [(0xF0000, LAST)]
    exact = {name: of_ranges(ranges) for name, ranges in runs.items()}
    first = {
        letter: union(*(chars for name, chars in exact.items() if name[0] == letter))
        for letter in {name[0] for name in exact}
    }
    return {**exact, **first}


@lru_cache(maxsize=20)
def _of_script(name: str) -> CharSet | None:
    if name not in _SCRIPTS:
        return None
    starts = _SCRIPTS[name]
    letters = union(_categories()["L"], _categories()["M"])
    return of_ranges(
        (code, code)
        for low, high in letters
        for code in range(low, high + 1)
        if unicodedata.name(chr(code), "").startswith(starts)
    )
