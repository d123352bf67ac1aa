"""What is known of one host, and what follows from what happens to it: values in, values out.

    attempt ─▶ began ─▶ heard(Ready) ─▶ … ─▶ ended ─▶ a pause, then the next attempt; or none, when
                                                      it was told to end, or is lost

A host is lost that has never been ready, or has said that another try would end the same way.
"""

from __future__ import annotations

from typing import Final

import msgspec

from grevy.broker.hosts import Failed, FromHost, HostReport, Ready, Removed

PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 30.0
"""Between two starts of a host that keeps dying: doubles up to here."""

STEADY_S: Final = 60.0
"""One that lived so long was well: its next pause is the shortest again."""


class HostLife:
    """One host, over all its processes. Times are a stopwatch's, in seconds, but for `now_ms`."""

    def __init__(self, number: int) -> None:
        self.report = HostReport(number, "down")
        """How it is."""
        self.has_been_ready = False
        """Whether it took requests once."""
        self.is_ending = False
        """Whether it was told to end, or was removed: it does not begin again."""
        self.is_lost = False
        """Whether it has ended, and another try would be of no use."""
        self._failure = Failed("")
        self._attempt_s = 0.0
        self._pause_s = PAUSE_MIN_S

    def attempt(self, now_s: float) -> None:
        """A process of it is about to be started."""
        assert not self.is_lost, "there is no use in another try"
        self._failure = Failed("")
        self._attempt_s = now_s

    def began(self, pid: int) -> None:
        """There is a process."""
        process = "stopping" if self.is_ending else "starting"
        self._note(process=process, pid=pid, starts=self.report.starts + 1)

    def heard(self, message: FromHost) -> None:
        """What it says of itself; all else it says is nothing to this."""
        match message:
            case Ready(endpoint=endpoint):
                self.has_been_ready = True
                if not self.is_ending:
                    self._note(process="running", endpoint=endpoint)
            case Failed():
                self._failure = message
            case Removed():
                self.is_ending = True

    def told_to_end(self) -> None:
        """Whatever comes, it is not started again."""
        self.is_ending = True
        if self.report.process in ("starting", "running"):
            self._note(process="stopping")

    def ended(self, how: str, now_s: float, now_ms: int) -> float | None:
        """Its process has ended, or could not begin: in how many seconds the next one is due; None
        for never.
        """
        self._note(process="down", pid=0)
        if self.is_ending:
            return None
        self._note(last_error=self._failure.error or how, last_error_at=now_ms)
        if self._failure.is_final or not self.has_been_ready:
            self.is_lost = True
            return None
        if now_s - self._attempt_s > STEADY_S:
            self._pause_s = PAUSE_MIN_S
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, PAUSE_MAX_S)
        return pause_s

    def unwatched(self, error: str) -> None:
        """It cannot be watched any more, and is lost."""
        self.is_lost = True
        self._note(process="down", last_error=error)

    def _note(self, **changes: str | int) -> None:
        self.report = msgspec.structs.replace(self.report, **changes)
