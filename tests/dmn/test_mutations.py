"""Good files, damaged in many ways: each is read or refused, what is read can be evaluated, and
nothing else ever happens.

`GREVY_MUTATIONS` is how many, `GREVY_SEED` from which seed on; a failure names the seed.
"""

from __future__ import annotations

import copy
import os
import random

import pytest
from lxml import etree
from tests.dmn.models import NOW_MS, lookup_of
from tests.dmn.test_engine_answers import CASES

from grevy.dmn import DecisionGraph, InvalidDecisions, read_dmn

SEED = int(os.environ.get("GREVY_SEED", "1"))
MUTATIONS = int(os.environ.get("GREVY_MUTATIONS", "400"))

WORDS = (
    *("", "-", "1 +", "n", "da", "dk", "#db", "null", "true", "1e9999", "-0.0", '"a"', "[1..", "?"),
    *("< 5", "not(", "for i in 1..99999 return i", "dk(n, 1)", "UNIQUE", "COLLECT", "SUM", "db"),
    *("string", "é", "x" * 5_000, "assert(n, n = 1)", "now()", "{a: 1}", "[1, 2]", "function() 1"),
)
BYTES = (b"", b"\xff", b"\0", b"<", b">", b'"', b"&", b"<!DOCTYPE a>", b"]]>", b"<!--", b"<list/>")
GOOD = [case for case in CASES if not case.refused]
VALUES: tuple[object, ...] = (None, True, 0, 1, 2.5, "a", "2020-01-01", [1], {"a": 1}, "x" * 1_000)


def damaged(file: str, chance: random.Random) -> bytes:
    """The file with a few of its elements removed, repeated, moved, or with other words in them."""
    root = etree.fromstring(file.encode())
    for _ in range(chance.randint(1, 3)):
        below = list(root.iterdescendants())
        if not below:
            break
        at, other = chance.choice(below), chance.choice(below)
        parent = at.getparent()
        assert parent is not None
        match chance.randrange(5):
            case 0:
                parent.remove(at)
            case 1:
                parent.append(copy.deepcopy(at))
            case 2:
                parent.replace(at, copy.deepcopy(other))
            case 3 if at.attrib:
                at.set(chance.choice(list(at.attrib)), chance.choice(WORDS))
            case _:
                at.text = chance.choice(WORDS)
    data = etree.tostring(root)
    if chance.random() < 0.1:
        cut = chance.randrange(len(data))
        data = data[:cut] + chance.choice(BYTES) + data[cut + chance.choice((0, 1, 20)) :]
    return data


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
        file = damaged(chance.choice(GOOD).file, chance)
        try:
            check(read_dmn(file), chance)
            read += 1
        except InvalidDecisions:
            pass
        except Exception as error:
            error.add_note(f"GREVY_SEED={seed} GREVY_MUTATIONS=1")
            raise
    assert 0 < read < MUTATIONS / 4 or MUTATIONS < 100, "what is never or always read tests nothing"
