"""A good model, damaged in many ways: it compiles or is refused, and nothing else ever happens.

`GREVY_MUTATIONS` is how many, `GREVY_SEED` from which seed on; a failure names the seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from grevy.bpmn import InvalidModel, compile_processes

SEED = int(os.environ.get("GREVY_SEED", "1"))
MUTATIONS = int(os.environ.get("GREVY_MUTATIONS", "600"))

BODY = """
<extensionElements><zeebe:versionTag value="v"/></extensionElements>
<serviceTask id="a" name="A"><extensionElements><zeebe:taskDefinition type="=t" retries="2"/>
<zeebe:taskHeaders><zeebe:header key="k" value="v"/></zeebe:taskHeaders><zeebe:ioMapping>
<zeebe:input source="=x + 1" target="y.z"/><zeebe:output source="=lit" target="o"/></zeebe:ioMapping>
</extensionElements></serviceTask>
<boundaryEvent id="b" attachedToRef="a" cancelActivity="false"><timerEventDefinition><timeCycle>R3/PT10S
</timeCycle></timerEventDefinition></boundaryEvent>
<boundaryEvent id="c" attachedToRef="a"><errorEventDefinition errorRef="er"/></boundaryEvent>
<exclusiveGateway id="g" default="g_h"/><eventBasedGateway id="h"/>
<intermediateCatchEvent id="i"><messageEventDefinition messageRef="m"/></intermediateCatchEvent>
<intermediateCatchEvent id="j"><timerEventDefinition><timeDate>2030-01-01T00:00:00Z</timeDate>
</timerEventDefinition></intermediateCatchEvent>
<subProcess id="u"><startEvent id="us"/><manualTask id="ut"/><endEvent id="ue"/>
<sequenceFlow id="us_ut" sourceRef="us" targetRef="ut"/>
<sequenceFlow id="ut_ue" sourceRef="ut" targetRef="ue"/></subProcess>
<receiveTask id="r" messageRef="m"/><scriptTask id="k"><extensionElements>
<zeebe:script expression="=[1,2][item &gt; 1]" resultVariable="res"/></extensionElements></scriptTask>
<endEvent id="t"><terminateEventDefinition/></endEvent>
"""
FLOWS = ("s>a>g", "g>u:=a > 1", "g>h>i>r>e", "h>j>k>e2", "u>t", "b>e", "c>e")
BESIDE = """
<message id="m" name="n"><extensionElements><zeebe:subscription correlationKey="=k"/>
</extensionElements></message><error id="er" errorCode="E"/>
"""
WORDS = (
    b"", b"=", b"=1 +", b"a", b"g", b"u", b"m", b"er", b"\xff", b"\0", b"<", b">", b'"', b"&", b"&amp;",
    b"<!DOCTYPE a>", b"R/PT1S", b"* * * * * *", b"-1", b"true", b"false", b" ", b"<subProcess>",
    b"</process>", b"]]>", b"<!--", b"9" * 40, b"\xc3\xa4", b"<task/>", b"zeebe:", b"id=", b"xmlns=",
)  # fmt: skip


def mutated(xml: bytes, seed: int) -> bytes:
    """The file with one to six random changes: bytes, words, attribute values, elements."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 6)):
        change = dice.choice((change_bytes, put_word, swap_values, swap_names, move_element))
        xml = change(xml, dice)
    return xml


def change_bytes(xml: bytes, dice: random.Random) -> bytes:
    """A stretch of bytes is lost, or one byte is another."""
    at = dice.randrange(len(xml) + 1)
    rest = at + dice.choice((0, 1, 1, 2, 20, 200))
    return xml[:at] + bytes([dice.randrange(256)]) * dice.randint(0, 1) + xml[rest:]


def put_word(xml: bytes, dice: random.Random) -> bytes:
    """A word stands in some value or text."""
    places = [n + 1 for n, byte in enumerate(xml) if byte in b'">']
    at = dice.choice(places or [0])
    return xml[:at] + dice.choice(WORDS) + xml[at:]


def swap_values(xml: bytes, dice: random.Random) -> bytes:
    """Two pieces between quotes change places."""
    pieces = xml.split(b'"')
    a, b = (dice.randrange(len(pieces)) for _ in range(2))
    pieces[a], pieces[b] = pieces[b], pieces[a]
    return b'"'.join(pieces)


def swap_names(xml: bytes, dice: random.Random) -> bytes:
    """All elements of one name get another's."""
    names = sorted({p.split(b" ")[0].split(b">")[0].strip(b"/") for p in xml.split(b"<")[1:]})
    a, b = dice.choice(names), dice.choice(names)
    return xml.replace(b"<" + a, b"<" + b).replace(b"</" + a, b"</" + b) if a else xml


def move_element(xml: bytes, dice: random.Random) -> bytes:
    """A tag stands elsewhere, or twice."""
    tags = xml.split(b"<")
    tag = dice.choice(tags)
    tags.insert(dice.randrange(len(tags) + 1), tag)
    if dice.random() < 0.5:
        tags.remove(tag)
    return b"<".join(tags)


@pytest.fixture(scope="module")
def good(document: Callable[..., bytes]) -> bytes:
    """The model before it is damaged."""
    return document(BODY, *FLOWS, beside=BESIDE)


def test_the_model_is_good(good: bytes) -> None:
    (process,) = compile_processes("p.bpmn", good)
    assert len(process.elements) == 18


@pytest.mark.parametrize("part", range(6))
def test_compiles_or_is_refused(good: bytes, part: int) -> None:
    compiled = 0
    for seed in range(SEED + part, SEED + MUTATIONS, 6):
        xml = mutated(good, seed)
        try:
            compile_processes("p.bpmn", xml)
            compiled += 1
        except InvalidModel as refused:
            assert refused.faults
        except Exception as error:
            error.add_note(f"GREVY_SEED={seed} GREVY_MUTATIONS=1")
            raise
    assert 0 < compiled < MUTATIONS / 6, "mutations that never or always compile test nothing"
