"""What is wrong with a file: faults, each at an element, and the report of them.

ValueError
└── UnreadableXml      the bytes are not XML that we read; a room makes a refusal of its own of it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from grevy.protocol.limits import VALIDATION_REPORT_BYTES_MAX
from grevy.xml.node import Node

_QUOTED_CHARS_MAX: Final = 200
_CUT_NOTE_BYTES: Final = 60
_FAULT_CHARS_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    `element_id` is empty when the file as a whole is meant; `line` counts from 1.
    """

    element_id: str
    text: str
    line: int | None = None


class UnreadableXml(ValueError):
    """The bytes are not XML that we read; `line` counts from 1."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


class Faults:
    """Faults in the order in which they are found, each once."""

    def __init__(self) -> None:
        self._found: dict[Fault, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._found)

    def add(self, node: Node, text: str) -> None:
        """A fault at an element; if it has no id, at the nearest one around it."""
        owner: Node | None = node
        while owner is not None and not owner.id:
            owner = owner.parent
        if len(text) > _FAULT_CHARS_MAX:
            text = f"{text[:_FAULT_CHARS_MAX]}…"
        self._found[Fault("" if owner is None else owner.id, text, node.line or None)] = None


def quote(text: str) -> str:
    """The text as a fault shows it: cut, so that a report never outgrows what it tells about."""
    return text if len(text) <= _QUOTED_CHARS_MAX else f"{text[:_QUOTED_CHARS_MAX]}…"


def report(start: str, faults: tuple[Fault, ...]) -> str:
    """The faults by element, in order of each element's first one, after `start`: at most
    `VALIDATION_REPORT_BYTES_MAX` bytes, with a note of how many are left out.
    """
    by_element: dict[str, list[Fault]] = {}
    for fault in faults:
        by_element.setdefault(fault.element_id, []).append(fault)
    text = start
    room = VALIDATION_REPORT_BYTES_MAX - len(text.encode()) - _CUT_NOTE_BYTES
    told = 0
    for element_id, at_element in by_element.items():
        heading = f"- Element: {quote(element_id)}\n" if element_id else ""
        for fault in at_element:
            where = "" if element_id or fault.line is None else f" (line {fault.line})"
            paragraph = f"{heading}    - ERROR: {fault.text}{where}\n"
            room -= len(paragraph.encode())
            if room < 0:
                return text + f"… and {len(faults) - told} more errors\n"
            text += paragraph
            heading = ""
            told += 1
    return text
