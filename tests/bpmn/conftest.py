"""A shorthand for BPMN files, so that a test shows only what it is about."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from grevy.bpmn import InvalidModel, compile_processes
from grevy.bpmn.model import Process

NAMESPACES = (
    'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="http://example.org"'
)


def _flow(source: str, target: str, condition: str) -> str:
    inner = f"<conditionExpression>{condition}</conditionExpression>" if condition else ""
    ends = f'sourceRef="{source}" targetRef="{target}"'
    return f'<sequenceFlow id="{source}_{target}" {ends}>{inner}</sequenceFlow>'


def _flows(shorthand: str) -> str:
    """`s>a>e` and `g>e:=x > 1` as sequence flows."""
    path, _, condition = shorthand.partition(":")
    steps = path.split(">")
    return "".join(_flow(a, b, condition) for a, b in itertools.pairwise(steps))


def _document(body: str, *flows: str, beside: str = "") -> bytes:
    path = {step for shorthand in flows for step in shorthand.partition(":")[0].split(">")}
    for tag, element_id in (("startEvent", "s"), ("endEvent", "e"), ("endEvent", "e2")):
        if element_id in path and f'id="{element_id}"' not in body:
            body += f'<{tag} id="{element_id}"/>'
    body += "".join(_flows(shorthand) for shorthand in flows)
    process = f'<process id="p" isExecutable="true">{body}</process>'
    return f"<definitions {NAMESPACES}>{process}{beside}</definitions>".encode()


@pytest.fixture(scope="session")
def document() -> Callable[..., bytes]:
    """`document(body, "s>a>e", "g>e:=x", beside=messages)`: a file with one process `p`.

    The events `s`, `e` and `e2` are added where flows name them.
    """
    return _document


@pytest.fixture(scope="session")
def compiled(document: Callable[..., bytes]) -> Callable[..., Process]:
    """The process of `document(…)`."""

    def compile_one(body: str, *flows: str, beside: str = "") -> Process:
        (process,) = compile_processes("p.bpmn", document(body, *flows, beside=beside))
        return process

    return compile_one


@pytest.fixture(scope="session")
def faults(document: Callable[..., bytes]) -> Callable[..., list[tuple[str, str]]]:
    """The faults of `document(…)`: element ids and texts; none if it compiles."""

    def faults_of(body: str, *flows: str, beside: str = "") -> list[tuple[str, str]]:
        try:
            compile_processes("p.bpmn", document(body, *flows, beside=beside))
        except InvalidModel as refused:
            return [(fault.element_id, fault.text) for fault in refused.faults]
        return []

    return faults_of
