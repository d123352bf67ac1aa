"""Regular expressions: Java's dialect, and a bounded time whatever the pattern says."""

from __future__ import annotations

import random

import pytest

from grevy.feel.budget import Budget
from grevy.feel.errors import EvaluationStopped
from grevy.feel.regex import PatternRefused, compile_pattern
from grevy.feel.regex.emitter import compiled
from grevy.feel.regex.guard import effort
from grevy.feel.regex.machine import Machine
from grevy.feel.regex.reader import read
from grevy.protocol import limits


def found(pattern: str, text: str, flags: str = "") -> list[str]:
    matches = compile_pattern(pattern, flags).find_all(text, Budget())
    return [match.group(0) for match in matches]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\p{Lu}\p{Ll}+", "Äpfel und Öl", ["Äpfel", "Öl"]),
        (r"[\p{L}'-]+", "Élodie d'Arc-9", ["Élodie", "d'Arc-"]),
        (r"\P{L}", "a1é", ["1"]),
        (r"\pN", "a1", ["1"]),
        (r"\w+", "aé_1", ["a", "_1"]),
        (r"\d", "1٣", ["1"]),
        (r"[a-z&&[^aeiou]]+", "hello", ["h", "ll"]),
        (r"[a-c[x-z]]+", "abxyd", ["abxy"]),
        (r"[^a&&b]", "ab", ["a", "b"]),
        (r"[]a]", "a]b", ["a", "]"]),
        (r"[+--]", "+,-.", ["+", ",", "-"]),
        (r"[a-]", "a-b", ["a", "-"]),
        (r"\Qa.b\E.", "a.bc aXbc", ["a.bc"]),
        (r"\x41\u0042\x{1F40E}\0103", "AB\U0001f40eC", ["AB\U0001f40eC"]),
        (r"\h+", "a \tb", [" \t"]),
        (r"\R", "a\r\nb\nc", ["\r\n", "\n"]),
        (r"a$", "a\nba\n", ["a"]),
        (r"\w\z", "ab", ["b"]),
        (r"(?m)^\w$", "a\nb\n", ["a", "b"]),
        (r"(?i)foo", "FOO Foo", ["FOO", "Foo"]),
        (r"(?i:f)oo", "Foo FOO", ["Foo"]),
        (r"(?x) a b # both", "ab", ["ab"]),
        (r"(?s)a.b", "a\nb", ["a\nb"]),
        (r"a.b", "a\rb", []),
        (r"(\w)\1", "hello", ["ll"]),
        (r"(?<w>\w)\k<w>", "hello", ["ll"]),
        (r"(a)\10", "aa0", ["aa0"]),
        (r"(?=.*\d)\w{3}", "ab1", ["ab1"]),
        (r"(?<!a)b", "ab cb", ["b"]),
        (r"a++b|c", "aab c", ["aab", "c"]),
        (r"(?>a+)b", "aab", ["aab"]),
        (r"a*?b", "aab", ["aab"]),
        (r"x*", "axb", ["", "x", "", ""]),
        (r"\p{IsGreek}+", "abΑΩ", ["ΑΩ"]),
        (r"\p{InGreek}", "aΩ", ["Ω"]),
        (r"\p{javaWhitespace}|\p{Sc}|\p{Punct}", "a €!", [" ", "€", "!"]),
        (r"^(\w+\s?)*$", "the quick brown fox", ["the quick brown fox"]),
        (r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", "at 10.0.0.1", ["10.0.0.1"]),
    ],
)
def test_java_s_dialect(pattern: str, text: str, expected: list[str]) -> None:
    assert found(pattern, text) == expected


@pytest.mark.parametrize(
    ("pattern", "flags", "text", "expected"),
    [
        ("é", "i", "É", []),
        ("k", "i", "K\u212a", ["K"]),
        (r"[a-c]+", "i", "aBcD", ["aBc"]),
        (r"(a)\1", "i", "aA", ["aA"]),
        (r"a b # c", "x", "ab", ["ab"]),
        (r"^b", "m", "a\nb", ["b"]),
        (r"a.c", "s", "a\nc", ["a\nc"]),
    ],
)
def test_flags(pattern: str, flags: str, text: str, expected: list[str]) -> None:
    assert found(pattern, text, flags) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "[a", "[", "a**", "*a", "+", "{", "{,3}", "a{2,1}", "a{x}", "a{99999}", "\\",
        r"\y", r"[\b]", r"[z-a]", r"[a-\d]", r"\p{Foo}", r"\p{L", r"(?<a>x)(?<a>y)", r"(?<1>x)",
        r"\k<a>", r"(a)[\1]", r"(?q)", r"(?P<a>x)", r"\x4", r"\u12", r"\Q[", "(" * 60 + ")" * 60,
        "a" * (limits.FEEL_REGEX_CHARS_MAX + 1), r"\p{L}" * 199,
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    if pattern == r"\Q[":
        assert found(pattern, "[") == ["["], "a quotation need not end"
        return
    with pytest.raises(PatternRefused):
        compile_pattern(pattern, "")


NASTY = [
    r"(a+)+$", r"(a|a)*b", r"(a|aa)+$", r"^(\w+\s?)*!", r"(.*)(.*)(.*)(.*)x", r"(x+x+)+y",
    r"(a?){30}a{30}", r"((a{0,9}){0,9}){0,9}b", r"(a*)*b", r"(|a)+b", r"^(([a-z])+.)+[A-Z]",
    r"(?=.*a)(?=.*b).*d", r"(\w)\1+x", r"((a+)\2)+b", r"(?<!a.*)b", r"((((a*)*)*)*)*b",
]  # fmt: skip


@pytest.mark.parametrize("pattern", NASTY)
@pytest.mark.parametrize("length", [30, 1_000, 20_000])
def test_the_time_is_bounded(pattern: str, length: int) -> None:
    """What ends is right; what does not is refused or costs the whole budget, but never more."""
    text = "a" * length
    budget = Budget()
    try:
        is_found = compile_pattern(pattern, "").is_in(text, budget)
    except (PatternRefused, EvaluationStopped):
        assert length > 30 or "\\" in pattern or "(?" in pattern
        return
    assert is_found is (pattern in (r"(a+)+$", r"(a|aa)+$", r"(a?){30}a{30}"))


def random_pattern(chance: random.Random, depth: int = 0) -> str:
    kind = chance.randrange(9 if depth < 4 else 4)
    if kind < 3:
        return chance.choice("abc")
    if kind == 3:
        return chance.choice([".", "[ab]", "[^a]", "^", "$", r"\b", r"\w", "b"])
    inner = random_pattern(chance, depth + 1)
    if kind < 6:
        return inner + random_pattern(chance, depth + 1)
    if kind == 6:
        return f"({inner}|{random_pattern(chance, depth + 1)})"
    return f"({inner}){chance.choice(['*', '+', '?', '{1,2}', '*?', '+?'])}"


@pytest.mark.parametrize("seed", range(40))
def test_both_matchers_find_the_same(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        pattern = random_pattern(chance)
        tree = read(pattern, "")
        regex, machine = compiled(tree), Machine(tree)
        if regex is None or effort(tree) is None:
            continue
        text = "".join(chance.choices("abc \n", k=chance.randrange(12)))
        match = regex.search(text)
        spans = machine.search(text, 0, Budget())

        if match is None:
            assert spans is None, (pattern, text)
        else:
            assert spans is not None, (pattern, text)
            assert spans[:2] == match.span(), (pattern, text)


def test_the_ends_of_a_pattern_that_match_anything_cost_nothing() -> None:
    budget = Budget()
    assert not compile_pattern(".*foo.*", "").is_in("a" * 100_000, budget)
    assert budget.steps > limits.FEEL_STEPS_MAX // 2
