"""Times that commands and models ask for, as the log and the state can hold them."""

from __future__ import annotations

from typing import Final

MOMENT_MS_MAX: Final = (1 << 63) - 1
"""The end of time: what is due then is never due."""


def moment(ms: int) -> int:
    """A time in epoch milliseconds; one before 1970 is the beginning of time, and due at once."""
    return min(max(ms, 0), MOMENT_MS_MAX)
