"""An element of a file, with what we read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Node:
    """An element.

    `name` is the local name with the prefix that the vocabulary gives its namespace, `{uri}name`
    for other namespaces (whose content is left out), `{}name` without one. `attributes` are those
    without a namespace; `text` is its own text, that between its children included.
    """

    name: str
    line: int
    attributes: Mapping[str, str]
    text: str
    parent: Node | None
    children: Sequence[Node] = ()

    @property
    def id(self) -> str:
        """The element's id, or ""."""
        return self.attributes.get("id", "")

    def get(self, name: str) -> str:
        """The value of an attribute, or ""."""
        return self.attributes.get(name, "")

    def all(self, name: str) -> list[Node]:
        """The children of that name."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Node | None:
        """The first child of that name."""
        for child in self.children:
            if child.name == name:
                return child
        return None
