"""Good files, damaged in many ways: each is read or refused, what is read can be evaluated, and
nothing else ever happens.

`GREVY_MUTATIONS` is how many, `GREVY_SEED` from which seed on; a failure names the seed.
"""

from __future__ import annotations

import os
import random
import re

import pytest
from tests.dmn.models import NOW_MS, lookup_of
from tests.dmn.test_engine_answers import CASES

from grevy.dmn import DecisionGraph, InvalidDecisions, read_dmn

SEED = int(os.environ.get("GREVY_SEED", "1"))
MUTATIONS = int(os.environ.get("GREVY_MUTATIONS", "400"))

PIECE = re.compile(r"<[^>]*>|[^<]+")
WORDS = (
    *("", "-", "1 +", "n", "da", "dk", "#db", "null", "true", "1e9999", "-0.0", '"a"', "[1..", "?"),
    *("&lt; 5", "not(", "for i in 1..99999 return i", "dk(n, 1)", "UNIQUE", "COLLECT", "SUM"),
    *('typeRef="string"', "<text>", "</text>", "<list/>", "<rule/>", "\0", "é", "x" * 5_000),
    *("<!DOCTYPE a>", "]]>", "<!--", "&amp;", "&", '"', 'id="da"', "assert(n, n = 1)", "now()"),
)
VALUES: tuple[object, ...] = (None, True, 0, 1, 2.5, "a", "2020-01-01", [1], {"a": 1}, "x" * 1_000)


def damaged(file: str, chance: random.Random) -> str:
    """The file with a few of its tags and texts removed, repeated, moved, or replaced."""
    pieces = PIECE.findall(file)
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
        match chance.randrange(5):
            case 0:
                pieces[at] = ""
            case 1:
                pieces.insert(other, pieces[at])
            case 2:
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                pieces[at] = re.sub(r'"[^"]*"', f'"{chance.choice(WORDS)}"', pieces[at], count=1)
            case _:
                pieces[at] = chance.choice(WORDS)
    return "".join(pieces)


def check(graph: DecisionGraph, chance: random.Random) -> None:
    """Every decision has a result or a failure."""
    variables = {name: chance.choice(VALUES) for name in ("n", "m", "x", "db", "a")}
    for info in graph.decisions:
        result = graph.evaluate(info.id, lookup_of(variables), NOW_MS)
        assert bool(result.failure) == bool(result.failed_decision_id)
        assert result.failure or result.evaluated[-1].decision_id == info.id


@pytest.mark.parametrize("part", range(4))
def test_is_read_or_refused(part: int) -> None:
    read = 0
    for seed in range(SEED + part, SEED + MUTATIONS, 4):
        chance = random.Random(seed)
        file = damaged(chance.choice(CASES).file, chance)
        try:
            check(read_dmn(file.encode()), chance)
            read += 1
        except InvalidDecisions:
            pass
        except Exception as error:
            error.add_note(f"GREVY_SEED={seed} GREVY_MUTATIONS=1")
            raise
    assert 0 < read < MUTATIONS / 4 or MUTATIONS < 100, "what is never or always read tests nothing"
