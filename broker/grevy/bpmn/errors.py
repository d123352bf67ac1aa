"""What can be wrong with a BPMN file: faults, each at an element, and the report of them.

ValueError
├── InvalidModel       the file cannot be deployed; has every fault that was found
└── UnreadableXml      inside the room only: the bytes are not XML that we read
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from grevy.protocol.limits import VALIDATION_REPORT_BYTES_MAX

_QUOTED_CHARS_MAX: Final = 200
_CUT_NOTE_BYTES: Final = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    `element_id` is empty when the file as a whole is meant; `line` counts from 1.
    """

    element_id: str
    text: str
    line: int | None = None


class InvalidModel(ValueError):
    """The file cannot be deployed.

    `faults` has all that is wrong with it, `report` is the text that its author sees: at most
    `VALIDATION_REPORT_BYTES_MAX` bytes, with a note of how many faults it leaves out.
    """

    def __init__(self, resource_name: str, faults: Sequence[Fault]) -> None:
        assert faults, "a refusal has a reason"
        self.faults = tuple(faults)
        self.report = _report(quote(resource_name), self.faults)
        super().__init__(self.report)


class UnreadableXml(ValueError):
    """The bytes are not XML that we read; `line` counts from 1."""

    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.line = line


def quote(text: str) -> str:
    """The text as a fault shows it: cut, so that a report never outgrows what it tells about."""
    return text if len(text) <= _QUOTED_CHARS_MAX else f"{text[:_QUOTED_CHARS_MAX]}…"


def _report(resource_name: str, faults: tuple[Fault, ...]) -> str:
    """The faults by element, in order of each element's first one, as long as there is room."""
    by_element: dict[str, list[Fault]] = {}
    for fault in faults:
        by_element.setdefault(fault.element_id, []).append(fault)
    report = f"'{resource_name}': "
    room = VALIDATION_REPORT_BYTES_MAX - len(report.encode()) - _CUT_NOTE_BYTES
    told = 0
    for element_id, at_element in by_element.items():
        heading = f"- Element: {quote(element_id)}\n" if element_id else ""
        for fault in at_element:
            where = "" if element_id or fault.line is None else f" (line {fault.line})"
            paragraph = f"{heading}    - ERROR: {fault.text}{where}\n"
            room -= len(paragraph.encode())
            if room < 0:
                return report + f"… and {len(faults) - told} more errors\n"
            report += paragraph
            heading = ""
            told += 1
    return report
