"""Who makes things go wrong in a group of replicas, as the knobs of the run say.

It never does more than a group must survive, unless the knobs say so: damage to what was durable
hits a minority at a time (`tests.sim.atlas`). Everything else may happen to all at the same time.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.sim.disk import SHORT
from tests.sim.network import Weather

if TYPE_CHECKING:
    from tests.sim.raft_group import Group

STORM_TICKS: Final = 3
"""A storm's next crash comes within so many ticks."""

WRITES_MAX: Final = 12
"""A crash between two writes comes after fewer than this many of them."""

DISK_ERRORS: Final = (
    ("fdatasync", errno.EIO),
    ("fdatasync", errno.ENOSPC),
    ("fsync_dir", errno.EIO),
    ("pwrite", errno.ENOSPC),
    ("pwrite", errno.EIO),
    ("create", errno.ENOSPC),
    ("truncate", errno.EIO),
    ("remove", errno.EIO),
    ("rename", errno.EIO),
    ("pread", errno.EIO),
    ("create", errno.EIO),
    ("reserve", errno.ENOSPC),
    ("reserve", errno.EIO),
    ("fsync_dir", errno.ENOSPC),
    ("open", errno.EIO),
    ("list", errno.EIO),
    ("size", errno.EIO),
    ("mkdir", errno.EIO),
)
"""Any call may fail; those that only look do so at a start."""

READS_MAX: Final = 8
"""A read that gives too little comes after fewer than this many others."""

Way = tuple[int, int]


class Nemesis:
    """Draws faults until it is told to stop."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._world = group.world
        self._rng = group.world.rng
        self._knobs = group.knobs
        self._is_over = False

    def begin(self) -> None:
        """From now on things go wrong."""
        knobs = self._knobs
        self._group.network.weather = Weather(
            knobs.lost, knobs.doubled, knobs.late, knobs.delay_us, knobs.late_us, knobs.is_ordered
        )
        for every, action in (
            (knobs.cut_every, self._hurt_network),
            (knobs.crash_every, self._crash),
            (knobs.crash_all_every, self._crash_all),
            (knobs.pause_every, self._pause),
            (knobs.disk_error_every, self._fail_disk),
            (knobs.damage_every, self._damage),
            (knobs.short_read_every, self._read_short),
            (knobs.full_disk_every, self._fill_disk),
            (knobs.transfer_every, self._group.transfer_leadership),
            (knobs.members_every, self._group.change_members),
        ):
            if every:
                self._repeat(every, action)

    def end(self) -> None:
        """Nothing more goes wrong; what has been hurt stays so until somebody heals it."""
        self._is_over = True
        self._group.network.weather = replace(
            self._group.network.weather, lost=0.0, doubled=0.0, late=0.0, delay_us=1_000
        )

    def _repeat(self, every: int, action: Callable[[], None]) -> None:
        def happen() -> None:
            if not self._is_over:
                action()
                self._repeat(every, action)

        self._world.after(self._ticks_us(self._rng.expovariate(1 / every)), happen)

    def _ticks_us(self, ticks: float) -> int:
        return 1 + int(ticks * self._knobs.tick_us)

    def _some_ticks_us(self, mean: int) -> int:
        return self._ticks_us(self._rng.uniform(0.2, 1.8) * mean)

    # The network

    def _hurt_network(self) -> None:
        kinds = (
            self._cut_one_way, self._isolate, self._isolate_leader, self._split, self._clog,
            self._flap, self._bridge,
        )  # fmt: skip
        kind = self._rng.choice(kinds)
        self._world.note(kind.__name__)
        kind()

    def _cut(self, ways: list[Way], cut_us: int) -> None:
        for way in ways:
            self._group.network.cut(*way)
        self._world.after(cut_us, partial(self._mend, ways))

    def _mend(self, ways: list[Way]) -> None:
        if not self._is_over:
            for way in ways:
                self._group.network.mend(*way)

    def _ways(self, some: list[int], others: list[int]) -> list[Way]:
        return [way for a in some for b in others if a != b for way in ((a, b), (b, a))]

    def _cut_one_way(self) -> None:
        a, b = self._rng.sample(self._group.ids, 2)
        self._cut([(a, b)], self._some_ticks_us(self._knobs.cut_ticks))

    def _isolate(self) -> None:
        self._isolate_one(self._rng.choice(self._group.ids))

    def _isolate_leader(self) -> None:
        self._isolate_one(self._group.leader_id() or self._rng.choice(self._group.ids))

    def _isolate_one(self, node: int) -> None:
        ways = self._ways([node], self._group.ids)
        direction = self._rng.randrange(3)
        if direction:
            ways = [way for way in ways if way[direction - 1] == node]
        self._cut(ways, self._some_ticks_us(self._knobs.cut_ticks))

    def _split(self) -> None:
        ids = self._rng.sample(self._group.ids, len(self._group.ids))
        cut = self._rng.randrange(1, len(ids))
        self._cut(self._ways(ids[:cut], ids[cut:]), self._some_ticks_us(self._knobs.cut_ticks))

    def _bridge(self) -> None:
        """One node reaches all others, and these do not reach each other."""
        others = self._rng.sample(self._group.ids, len(self._group.ids))[1:]
        half = len(others) // 2
        ways = self._ways(others[:half], others[half:])
        self._cut(ways, self._some_ticks_us(self._knobs.cut_ticks))

    def _clog(self) -> None:
        """All ways to some nodes hold what they carry, and give it out one by one."""
        ids = self._group.ids
        for node in self._rng.sample(ids, self._rng.randrange(1, len(ids))):
            ways = [way for way in self._ways([node], ids) if way[1] == node]
            for way in ways:
                self._group.network.clog(*way)
            self._world.after(self._some_ticks_us(self._knobs.cut_ticks), partial(self._mend, ways))

    def _flap(self) -> None:
        a, b = self._rng.sample(self._group.ids, 2)
        for number in range(self._knobs.cut_ticks // 2 + 1):
            delay_us = self._ticks_us(2 * number)
            self._world.after(delay_us, partial(self._flap_once, a, b))

    def _flap_once(self, a: int, b: int) -> None:
        if not self._is_over:
            self._cut(self._ways([a], [b]), self._ticks_us(1))

    # The processes

    def _victim(self) -> int | None:
        """Some replica that is up; often the leader, which has most to lose."""
        leader = self._group.leader_id()
        if leader and self._rng.random() < 0.3:
            return leader
        up = self._group.up()
        return self._rng.choice(up) if up else None

    def _crash(self) -> None:
        victim = self._victim()
        if victim is None:
            return
        is_kill = self._rng.random() < self._knobs.kill
        down_us = self._some_ticks_us(self._knobs.down_ticks)
        if self._rng.random() < self._knobs.storm:
            down_us = self._ticks_us(self._rng.random())
            self._world.after(
                self._ticks_us(self._rng.random() * STORM_TICKS), self._crash_in_storm
            )
        if self._rng.random() < self._knobs.mid_write:
            self._group.crash_in_write(
                victim, self._rng.randrange(WRITES_MAX), is_kill=is_kill, down_us=down_us
            )
        else:
            self._group.crash(victim, is_kill=is_kill, down_us=down_us)

    def _crash_in_storm(self) -> None:
        if not self._is_over:
            self._crash()

    def _crash_all(self) -> None:
        for node in self._group.up():
            is_kill = self._rng.random() < self._knobs.kill
            self._group.crash(
                node, is_kill=is_kill, down_us=self._some_ticks_us(self._knobs.down_ticks)
            )

    def _pause(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._group.pause(victim, self._some_ticks_us(self._knobs.pause_ticks))

    # The disks

    def _fail_disk(self) -> None:
        victim = self._victim()
        if victim is not None:
            operation, code = self._rng.choice(DISK_ERRORS)
            self._world.note(f"{operation} of {victim} will fail")
            self._group.disks[victim].fail(operation, code, self._rng.randrange(3))

    def _read_short(self) -> None:
        victim = self._victim()
        if victim is not None:
            self._world.note(f"a read of {victim} will be short")
            self._group.disks[victim].fail("pread", SHORT, self._rng.randrange(READS_MAX))

    def _fill_disk(self) -> None:
        """Nothing new has room for a while."""
        victim = self._rng.choice(self._group.ids)
        self._world.note(f"the disk of {victim} is full")
        self._group.disks[victim].is_full = True
        self._world.after(
            self._some_ticks_us(self._knobs.full_disk_ticks), partial(self._make_room, victim)
        )

    def _make_room(self, victim: int) -> None:
        self._group.disks[victim].is_full = False  # maybe another one, after a power cut

    def _damage(self) -> None:
        """A replica dies, is damaged while it is down, and comes again.

        Its process is killed, the power stays: a tear and damage at the same time cannot always be
        told from a tear alone (`grevy.journal.promise`).
        """
        victim = self._rng.choice(self._group.members)
        if victim in self._group.up() and self._group.atlas.allows(victim):
            self._group.crash(victim, is_kill=True, down_us=self._some_ticks_us(10))
            self._group.damage(victim)
