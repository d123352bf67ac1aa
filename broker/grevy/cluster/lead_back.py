"""When a leader hands its partition back to the broker that should lead it.

Brokers fail and come back, and after a while one leads what was meant for three. So whoever leads
instead of another hands over when that one is there again and has the log; not at once, since who
has just come may go again, and the less willingly the more often it has led to nothing.

    able for `patience_ms` ──▶ hand over ──▶ led again within `memory_ms`: twice the patience

Times are of one monotonic clock, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from grevy.cluster.conductor import HandOver

PATIENCE_MS: Final = 10_000
"""Twice the time after which a broker that says nothing counts as dead."""
PATIENCE_TIMES_MAX: Final = 64
"""Some ten minutes between two tries, with the usual patience."""
MEMORY_MS: Final = 30 * 60 * 1_000


class Candidate(NamedTuple):
    """A partition that this broker leads in a term, and the broker that should; `is_able` says that
    this one could take over now: it is alive and well, and has nearly all of the log.
    """

    partition_id: int
    term: int
    heir: int
    is_able: bool


@dataclass(slots=True)
class _Memory:
    """What is remembered of a partition."""

    heir: int = 0
    term: int = 0
    able_since_ms: int | None = None
    handed_over_ms: int | None = None
    times: int = 1


class LeadBack:
    """Decides for one broker. One partition at a time is handed over: each change of leaders is a
    pause for clients, and a broker that has just come should not get all at once.
    """

    def __init__(self, patience_ms: int = PATIENCE_MS) -> None:
        self._patience_ms = patience_ms
        self._memories: dict[int, _Memory] = {}

    def due(
        self, candidates: Sequence[Candidate], now_ms: int, *, at_once: bool = False
    ) -> HandOver | None:
        """The next one to hand over, if any; `candidates` are all partitions that this broker leads
        in another's place. `at_once` is without patience: somebody has asked for it.
        """
        waiting = [self._note(each, now_ms) for each in candidates]
        for candidate, memory in zip(candidates, waiting, strict=True):
            since_ms = memory.able_since_ms
            if since_ms is None:
                continue
            if at_once or now_ms - since_ms >= self._patience_ms * memory.times:
                self._hand_over(memory, now_ms, at_once=at_once)
                return HandOver(candidate.partition_id, candidate.heir)
        return None

    def _note(self, candidate: Candidate, now_ms: int) -> _Memory:
        """Since when the heir could lead, without a break and in this term."""
        memory = self._memories.setdefault(candidate.partition_id, _Memory())
        if (memory.heir, memory.term) != (candidate.heir, candidate.term):
            memory.able_since_ms = None
            memory.heir, memory.term = candidate.heir, candidate.term
        if not candidate.is_able:
            memory.able_since_ms = None
        elif memory.able_since_ms is None:
            memory.able_since_ms = now_ms
        return memory

    def _hand_over(self, memory: _Memory, now_ms: int, *, at_once: bool) -> None:
        """The first time since long, or again: then the next one has to wait longer."""
        before_ms = memory.handed_over_ms
        if before_ms is None or now_ms - before_ms > MEMORY_MS:
            memory.times = 1
        elif not at_once:
            memory.times = min(2 * memory.times, PATIENCE_TIMES_MAX)
        memory.handed_over_ms = memory.able_since_ms = now_ms
