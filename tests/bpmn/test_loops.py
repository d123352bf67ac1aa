"""Straight-through loops: what never waits is refused, what waits is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Faults = Callable[..., list[tuple[str, str]]]

JOB = '<extensionElements><zeebe:taskDefinition type="t"/></extensionElements>'
SCRIPT = (
    '<scriptTask id="x"><extensionElements><zeebe:script expression="=1" resultVariable="r"/>'
    "</extensionElements></scriptTask>"
)
TIMER = "<timerEventDefinition><timeDuration>PT0S</timeDuration></timerEventDefinition>"
GATEWAYS = '<exclusiveGateway id="g"/><exclusiveGateway id="h" default="h_g"/>'
LOOP = ("s>g>x>h>g", "h>e:=a")


def sub_process(inside: str, *flows: tuple[str, str]) -> str:
    """A sub-process `x` with a start event `is`."""
    edges = "".join(
        f'<sequenceFlow id="{a}_{b}" sourceRef="{a}" targetRef="{b}"/>' for a, b in flows
    )
    return f'<subProcess id="x"><startEvent id="is"/>{inside}{edges}</subProcess>'


def loops(found: list[tuple[str, str]]) -> list[str]:
    """The ways that faults tell of."""
    return [text.partition(": ")[2] for _, text in found if "straight-through loop" in text]


@pytest.mark.parametrize(
    ("inside", "way"),
    [
        ('<manualTask id="x"/>', "x > h > g > x"),
        ('<task id="x"/>', "x > h > g > x"),
        (SCRIPT, "x > h > g > x"),
        ('<intermediateThrowEvent id="x"/>', "x > h > g > x"),
        (
            f'<intermediateThrowEvent id="x">{JOB}<messageEventDefinition/></intermediateThrowEvent>',
            "x > h > g > x",
        ),
        (
            sub_process('<manualTask id="y"/><endEvent id="ie"/>', ("is", "y"), ("y", "ie")),
            "y > ie > h > g > x > is > y",
        ),
        (sub_process('<manualTask id="y"/>', ("is", "y")), "y > h > g > x > is > y"),
    ],
)
def test_refused(faults: Faults, inside: str, way: str) -> None:
    assert loops(faults(GATEWAYS + inside, *LOOP)) == [way]


@pytest.mark.parametrize(
    "inside",
    [
        f'<serviceTask id="x">{JOB}</serviceTask>',
        f'<scriptTask id="x">{JOB}</scriptTask>',
        f'<intermediateCatchEvent id="x">{TIMER}</intermediateCatchEvent>',
        '<parallelGateway id="x"/>',
        sub_process('<endEvent id="ie"/>', ("is", "ie")),
        sub_process(
            f'<serviceTask id="y">{JOB}</serviceTask><endEvent id="ie"/>', ("is", "y"), ("y", "ie")
        ),
    ],
)
def test_let_through(faults: Faults, inside: str) -> None:
    assert faults(GATEWAYS + inside, *LOOP) == []


def test_a_loop_that_nothing_leads_to(faults: Faults) -> None:
    body = '<manualTask id="x"/><manualTask id="y"/>'
    assert loops(faults(body, "s>e", "x>y>x")) == ["x > y > x"]


def test_a_loop_through_the_start_event(faults: Faults) -> None:
    assert loops(faults('<manualTask id="x"/>', "s>x>s")) == ["x > s > x"]


def test_each_knot_is_told_by_its_shortest_way(faults: Faults) -> None:
    body = "".join(f'<task id="{i}"/>' for i in "abcdef")
    found = loops(faults(body, "s>a>b>c>a", "b>a", "c>d>e>f>d"))
    assert sorted(found) == ["a > b > a", "d > e > f > d"]


def test_a_boundary_event_leads_back_only_after_a_wait(faults: Faults) -> None:
    boundary = f'<boundaryEvent id="b" attachedToRef="x">{TIMER}</boundaryEvent>'
    assert faults(f'<manualTask id="x"/>{boundary}', "s>x>e", "b>x") == []


def test_nested_sub_processes(faults: Faults) -> None:
    innermost = (
        '<subProcess id="z"><startEvent id="zs"/><endEvent id="ze"/>'
        '<sequenceFlow id="zf" sourceRef="zs" targetRef="ze"/></subProcess><endEvent id="ie"/>'
    )
    outer = sub_process(innermost, ("is", "z"), ("z", "ie"))
    found = faults(f'{GATEWAYS}{outer}<manualTask id="m"/>', "s>g>x>m>h>g", "h>e:=a")
    assert loops(found) == ["m > h > g > x > is > z > zs > ze > ie > m"]


def test_gateways_alone_are_a_loop_once_an_activity_leads_to_them(faults: Faults) -> None:
    gateways = '<exclusiveGateway id="g"/><exclusiveGateway id="h" default="h_g"/>'
    assert loops(faults(f'{gateways}<manualTask id="m"/>', "s>m>g>h>g", "h>e:=a")) == ["g > h > g"]
    assert loops(faults(gateways, "s>g>h>g", "h>e:=a")) == []


def test_a_sub_process_of_junctions_is_a_loop_behind_an_activity(faults: Faults) -> None:
    empty = sub_process('<endEvent id="ie"/>', ("is", "ie"))
    assert loops(faults(f'{empty}<manualTask id="m"/>', "s>m>x>x")) == ["x > is > ie > x"]
    assert loops(faults(empty, "s>x>x")) == []


@pytest.mark.parametrize("end", ["", "<messageEventDefinition/>", "<terminateEventDefinition/>"])
def test_every_end_event_of_a_sub_process_is_passed(faults: Faults, end: str) -> None:
    inside = f'<manualTask id="y"/><endEvent id="ie">{JOB}{end}</endEvent>'
    body = sub_process(inside, ("is", "y"), ("y", "ie"))
    assert loops(faults(GATEWAYS + body, *LOOP)) == ["y > ie > h > g > x > is > y"]


def test_the_way_ends_with_a_sub_process_that_nothing_follows(faults: Faults) -> None:
    inner = '<subProcess id="z"><startEvent id="zs"/></subProcess>'
    followed = f'{inner}<manualTask id="m"/><endEvent id="ie"/>'
    unfollowed = sub_process(f'{inner}<manualTask id="m"/>', ("is", "m"), ("m", "z"))
    assert loops(faults(unfollowed, "s>x>x")) == []
    body = sub_process(followed, ("is", "m"), ("m", "z"), ("z", "ie"))
    assert loops(faults(body, "s>x>x")) == ["m > z > zs > ie > x > is > m"]
