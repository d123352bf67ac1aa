"""What can be wrong with a BPMN file.

ValueError
└── InvalidModel       the file cannot be deployed; has every fault that was found
"""

from __future__ import annotations

from collections.abc import Sequence

from grevy.xml import Fault, quote, report


class InvalidModel(ValueError):
    """The file cannot be deployed.

    `faults` has all that is wrong with it, `report` is the text that its author sees: at most
    `VALIDATION_REPORT_BYTES_MAX` bytes, with a note of how many faults it leaves out.
    """

    def __init__(self, resource_name: str, faults: Sequence[Fault]) -> None:
        assert faults, "a refusal has a reason"
        self.faults = tuple(faults)
        self.report = report(f"'{quote(resource_name)}': ", self.faults)
        super().__init__(self.report)
