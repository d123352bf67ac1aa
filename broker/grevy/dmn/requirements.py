"""What decisions and business knowledge models require: references, and their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from grevy.xml import Faults, Node, quote


def references(
    owner: Node, requirement: str, reference: str, known: Mapping[str, Node], faults: Faults
) -> list[str]:
    """The ids of what an element requires, in document order, without those that do not exist."""
    found: list[str] = []
    for link in owner.all(requirement):
        target = link.first(reference)
        if target is None:
            continue
        name = target.get("href").rpartition("#")[2]
        if name not in known:
            faults.add(
                link if link.id else owner,
                f"The {reference} '{quote(target.get('href'))}' is not in the file",
            )
        elif name not in found:
            found.append(name)
    return found


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
