"""Rare situations that a column of runs with brokers that come and go must reach."""

from __future__ import annotations

from tests.sim.marks import Mark


class MembershipMark(Mark):
    """The situations."""

    BEGUN = "a change of the members is begun"
    BUSY = "a change is refused while another one is under way"
    CANCELLED = "a change is cancelled under way"
    KILLED_CHANGING = "a broker is killed while a change is under way"
    REMOVED = "a broker was removed, and ends"
    ADDED_AGAIN = "a broker is a member again that was removed"
