"""A partition's group, as those see it who change it: who is in it, who has the log, who leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grevy.partition.commit import CommitPipeline
from grevy.protocol.raft_messages import GroupMembers

CONFIRMED_S: Final = 0.5
"""For so long a majority's word that it follows a leader counts. Nobody who has followed votes for
another before an election time-out is over, which is a second.
"""
ENTRIES_BEHIND_MAX: Final = 1_000
"""Entries that a replica may lack and still become a voter, or the leader: some hundred
milliseconds of load, for which the others would have to wait.
"""


class Group:
    """The group of one replica. Changes are this broker's to make where `is_led`."""

    def __init__(self, pipeline: CommitPipeline, is_serving: Callable[[], bool]) -> None:
        self._pipeline = pipeline
        self._is_serving = is_serving

    @property
    def is_led(self) -> bool:
        """Whether this replica leads and takes requests, and hands its lead to nobody."""
        return self._is_serving() and not self._pipeline.is_transferring

    @property
    def is_confirmed(self) -> bool:
        """Whether, moments ago, a majority followed this replica: nobody else led then."""
        return self.is_led and self._pipeline.is_lead_confirmed(CONFIRMED_S)

    @property
    def members(self) -> GroupMembers:
        """Who is in the group, by the newest change that is committed."""
        return self._pipeline.committed_members

    @property
    def caught_up(self) -> frozenset[int]:
        """The other replicas, learners too, that have nearly all of this leader's log."""
        return self._pipeline.caught_up(ENTRIES_BEHIND_MAX)

    def doubt_leader(self) -> None:
        """The process that leads may have ended: who may lead waits less until it stands."""
        self._pipeline.doubt_leader()

    def confirm(self) -> None:
        """Asks a majority whether this replica still leads; `is_confirmed` then, soon."""
        if self.is_led:
            self._pipeline.confirm_lead()

    def change(self, members: GroupMembers) -> bool:
        """Begins a change of the members, which then completes by itself; False where that cannot
        be now.
        """
        return self.is_led and self._pipeline.propose_members(members)

    def hand_over(self, node_id: int) -> bool:
        """Hands the lead over to another voter; False where that cannot be."""
        return self.is_led and self._pipeline.transfer_to(node_id)

    def set_priority(self, priority: int, priority_max: int) -> None:
        """Changes this replica's rank, for the next election."""
        self._pipeline.set_priority(priority, priority_max)
