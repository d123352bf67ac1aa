"""Finds straight-through loops: cycles in which nothing waits, so that an instance never rests.

As in Zeebe, a cycle counts once an activity without a wait leads to it: one of gateways alone that
only start events lead to is let through, and the limit of activations ends it. A loop through a
job, a message or a timer waits; a throw or end event does not count as a wait even where a worker
sends its message, which is as in Zeebe too. Where a path ends in a sub-process, one goes on behind
that sub-process; if nothing is behind it, the way ends there, also inside another one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from grevy.bpmn.model import Element, Process
from grevy.protocol.intents import BpmnElementType

_Graph = dict[str, list[str]]

_PASSED: Final = (
    BpmnElementType.TASK,
    BpmnElementType.MANUAL_TASK,
    BpmnElementType.INTERMEDIATE_THROW_EVENT,
)
_JUNCTIONS: Final = (
    BpmnElementType.EXCLUSIVE_GATEWAY,
    BpmnElementType.PARALLEL_GATEWAY,
    BpmnElementType.START_EVENT,
    BpmnElementType.END_EVENT,
    BpmnElementType.SUB_PROCESS,
)
_EXIT: Final = " "
"""Before the id of a sub-process it names the place where one leaves it; no id begins so."""


def straight_through_loops(process: Process) -> list[list[str]]:
    """A shortest loop of each knot of them: ids from an activity back to it, such as a, g, a.

    A knot without an activity is told from its first element on.
    """
    graph = _passed_edges(process)
    reached = _reached(graph, [i for i in graph if i[0] != _EXIT and _works(process.elements[i])])
    place = {element_id: number for number, element_id in enumerate(process.elements)}
    loops = []
    for knot in _knots({at: graph[at] for at in reached}):
        members = set(knot)
        inside = sorted((i for i in knot if i[0] != _EXIT), key=place.__getitem__)
        seed = next((i for i in inside if _works(process.elements[i])), inside[0])
        loops.append([step for step in _way_back(graph, members, seed) if step[0] != _EXIT])
    return loops


def _works(element: Element) -> bool:
    """Whether the element is more than a junction, and passed without a wait."""
    if element.element_type is BpmnElementType.SCRIPT_TASK:
        return element.script is not None
    return element.element_type in _PASSED


def _is_passed(element: Element) -> bool:
    return element.element_type in _JUNCTIONS or _works(element)


def _passed_edges(process: Process) -> _Graph:
    """Where one gets from each element that is passed, in and out of sub-processes."""
    graph: _Graph = {}
    for element in process.elements.values():
        if element is process.root or not _is_passed(element):
            continue
        behind = [flow.target.id for flow in element.outgoing]
        if element.element_type is BpmnElementType.SUB_PROCESS:
            graph[_EXIT + element.id] = behind
            behind = [event.id for event in element.start_events]
        elif not behind and element.scope is not None and element.scope is not process.root:
            behind = [_EXIT + element.scope.id]
        graph[element.id] = behind
    return {key: [to for to in ends if to in graph] for key, ends in graph.items()}


def _reached(graph: _Graph, seeds: list[str]) -> list[str]:
    """Where one gets from some places, these included."""
    reached = dict.fromkeys(seeds)
    waiting = list(seeds)
    while waiting:
        for end in graph[waiting.pop()]:
            if end not in reached:
                reached[end] = None
                waiting.append(end)
    return list(reached)


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
