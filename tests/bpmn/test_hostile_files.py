"""Files that mean harm: each is compiled, or refused with `InvalidModel`, without any access to
files or network.

How fast is not asserted here (a slow machine is no fault), but what is quadratic would not end.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from grevy.bpmn import InvalidModel, compile_processes
from grevy.protocol.limits import (
    RESOURCE_BYTES_MAX,
    VALIDATION_REPORT_BYTES_MAX,
    XML_ATTRIBUTE_BYTES_MAX,
    XML_DEPTH_MAX,
    XML_ELEMENTS_MAX,
)

MODEL = "http://www.omg.org/spec/BPMN/20100524/MODEL"
ZEEBE = "http://camunda.org/schema/zeebe/1.0"
OPEN = (
    f'<definitions xmlns="{MODEL}" xmlns:zeebe="{ZEEBE}" targetNamespace="u">'
    '<process id="p" isExecutable="true">'
)
CLOSE = "</process></definitions>"
START = '<startEvent id="s"/>'
GOOD = f"{OPEN}{START}{CLOSE}"
JOB = '<extensionElements><zeebe:taskDefinition type="t"/></extensionElements>'
TIMER = "<timerEventDefinition><timeDuration>PT1S</timeDuration></timerEventDefinition>"
SECRET = "file:///etc/passwd"


def model(inside: str) -> bytes:
    """An executable process with a start event and more."""
    return f"{OPEN}{START}{inside}{CLOSE}".encode()


def with_dtd(subset: str, use: str = "") -> bytes:
    """A model with a document type before it, and a use of what that defines."""
    return f"<!DOCTYPE definitions [{subset}]>{GOOD.replace(START, START + use)}".encode()


def laughs() -> str:
    """Entities that grow to 10^9 characters."""
    names = [f"l{n}" for n in range(10)]
    pairs = itertools.pairwise(names)
    grown = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairs)
    return f'<!ENTITY l0 "ha">{grown}'


def flow(number: int, source: str, target: str) -> str:
    """A sequence flow."""
    return f'<sequenceFlow id="f{number}" sourceRef="{source}" targetRef="{target}"/>'


def ring(tag: str, size: int) -> str:
    """Elements in a circle."""
    return "".join(
        f'<{tag} id="x{n}"/>' + flow(n, f"x{n}", f"x{(n + 1) % size}") for n in range(size)
    )


def nested(depth: int) -> bytes:
    """Sub-processes inside each other."""
    heads = "".join(f'<subProcess id="u{n}"><startEvent id="u{n}s"/>' for n in range(depth))
    return model(heads + "</subProcess>" * depth)


def condition(feel: str) -> bytes:
    """A model with one FEEL expression."""
    body = '<exclusiveGateway id="g"/><endEvent id="e"/>' + flow(0, "s", "g")
    inner = f"<conditionExpression>={feel}</conditionExpression>"
    return model(body + flow(1, "g", "e").replace("/>", f">{inner}</sequenceFlow>"))


def timer(tag: str, value: str) -> bytes:
    """A model with one timer."""
    inside = f"<timerEventDefinition><{tag}>{value}</{tag}></timerEventDefinition>"
    return model(f'<startEvent id="t">{inside}</startEvent>')


REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" " * 1_000_000,
    "no XML": b"%PDF-1.7",
    "NUL": b"\0" * 1000,
    "NUL inside": GOOD.replace("p", "p\0", 1).encode(),
    "NUL reference": GOOD.replace(START, "&#0;").encode(),
    "not UTF-8": GOOD.encode() + b"\xff",
    "cut off": GOOD[:-20].encode(),
    "two roots": (GOOD + GOOD).encode(),
    "another root": b"<html/>",
    "another namespace": GOOD.replace(MODEL, "urn:other").encode(),
    "too many bytes": GOOD.encode() + b" " * RESOURCE_BYTES_MAX,
    "billion laughs": with_dtd(laughs(), "&l9;"),
    "quadratic blow-up": with_dtd(f'<!ENTITY a "{"a" * 50_000}">', "&a;" * 50_000),
    "external entity": with_dtd(f'<!ENTITY x SYSTEM "{SECRET}">', "&x;"),
    "external entity by http": with_dtd('<!ENTITY x SYSTEM "http://127.0.0.1:1/x">', "&x;"),
    "parameter entity": with_dtd(f'<!ENTITY % x SYSTEM "{SECRET}"> %x;'),
    "external document type": f'<!DOCTYPE definitions SYSTEM "{SECRET}">{GOOD}'.encode(),
    "public document type": f'<!DOCTYPE d PUBLIC "-//x" "{SECRET}">{GOOD}'.encode(),
    "empty document type": f"<!DOCTYPE definitions>{GOOD}".encode(),
    "document type after a comment": f"<!-- > --><?x ?>\n<!DOCTYPE d>{GOOD}".encode(),
    "document type in UTF-16": f"<!DOCTYPE d>{GOOD}".encode("utf-16"),
    "default attributes": with_dtd('<!ATTLIST process id CDATA "q">'),
    "undefined entity": GOOD.replace(START, "&nbsp;").encode(),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE d+AD4-' + GOOD.encode(),
    "EBCDIC": f'<?xml version="1.0" encoding="cp037"?>{GOOD}'.encode("cp037"),
    "encoding that is none": f'<?xml version="1.0" encoding="zlib"?>{GOOD}'.encode(),
    "encoding without end": b'<?xml version="1.0" encoding="' + b"a" * 1_000_000,
    "UTF-16 without a mark": GOOD.encode("utf-16-le"),
    "UTF-32": GOOD.encode("utf-32"),
    "half a surrogate": GOOD.replace("p", "\ud800", 1).encode("utf-16", "surrogatepass"),
    "200,000 open elements": b"<a>" * 200_000,
    "200,000 open sub-processes": f"{OPEN}{'<subProcess>' * 200_000}".encode(),
    "300 levels": b"<a>" * 300 + b"</a>" * 300,
    "a level too deep": nested(XML_DEPTH_MAX),
    "too many elements": model('<task id="x"/>' * XML_ELEMENTS_MAX),
    "too many elements, closed twice": model("<task></task>" * (XML_ELEMENTS_MAX // 2 + 1)),
    "tag name of 1 MB": b"<" + b"a" * 1_000_000 + b"/>",
    "attribute name of 1 MB": b"<a " + b"a" * 1_000_000 + b'="1"/>',
    "attribute of 1 MB": model(f'<task id="x" name="{"n" * 1_000_000}"/>'),
    "attribute a little too long": model(
        f'<task id="x" name="{"n" * (XML_ATTRIBUTE_BYTES_MAX + 1)}"/>'
    ),
    "100,000 attributes": model("<task " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>"),
    "attribute twice": GOOD.replace('id="p"', 'id="p" id="p"').encode(),
    "prefix without namespace": GOOD.replace(START, "<x:y/>").encode(),
    "process id of 60,000": GOOD.replace('id="p"', f'id="{"p" * 60_000}"').encode(),
    "id twice, 10,000 times": model('<task id="x"/>' * 10_000),
    "10,000 catch-all boundary events": model(
        f'<serviceTask id="x">{JOB}</serviceTask>'
        + "".join(
            f'<boundaryEvent id="b{n}" attachedToRef="x"><errorEventDefinition/></boundaryEvent>'
            for n in range(10_000)
        )
    ),
    "boundary event at itself": model(
        f'<boundaryEvent id="b" attachedToRef="b">{TIMER}</boundaryEvent>'
    ),
    "5,000 tasks in a circle": model(ring("manualTask", 5_000)),
    "dense graph of tasks": model(
        "".join(f'<task id="x{n}"/>' for n in range(100))
        + "".join(flow(n, f"x{n % 100}", f"x{n // 100}") for n in range(10_000))
    ),
    "20,000 event definitions": model(
        f'<endEvent id="x">{"<signalEventDefinition/>" * 20_000}</endEvent>'
    ),
    "20,000 task definitions": model(
        '<serviceTask id="x"><extensionElements>'
        + '<zeebe:taskDefinition type="a"/>' * 20_000
        + "</extensionElements></serviceTask>"
    ),
    "brackets of FEEL": condition("(" * 20_000 + "1" + ")" * 20_000),
    "quotes of FEEL": condition('"' * 19_999),
    "duration of 60,000 digits": timer("timeDuration", f"P{'9' * 60_000}D"),
    "cycle of 60,000 digits": timer("timeCycle", f"R{'9' * 60_000}/PT1S"),
    "cron with 50,000 commas": timer("timeCycle", "*," * 50_000 + "* * * * * *"),
    "zone that is a path": timer("timeDate", f"2030-01-01T00:00:00Z[{'../' * 20}etc/passwd]"),
    "zone of 60,000": timer("timeDate", f"2030-01-01T00:00:00Z[{'a' * 60_000}]"),
}

COMPILED: dict[str, bytes] = {
    "the model that the others spoil": GOOD.encode(),
    "a thousand comments": (
        "<!-- <!DOCTYPE d> -->" * 1000 + GOOD.replace(START, START + "<!--x-->" * 9000)
    ).encode(),
    "document type in a text": model(
        "<task id='x'><documentation><![CDATA[<!DOCTYPE d>]]></documentation></task>"
    ),
    "include of a file": model(
        '<task id="x"><documentation>'
        f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{SECRET}"/>'
        "</documentation></task>"
    ),
    "location of a schema": GOOD.replace(
        "<definitions",
        '<definitions xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{MODEL} {SECRET}"',
    ).encode(),
    "style sheet": f'<?xml-stylesheet href="{SECRET}"?>{GOOD}'.encode(),
    "deepest sub-processes": nested(XML_DEPTH_MAX - 3),
    "5,000 gateways in a circle": model(ring("exclusiveGateway", 5_000)),
    "10,000 boundary events": model(
        f'<serviceTask id="x">{JOB}</serviceTask>'
        + "".join(
            f'<boundaryEvent id="b{n}" attachedToRef="x">{TIMER}</boundaryEvent>'
            for n in range(10_000)
        )
    ),
    "20,000 equal mappings": model(
        '<task id="x"><extensionElements><zeebe:ioMapping>'
        + '<zeebe:input source="=a" target="b"/>' * 20_000
        + "</zeebe:ioMapping></extensionElements></task>"
    ),
    "names that look like code": model(
        '<task id="__import__" name="${jndi:ldap://127.0.0.1/x}"/><task id="__class__"/>'
    ),
    "cron that never comes": timer("timeCycle", "0 0 0 30 2 *"),
    "two thousand processes": (
        f'<definitions xmlns="{MODEL}" targetNamespace="u">'
        + "".join(
            f'<process id="p{n}" isExecutable="true"><startEvent id="s{n}"/></process>'
            for n in range(2_000)
        )
        + "</definitions>"
    ).encode(),
}

watching: list[str] = []
"""What was opened while `no_access` watched; None of it is expected."""
is_watching = [False]


def audit(event: str, arguments: tuple[object, ...]) -> None:
    """Notes access to files, processes and the network. Hooks stay for ever, so it has a switch.

    Python may load its own modules, codecs and zones when they are first needed.
    """
    if not is_watching[0]:
        return
    is_own = str(arguments[:1]).startswith((f"('{sys.prefix}", f"('{sys.base_prefix}"))
    if event.split(".")[0] in ("open", "socket", "subprocess", "urllib", "os") and not is_own:
        watching.append(f"{event} {arguments!r}")


sys.addaudithook(audit)


@contextmanager
def no_access() -> Iterator[None]:
    """Fails when the body opens anything."""
    watching.clear()
    is_watching[0] = True
    try:
        yield
    finally:
        is_watching[0] = False
    assert watching == []


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with no_access(), pytest.raises(InvalidModel) as refused:
        compile_processes("hostile.bpmn", REFUSED[case])
    assert refused.value.report.startswith("'hostile.bpmn': ")
    assert len(refused.value.report.encode()) <= VALIDATION_REPORT_BYTES_MAX
    assert "root:" not in refused.value.report


@pytest.mark.parametrize("case", COMPILED)
def test_compiled(case: str) -> None:
    with no_access():
        assert compile_processes("odd.bpmn", COMPILED[case])


@pytest.mark.parametrize(
    "case", [c for c, file in REFUSED.items() if b"<!DOCTYPE" in file.replace(b"\0", b"")]
)
def test_a_document_type_is_refused_as_such(case: str) -> None:
    with pytest.raises(InvalidModel, match="DOCTYPE"):
        compile_processes("hostile.bpmn", REFUSED[case])


def test_a_resource_name_is_quoted_within_limits() -> None:
    with pytest.raises(InvalidModel) as refused:
        compile_processes("n" * 1_000_000, b"")
    assert len(refused.value.report) < 1_000


def test_all_feel_of_a_file_is_limited(
    document: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grevy.bpmn.reading.MODEL_FEEL_CHARS_MAX", 10_000)
    inputs = "".join(f'<zeebe:input source="={n}+{"1+" * 600}1" target="a"/>' for n in range(10))
    body = f'<task id="x"><extensionElements><zeebe:ioMapping>{inputs}</zeebe:ioMapping>'
    with pytest.raises(InvalidModel, match="at most 10000 characters in a file"):
        compile_processes("p.bpmn", document(f"{body}</extensionElements></task>", "s>x>e"))
