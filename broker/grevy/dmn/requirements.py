"""What decisions and business knowledge models require: references, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from grevy.xml import Faults, Node, quote


def references(
    owner: Node, found: Sequence[Node], known: Mapping[str, Node], faults: Faults
) -> list[str]:
    """The ids that references of an element name, in document order, and a fault for each that is
    not `known`. What stands before `#`, the name of a file, is not looked at.
    """
    names: list[str] = []
    for reference in found:
        href = reference.get("href")
        name = href.rpartition("#")[2]
        if name in known:
            names.append(name)
        else:
            faults.add(owner, f"The {reference.name} '{quote(href)}' is not in the file")
    return names


def in_order(links: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The ids, each after those that it requires, and the cycles that stand in the way. Without
    recursion.
    """
    order: list[str] = []
    cycles: list[list[str]] = []
    done: set[str] = set()
    for start in links:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(links[start])}
        while path:
            name = next(reversed(path))
            below = next(path[name], None)
            if below is None:
                del path[name]
                done.add(name)
                order.append(name)
            elif below in path:
                names = list(path)
                cycles.append([*names[names.index(below) :], below])
            elif below not in done:
                path[below] = iter(links[below])
    return order, cycles
