"""Where damage may be: a group survives that a minority lacks what was durable, and no more."""

from __future__ import annotations


class Atlas:
    """Who has been hurt and is not repaired yet. Who it is changes in the course of a run: so each
    record is whole on a majority at any time, and every replica may be hurt.

    `is_beyond` lets it be more than a minority. What is lost then is lost; the group may stand
    still for ever, but must not go on without it as if it had never been.
    """

    def __init__(self, minority: int, *, is_beyond: bool = False) -> None:
        self.hurt: set[int] = set()
        self.was_beyond = False
        """Whether more than a minority was hurt at one time."""
        self.was_healed = False
        """Whether somebody is whole again."""
        self._minority = minority
        self._is_beyond = is_beyond

    def allows(self, node: int) -> bool:
        """Whether a replica may be hurt now."""
        return self._is_beyond or node in self.hurt or len(self.hurt) < self._minority

    def hurts(self, node: int) -> None:
        """A replica's disk is damaged."""
        self.hurt.add(node)
        self.was_beyond = self.was_beyond or len(self.hurt) > self._minority

    def heals(self, node: int) -> None:
        """A replica has found all that it had, or has it again from others."""
        self.was_healed = self.was_healed or node in self.hurt
        self.hurt.discard(node)
