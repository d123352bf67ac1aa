"""What can be wrong with a DMN file.

GrevyError
└── InvalidDecisions   the file cannot be deployed; has every fault that was found
"""

from __future__ import annotations

from collections.abc import Sequence

from grevy.protocol.errors import GrevyError
from grevy.xml import Fault, report


class InvalidDecisions(GrevyError):
    """The file cannot be deployed.

    `faults` has all that is wrong with it; the message is the text that its author sees: at most
    `VALIDATION_REPORT_BYTES_MAX` bytes, with a note of how many faults it leaves out.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        assert faults, "a refusal has a reason"
        self.faults = tuple(faults)
        super().__init__(report("", self.faults))
