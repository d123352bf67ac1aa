"""Checks a whole file against the grammar of BPMN, and that its ids and references hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from grevy.bpmn.grammar import BOOLEANS, GRAMMAR, Attribute, Shape
from grevy.xml import Faults, Node, quote

_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+\s*")
_REFERENCES: Final = frozenset(("outgoing", "flowNodeRef"))
"""Elements whose text is the id of another one."""


def check_structure(root: Node, faults: Faults) -> None:
    """Adds a fault for each place where the file is not as BPMN has it.

    What stands where it is not expected would be silently without effect.
    """
    ids = _ids(root, faults)
    for node in _elements(root):
        shape = GRAMMAR.get(node.name)
        if shape is None:
            continue
        _check_attributes(node, shape, ids, faults)
        if shape.is_checked:
            _check_children(node, shape, faults)
            if not shape.has_text and node.text.strip():
                faults.add(node, f"A '{node.name}' must have no text of its own")
        if node.name in _REFERENCES and node.text.strip() not in ids:
            what = f"'{node.name}' refers to '{quote(node.text.strip())}'"
            faults.add(node, f"{what}, which is no element of this file")


def _elements(root: Node) -> Iterator[Node]:
    """The elements of BPMN, in document order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.name[0] != "{" and not node.name.startswith("zeebe:"):
            yield node
            waiting.extend(reversed(node.children))


def _ids(root: Node, faults: Faults) -> set[str]:
    """All ids, which are unique in the file; references would be ambiguous otherwise."""
    seen: set[str] = set()
    for node in _elements(root):
        if node.id:
            if node.id in seen:
                faults.add(node, f"The id '{quote(node.id)}' stands more than once in the file")
            seen.add(node.id)
    return seen


def _check_attributes(node: Node, shape: Shape, ids: set[str], faults: Faults) -> None:
    for name, value in node.attributes.items():
        attribute = shape.attributes.get(name)
        if attribute is None:
            if name != "id":
                faults.add(node, f"A '{node.name}' has no attribute '{quote(name)}'")
            continue
        fault = _value_fault(attribute, value, ids)
        if fault:
            faults.add(node, f"'{name}' {fault}, but is '{quote(value)}'")
    for name, attribute in shape.attributes.items():
        if attribute.is_required and name not in node.attributes:
            faults.add(node, f"A '{node.name}' must have the attribute '{name}'")


def _value_fault(attribute: Attribute, value: str, ids: set[str]) -> str:
    if attribute.values is BOOLEANS:
        return "" if value.strip() in BOOLEANS else "must be true or false"
    if attribute.values and value not in attribute.values:
        return f"must be one of {', '.join(sorted(attribute.values))}"
    if attribute.is_number and not _NUMBER.fullmatch(value):
        return "must be a whole number"
    if attribute.is_reference and value not in ids:
        return "must be the id of an element of this file"
    return ""


def _check_children(node: Node, shape: Shape, faults: Faults) -> None:
    """Each child is one that the element may have, and comes after those that come before it."""
    last, last_place = "", -1
    for child in node.children:
        known = shape.children.get(child.name)
        if known is None:
            _check_foreign(node, child, shape, faults)
            continue
        place, is_repeatable = known
        if place < last_place:
            faults.add(node, f"'{child.name}' must stand before '{last}' in a '{node.name}'")
        elif place == last_place and not is_repeatable:
            faults.add(node, f"A '{node.name}' must have only one '{child.name}'")
        if place >= last_place:
            last, last_place = child.name, place


def _check_foreign(node: Node, child: Node, shape: Shape, faults: Faults) -> None:
    is_zeebe = child.name.startswith("zeebe:")
    is_foreign = child.name[0] == "{" and not child.name.startswith("{}")
    if shape.has_foreign and (is_zeebe or is_foreign):
        return
    if is_zeebe:
        faults.add(child, f"'{child.name}' must stand inside 'extensionElements'")
    else:
        name = quote(child.name.removeprefix("{}"))
        faults.add(child, f"'{name}' is no element of BPMN in a '{node.name}'")
