"""Finds straight-through loops: cycles in which nothing waits, so that an instance never rests.

A cycle of gateways alone is let through, as in Zeebe: its conditions may end it, and the limit of
activations ends the others. A loop through a job, a message or a timer waits.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from grevy.bpmn.model import Element, Process
from grevy.protocol.intents import BpmnElementType, BpmnEventType

_Graph = dict[str, list[str]]

_GATEWAYS: Final = (BpmnElementType.EXCLUSIVE_GATEWAY, BpmnElementType.PARALLEL_GATEWAY)
_PASSED_ACTIVITIES: Final = (BpmnElementType.TASK, BpmnElementType.MANUAL_TASK)
_EXIT: Final = " "
"""Before the id of a sub-process it names the place where one leaves it; no id begins so."""


def straight_through_loops(process: Process) -> list[list[str]]:
    """A shortest loop of each knot of them: ids from an activity back to it, such as a, g, a."""
    graph = _passed_edges(process)
    loops = []
    for knot in _knots(graph):
        members = set(knot)
        seed = next(
            (i for i in process.elements if i in members and _works(process.elements[i])), None
        )
        if seed is not None:
            loops.append([step for step in _way_back(graph, members, seed) if step[0] != _EXIT])
    return loops


def _works(element: Element) -> bool:
    """Whether the element is more than a junction, and passed without a wait."""
    if element.element_type is BpmnElementType.SCRIPT_TASK:
        return element.script is not None
    if element.element_type is BpmnElementType.INTERMEDIATE_THROW_EVENT:
        return element.job is None
    return element.element_type in _PASSED_ACTIVITIES


def _is_passed(element: Element) -> bool:
    if element.element_type is BpmnElementType.END_EVENT:
        return element.event_type in (BpmnEventType.NONE, BpmnEventType.TERMINATE)
    junctions = (*_GATEWAYS, BpmnElementType.START_EVENT, BpmnElementType.SUB_PROCESS)
    return element.element_type in junctions or _works(element)


def _passed_edges(process: Process) -> _Graph:
    """Where one gets from each element that is passed, in and out of sub-processes."""
    graph: _Graph = {}
    for element in process.elements.values():
        if element is process.root or not _is_passed(element):
            continue
        behind = [flow.target.id for flow in element.outgoing]
        if not behind and element.scope is not None and element.scope is not process.root:
            behind = [_EXIT + element.scope.id]
        if element.element_type is BpmnElementType.SUB_PROCESS:
            graph[_EXIT + element.id] = behind
            behind = [event.id for event in element.start_events]
        graph[element.id] = behind
    return {key: [to for to in ends if to in graph] for key, ends in graph.items()}


def _knots(graph: _Graph) -> list[list[str]]:
    """The strongly connected components with a cycle (Tarjan's algorithm, not recursive)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    knots: list[list[str]] = []
    for root in graph:
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        while work:
            at, ends = work[-1]
            if at not in number:
                number[at] = lowest[at] = len(number)
                path.append(at)
                on_path.add(at)
            for end in ends:
                if end not in number:
                    work.append((end, iter(graph[end])))
                    break
                if end in on_path:
                    lowest[at] = min(lowest[at], number[end])
            else:
                work.pop()
                if work:
                    before = work[-1][0]
                    lowest[before] = min(lowest[before], lowest[at])
                if lowest[at] == number[at]:
                    knot = _cut_off(path, on_path, at)
                    if len(knot) > 1 or at in graph[at]:
                        knots.append(knot)
    return knots


def _cut_off(path: list[str], on_path: set[str], first: str) -> list[str]:
    """Takes the end of the path from `first` on."""
    knot: list[str] = []
    while not knot or knot[-1] != first:
        knot.append(path.pop())
        on_path.discard(knot[-1])
    return knot


def _way_back(graph: _Graph, members: set[str], seed: str) -> list[str]:
    """The shortest way from a member of a knot back to it."""
    came_from: dict[str, str] = {}
    waiting = deque([seed])
    while seed not in came_from:
        at = waiting.popleft()
        for end in graph[at]:
            if end in members and end not in came_from:
                came_from[end] = at
                waiting.append(end)
    way = [seed, came_from[seed]]
    while way[-1] != seed:
        way.append(came_from[way[-1]])
    return way[::-1]
