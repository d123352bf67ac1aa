"""How hard a run is, drawn for each seed: any fault may be absent, and a few may be at their worst.

A run in which all goes wrong a little finds few faults: what one of them uncovers, another hides.
So each seed has its own small set of them (swarm testing).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from random import Random
from typing import Final, TypeVar

from tests.sim.disk import DAMAGES

T = TypeVar("T")
LOST_NAME: Final = "lost name"
WIPED: Final = "wiped"
HURTS: Final = (*DAMAGES, LOST_NAME, WIPED)
"""What may happen to a replica's disk while the replica is down."""

NEVER: Final = 0
"""For the mean number of ticks between two faults of a kind."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The options of one run. Times are in microseconds or in ticks; `..._every` is the mean
    number of ticks between two events of a kind in the whole group, `NEVER` for none.
    """

    replicas: int
    tick_us: int
    election_ticks: int
    heartbeat_ticks: int
    fault_ticks: int
    """How long the faults last."""
    drift: float
    """A replica's ticks are longer or shorter by at most this share."""
    turn_us: int
    """How long a replica gathers messages before it does what is ready; 0 for at once."""
    flush_us: int
    slow_disk: bool
    """Whether one replica's flushes take a hundred times as long."""
    segment_bytes: int
    append_bytes: int
    """What one message of a leader carries at most."""
    inflight_messages: int
    tail_bytes: int
    chunk_bytes: int
    snapshot_bytes: int
    has_priorities: bool
    proposal_every: float
    proposal_bytes: int
    read_every: float
    lost: float
    doubled: float
    late: float
    delay_us: int
    late_us: int
    is_ordered: bool
    cut_every: int
    cut_ticks: int
    crash_every: int
    down_ticks: int
    kill: float
    """Share of the crashes that leave what was written, as the death of a process does."""
    mid_write: float
    """Share of the crashes that come between two writes to the disk, inside of a turn."""
    storm: float
    """Share of the crashes that are followed by another one within three ticks."""
    crash_all_every: int
    pause_every: int
    pause_ticks: int
    disk_error_every: int
    damage_every: int
    transfer_every: int
    members_every: int
    snapshot_every: int
    damages: tuple[str, ...]
    """Of `HURTS`, those that happen."""
    is_beyond: bool
    """Whether more replicas may be damaged at one time than the group survives."""
    short_read_every: int
    full_disk_every: int
    full_disk_ticks: int

    def lines(self) -> str:
        """All options, one a line."""
        return "\n".join(f"  {name} = {value}" for name, value in asdict(self).items())


def draw_knobs(rng: Random) -> Knobs:
    """The options of a run."""

    def pick(*values: T) -> T:
        return rng.choice(values)

    def sometimes(chance: float, *values: T, otherwise: T) -> T:
        return rng.choice(values) if rng.random() < chance else otherwise

    tick_us = 10_000
    damage_every = sometimes(0.25, 30, 150, otherwise=NEVER)
    # A minority may be damaged; which one that is would change with the members.
    members_every = sometimes(0.3, 20, 60, otherwise=NEVER) if not damage_every else NEVER
    return Knobs(
        replicas=rng.choices((3, 5, 7), weights=(6, 3, 1))[0],
        tick_us=tick_us,
        election_ticks=pick(5, 10),
        heartbeat_ticks=pick(1, 2),
        fault_ticks=pick(200, 400, 600),
        drift=sometimes(0.4, 0.0002, 0.1, 0.5, otherwise=0.0),
        turn_us=sometimes(0.5, 1_000, 10_000, otherwise=0),
        flush_us=pick(100, 2_000, 20_000, 200_000),
        slow_disk=rng.random() < 0.2,
        segment_bytes=pick(1_024, 4_096, 65_536),
        append_bytes=pick(100, 1_000, 65_536),
        inflight_messages=pick(1, 4, 64),
        tail_bytes=pick(0, 500, 65_536),
        chunk_bytes=pick(64, 1_000, 65_536),
        snapshot_bytes=pick(0, 500, 4_000),
        has_priorities=rng.random() < 0.3,
        proposal_every=pick(0.3, 1.0, 5.0),
        proposal_bytes=pick(8, 100, 600),
        read_every=sometimes(0.5, 3.0, 20.0, otherwise=0.0),
        lost=sometimes(0.5, 0.01, 0.1, 0.3, otherwise=0.0),
        doubled=sometimes(0.4, 0.05, 0.5, otherwise=0.0),
        late=sometimes(0.5, 0.01, 0.1, 0.3, otherwise=0.0),
        delay_us=pick(100, 1_000, 10_000, 30_000),
        late_us=pick(50_000, 500_000, 5_000_000),
        is_ordered=rng.random() < 0.75,
        cut_every=sometimes(0.6, 10, 30, 100, otherwise=NEVER),
        cut_ticks=pick(3, 15, 60),
        crash_every=sometimes(0.7, 5, 20, 60, otherwise=NEVER),
        down_ticks=pick(1, 10, 60),
        kill=pick(0.0, 0.5, 1.0),
        mid_write=pick(0.0, 0.5),
        storm=sometimes(0.3, 0.3, 0.8, otherwise=0.0),
        crash_all_every=sometimes(0.2, 50, 200, otherwise=NEVER),
        pause_every=sometimes(0.3, 20, 100, otherwise=NEVER),
        pause_ticks=pick(3, 20, 100),
        disk_error_every=sometimes(0.3, 20, 100, otherwise=NEVER),
        damage_every=damage_every,
        transfer_every=sometimes(0.3, 10, 50, otherwise=NEVER),
        members_every=members_every,
        snapshot_every=sometimes(0.5, 5, 30, otherwise=NEVER),
        damages=tuple(rng.sample(HURTS, rng.randrange(1, len(HURTS) + 1))),
        is_beyond=rng.random() < 0.2,
        short_read_every=sometimes(0.2, 20, 100, otherwise=NEVER),
        full_disk_every=sometimes(0.2, 50, 200, otherwise=NEVER),
        full_disk_ticks=pick(3, 30),
    )
