"""A group of replicas in the simulated world: real raft, real storage, real journals, over disks
and a network that hurt.

A run has five parts: the group finds a leader, things go wrong, a majority is healed and must go
on, everybody is healed and must agree, and at last the power is cut and all disks are read. What
must hold is checked all the time (`tests.sim.raft_checker`). One number decides everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from tests.sim import raft_marks
from tests.sim.atlas import Atlas
from tests.sim.disk import SimDisk
from tests.sim.knobs import LOST_NAME, WIPED, Knobs, draw_knobs
from tests.sim.marks import mark
from tests.sim.nemesis import Nemesis
from tests.sim.network import SimNetwork, Weather
from tests.sim.raft_checker import InvariantBroken, RaftChecker
from tests.sim.raft_marks import RaftMark
from tests.sim.raft_replica import (
    PARTITION_ID,
    READ_BYTES,
    PowerCut,
    Replica,
    decode_message,
    journal_options,
)
from tests.sim.raft_state import SnapshotDamaged
from tests.sim.stable_log import StableLog
from tests.sim.world import World

from grevy.journal import Journal, JournalCorrupted, JournalFailed, SlotsCorrupted
from grevy.protocol.raft_messages import GroupMembers

SPARE_REPLICAS: Final = 2
"""Replicas that are in no group at first, and may be added."""

VOTE: Final = "raft/vote"
LOST: Final = "lost"
"""A file that says that what was here is gone."""

WARM_UP_TICKS: Final = 60
LEADER_TIMEOUTS_MAX: Final = 20
"""A healed majority has a leader after at most so many of its slowest election time-outs, and
commits after as many more, and when its logs are as long as the leader's (L1).
"""

TICKS_PER_ENTRY: Final = 4
"""An entry that is sent alone, by somebody who waits for the answer, is there after so many."""

DETHRONE_TIMEOUTS: Final = 3
"""A leader that no majority hears has given up after so many election time-outs."""

FLUSH_US_MAX: Final = 2_000_000
CALM_FLUSH_US: Final = 2_000

EVENTS_MAX: Final = 150_000
"""A run with more of them is a storm of messages (L3)."""

BEYOND_TICKS: Final = 300
"""How long a group is watched that has lost too much."""

AGREE_TICKS: Final = 3_000
"""All logs are equal at most so many ticks after all is healed, and what is to be sent is (L2)."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run was."""

    seed: int
    trace_hash: str
    events: int
    committed: int
    leaders: int


@dataclass(slots=True)
class Counts:
    """How often things happened, for people who ask whether they do."""

    crashes: int = 0
    disk_failures: int = 0
    damages: int = 0
    recoveries: int = 0
    told: int = 0
    reads: int = 0
    snapshots: int = 0
    installs: int = 0


class Group:
    """The replicas, up or down, and everything around them."""

    def __init__(self, seed: int, knobs: Knobs | None = None) -> None:
        self.seed = seed
        self.world = World(seed)
        self.knobs = knobs or draw_knobs(Random(seed))
        self.network = SimNetwork(self.world, Weather())
        self.checker = RaftChecker()
        self.counts = Counts()
        spare = SPARE_REPLICAS if self.knobs.members_every else 0
        self.members = tuple(range(1, self.knobs.replicas + 1))
        self.ids = list(range(1, self.knobs.replicas + spare + 1))
        self.disks = {node: SimDisk() for node in self.ids}
        self.atlas = Atlas((self.knobs.replicas - 1) // 2, is_beyond=self.knobs.is_beyond)
        self._damage: dict[int, str] = {}
        """What has hurt a replica last."""
        self.stable = {node: self._stable_log(node) for node in self.ids}
        self.replicas: dict[int, Replica] = {}
        self.is_calm = True
        """Whether nothing goes wrong now: then nobody may fail."""
        self._is_over = False
        self._slow = self.world.rng.choice(self.ids) if self.knobs.slow_disk else 0
        drift = self.knobs.drift
        self._drifts = {node: self.world.rng.uniform(-drift, drift) for node in self.ids}

    # What replicas and the nemesis ask

    def up(self) -> list[int]:
        """Who is up."""
        return sorted(self.replicas)

    def leader_id(self) -> int:
        """Who leads, in the highest term; 0 for nobody."""
        leaders = [(r.node.term, r.node_id) for r in self.replicas.values() if r.is_leader]
        return max(leaders, default=(0, 0))[1]

    def tick_us(self, node: int) -> int:
        """How long a tick of a replica is, by the world's clock."""
        return int(self.knobs.tick_us * (1 + self._drifts[node]))

    def flush_us(self, node: int) -> int:
        """How long this flush of a replica takes."""
        if self.is_calm:
            return self.world.rng.randrange(1, CALM_FLUSH_US)
        mean_us = self.knobs.flush_us * (100 if node == self._slow else 1)
        return self.world.rng.randrange(1, min(2 * mean_us, FLUSH_US_MAX))

    def is_stable(self, members: GroupMembers, index: int, term: int) -> bool:
        """Whether a majority of the members has an entry on its devices."""
        have = {node for node in self.ids if self._has(node, index, term)}
        return all(
            2 * len(have.intersection(voters)) > len(voters)
            for voters in (members.voters, members.old_voters)
            if voters
        )

    def _has(self, node: int, index: int, term: int) -> bool:
        """Whether a device has an entry, or a snapshot of it. A device that is damaged had it, if
        its replica said so.
        """
        if node in self.atlas.hurt:
            return True
        stable = self.stable[node]
        return stable.term_at(index) == term or stable.first_index() > index

    def story(self) -> Iterator[str]:
        """Options, last events, disks."""
        yield "options:"
        yield self.knobs.lines()
        yield "last events:"
        for event in self.world.recent:
            yield self.tell(*event)
        yield "disks:"
        for node, disk in self.disks.items():
            for path in disk.files():
                yield f"{node} {path} {bytes(disk.contents(path)).hex()}"

    @staticmethod
    def tell(at_us: int, event: str, data: bytes) -> str:
        """An event of this world, to be read."""
        message = f" {decode_message(data)}" if data else ""
        return f"{at_us / 1_000:.3f} ms: {event}{message}"

    # Crashes and restarts

    def start(self, node: int) -> None:
        """A replica comes up, from what its disk has."""
        if node in self.replicas:
            return
        disk = self.disks[node]
        if not self.is_calm and node not in self.atlas.hurt:
            self._cut_start(disk)
        try:
            self.replicas[node] = self._open(node)
        except (OSError, JournalFailed):
            mark(RaftMark.START_FAILED)
            self.counts.disk_failures += 1
            self._again(node)
        except PowerCut:
            self._lose_power(node)
            self._again(node)
        else:
            if not self.replicas[node].node.is_recovering:
                self.atlas.heals(node)
        finally:
            disk.on_change = None

    def _cut_start(self, disk: SimDisk) -> None:
        """Some starts end half way: recovery must bear it."""
        if self.world.rng.random() < self.knobs.mid_write / 4:
            left = self.world.rng.randrange(20)

            def count() -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise PowerCut

            disk.on_change = count

    def _open(self, node: int) -> Replica:
        """As a broker does: what is damaged is put away, and the replica says that it has lost it.

        That it has is written down before anything is put away: a log that has gone, with nobody
        who knows, would be taken for one that never was.
        """
        disk = self.disks[node]
        try:
            return self._opened(node, has_lost_data=disk.exists(LOST))
        except (JournalCorrupted, SlotsCorrupted, SnapshotDamaged) as error:
            if node not in self.atlas.hurt:
                raise InvariantBroken("J1", f"the disk of {node} was not damaged") from error
            self.world.note(f"{node} has lost its log: {error}")
            self.counts.recoveries += 1
            mark(RaftMark.LOST_LOG)
            raft_marks.finds_damage(self._damage[node])
            self._forget(node)
        if not disk.exists(LOST):
            disk.create(LOST)
            disk.fsync_dir("")
        for path in disk.files():
            if path.startswith(("journal/", "snapshots/")):
                disk.remove(path)
        for directory in ("journal", "snapshots"):
            disk.fsync_dir(directory)
        return self._opened(node, has_lost_data=True)

    def _forget(self, node: int) -> None:
        if self.disks[node].exists(VOTE):
            self.checker.forgets(node)
        else:
            self.checker.forgets_vote(node)

    def _opened(self, node: int, *, has_lost_data: bool) -> Replica:
        replica = Replica(self, node, has_lost_data=has_lost_data)
        if has_lost_data:
            self.disks[node].remove(LOST)
            self.disks[node].fsync_dir("")
        return replica

    def _again(self, node: int) -> None:
        self.world.after(self.knobs.tick_us, partial(self.start, node))

    def crash(self, node: int, *, is_kill: bool, down_us: int) -> None:
        """A replica's process dies, or its power is cut; it comes again after a while."""
        replica = self.replicas.pop(node, None)
        if replica is None:
            return
        self.counts.crashes += 1
        self.world.note(f"{'kill' if is_kill else 'power cut'} of {node}")
        replica.die()
        self.network.leave(node)
        self.disks[node].on_change = None
        if not is_kill:
            self._lose_power(node)
        self.world.after(down_us, partial(self.start, node))

    def _lose_power(self, node: int) -> None:
        self.disks[node] = self.disks[node].crash(self.world.rng)
        self.stable[node] = self._stable_log(node)

    def crash_in_write(self, node: int, skip: int, *, is_kill: bool, down_us: int) -> None:
        """As `crash`, after some more changes to its disk."""
        self.replicas[node].cut_after(skip, is_kill=is_kill, down_us=down_us)

    def failed(self, node: int) -> None:
        """A replica's disk has failed: its process has ended."""
        if self.is_calm:
            raise InvariantBroken("L1", f"the disk of {node} fails though nothing goes wrong")
        self.counts.disk_failures += 1
        self.crash(node, is_kill=True, down_us=self.knobs.tick_us)

    def pause(self, node: int, pause_us: int) -> None:
        """A replica stands still for a while: time passes, messages wait."""
        self.world.note(f"pause of {node}")
        replica = self.replicas[node]
        replica.is_paused = True
        self.world.after(pause_us, replica.resume)

    def damage(self, node: int) -> None:
        """The disk of a replica that is down is hurt."""
        disk, rng = self.disks[node], self.world.rng
        paths = [path for path in disk.files() if path != LOST and not path.endswith(".new")]
        path, kind = rng.choice(paths), rng.choice(self.knobs.damages)
        loses_vote = kind == WIPED or (kind == LOST_NAME and path == VOTE)
        if loses_vote and not self._may_lose_vote(node):
            return
        if kind == WIPED:
            # Others know that it was there.
            disk.wipe()
            disk.create(LOST)
            disk.fsync_dir("")
            how = kind
            mark(RaftMark.WIPED)
            self.checker.forgets_vote(node)
        elif kind == LOST_NAME:
            disk.lose(path)
            how = f"{kind} of {path}"
        else:
            # Both copies of a vote at once is more than a replica promises to survive with it.
            how = disk.damage(rng, path, keeps_size=path == VOTE, kinds=(kind,))
        self.world.note(f"damage of {node}: {how}")
        if how == "nothing":
            return
        self.counts.damages += 1
        if self.atlas.was_healed:
            mark(RaftMark.HURT_IN_TURN)
        self.atlas.hurts(node)
        self._damage[node] = how

    def _may_lose_vote(self, node: int) -> bool:
        """Whether a replica that forgets its vote breaks no promise that it is held to: a log shows
        it that there was one, and the election is decided.
        """
        return self.stable[node].last_index() > 0 and self.checker.is_decided(node)

    def _stable_log(self, node: int) -> StableLog:
        return StableLog(self.disks[node], PARTITION_ID, journal_options(self.knobs))

    # Clients and operators

    def begin_clients(self) -> None:
        """From now on there are proposals, reads and snapshots."""
        knobs = self.knobs
        for every, action in (
            (knobs.proposal_every, self._propose),
            (knobs.read_every, self._read),
            (knobs.snapshot_every, self._take_snapshot),
        ):
            if every:
                self._repeat(every, action)

    def end_clients(self) -> None:
        """No more of that."""
        self._is_over = True

    def _repeat(self, every: float, action: Callable[[], None]) -> None:
        def happen() -> None:
            if not self._is_over:
                action()
                self._repeat(every, action)

        ticks = self.world.rng.expovariate(1 / every)
        self.world.after(1 + int(ticks * self.knobs.tick_us), happen)

    def _some_leader(self) -> Replica | None:
        """Anybody who believes to lead, or else anybody who is up."""
        up = [self.replicas[node] for node in self.up()]
        leaders = [replica for replica in up if replica.is_leader]
        candidates = leaders or up
        return self.world.rng.choice(candidates) if candidates else None

    def _propose(self) -> None:
        replica = self._some_leader()
        if replica is not None:
            size = self.world.rng.randrange(1, 2 * self.knobs.proposal_bytes)
            replica.propose(b"\0" + self.world.entropy.random_bytes(size))

    def _read(self) -> None:
        replica = self._some_leader()
        if replica is not None:
            replica.read()

    def _take_snapshot(self) -> None:
        up = self.up()
        if up:
            self.replicas[self.world.rng.choice(up)].take_snapshot()

    def transfer_leadership(self) -> None:
        """Whoever leads is told to hand the lead to somebody."""
        replica = self._some_leader()
        if replica is not None:
            replica.transfer_to(self.world.rng.choice(self.ids))

    def change_members(self) -> None:
        """Whoever leads is told that somebody comes, goes, or gets a vote."""
        replica = self._some_leader()
        if replica is None:
            return
        members = replica.node.members
        voters, learners = set(members.voters), set(members.learners)
        for _ in range(self.world.rng.choice((1, 1, 2))):
            node = self.world.rng.choice(self.ids)
            if node in voters and len(voters) > 1:
                voters.remove(node)
            elif node in learners or self.world.rng.random() < 0.3:
                learners.discard(node)
                voters.add(node)
            elif node not in voters:
                learners.add(node)
        replica.change_members(tuple(sorted(voters)), tuple(sorted(learners)))

    # The parts of a run

    def run(self) -> Report:
        """Everything; raises what is wrong."""
        for node in self.ids:
            self.start(node)
        self._tick(WARM_UP_TICKS)
        self.begin_clients()
        nemesis = Nemesis(self)
        self.is_calm = False
        nemesis.begin()
        for _ in range(self.knobs.fault_ticks // 10):
            self._tick(10)
        self._heal_processes(nemesis)
        if self.atlas.was_beyond:
            self._go_on_without()
        else:
            self._heal_majority()
            self.network.heal()
            self._tick(10)
            self.end_clients()
            self._wait_until_equal()
            self._audit()
        self._mark_faults()
        return Report(
            self.seed,
            self.world.trace_hash,
            self.world.events,
            self.checker.commit_index,
            len(self.checker.leaders),
        )

    def _mark_faults(self) -> None:
        network, disks = self.network, self.disks.values()
        for is_reached, point in (
            (network.to_old_lives, RaftMark.OLD_LIFE),
            (network.released, RaftMark.STALE),
            (network.refused, RaftMark.FULL),
            (any(disk.refused for disk in disks), RaftMark.NO_ROOM),
            (any(disk.short_reads for disk in disks), RaftMark.SHORT_READ),
        ):
            if is_reached:
                mark(point)

    def _go_on_without(self) -> None:
        """More is lost than a group survives. It may stand still; whoever goes on has all that was
        committed, which is checked all the time (R3, R4, C1).
        """
        mark(RaftMark.BEYOND)
        before = self.checker.commit_index
        self.network.heal()
        self._tick(BEYOND_TICKS)
        mark(RaftMark.GOES_ON if self.checker.commit_index > before else RaftMark.STANDS_STILL)
        self.end_clients()
        for replica in self.replicas.values():
            if replica.state.index:
                self.checker.has_state(replica.node_id, replica.state.index, replica.state.value)

    def _tick(self, ticks: int) -> None:
        self.world.run(self.world.clock.elapsed_us + ticks * self.knobs.tick_us)
        if self.world.events > EVENTS_MAX:
            raise InvariantBroken("L3", f"{self.world.events} events: a storm")

    def _heal_processes(self, nemesis: Nemesis) -> None:
        """All are up, on disks that work."""
        nemesis.end()
        self.is_calm = True
        for disk in self.disks.values():
            disk.mend()
            disk.on_change = None
        for node in self.ids:
            self.start(node)
            self.replicas[node].resume()
        self.world.note("calm")

    def _heal_majority(self) -> None:
        """A majority that is whole can talk, and nobody else can."""
        whole = [node for node in self.members if not self.replicas[node].node.is_recovering]
        majority = self.knobs.replicas // 2 + 1
        if self.knobs.members_every:
            chosen = list(self.ids)
        else:
            assert len(whole) >= majority, "a minority was damaged"
            chosen = self.world.rng.sample(whole, majority)
        self.network.heal()
        others = [node for node in self.ids if node not in chosen]
        self.network.separate(chosen, others)
        self.world.note(f"only {sorted(chosen)} can talk")
        before = self.checker.commit_index
        slowest = self.knobs.election_ticks * (1 + self.knobs.drift)
        calm = FLUSH_US_MAX // self.knobs.tick_us + int(LEADER_TIMEOUTS_MAX * slowest)
        if not self._tick_until(lambda: self.leader_id() in chosen, calm):
            raise InvariantBroken("L1", f"nobody leads of {sorted(chosen)}")
        if not self._tick_until(
            lambda: self.checker.commit_index > before, calm + self._backlog_ticks()
        ):
            raise InvariantBroken("L1", f"{sorted(chosen)} commit nothing")
        self._tick(int(DETHRONE_TIMEOUTS * slowest) + 1)
        if any(self.replicas[node].is_leader for node in others):
            raise InvariantBroken("L1", f"one of {others} leads, and is heard by no majority")

    def _tick_until(self, is_done: Callable[[], bool], ticks: int) -> bool:
        """Let time pass until something holds, so many ticks at most; whether it does."""
        for _ in range(ticks):
            self._tick(1)
            if is_done():
                return True
        return False

    def _backlog_ticks(self) -> int:
        """How long it may take to bring the longest log to somebody who has none of it, one entry
        at a time.
        """
        longest = max(replica.node.last_index for replica in self.replicas.values())
        return TICKS_PER_ENTRY * longest

    def _wait_until_equal(self) -> None:
        ticks = AGREE_TICKS + self._backlog_ticks()
        if not self._tick_until(lambda: not self._why_different(), ticks):
            raise InvariantBroken("L2", self._why_different())

    def _why_different(self) -> str:
        """What distinguishes the members from each other; empty when nothing does."""
        leader = self.replicas.get(self.leader_id())
        if leader is None:
            return "nobody leads"
        members = leader.node.members
        if leader.node.is_changing_members or not leader.node.is_settled:
            return f"{leader.node_id} is not done with its members or its term"
        for node in (*members.voters, *members.learners):
            replica = self.replicas[node]
            if replica.state.index != self.checker.commit_index:
                return f"{node} has applied {replica.state.index} of {self.checker.commit_index}"
            if replica.node.last_index != leader.node.last_index:
                return f"the log of {node} ends at {replica.node.last_index}"
            if replica.journal.last_flushed_index < replica.journal.last_index:
                return f"{node} is writing"
            if replica.node.is_recovering:
                return f"{node} is not repaired"
        return ""

    def _audit(self) -> None:
        """The power is cut, and what was not synced is lost: all members have all."""
        members = self.replicas[self.leader_id()].node.members
        for node in (*members.voters, *members.learners):
            replica = self.replicas[node]
            after = self.disks[node].crash(self.world.rng, 0.0)
            journal = Journal.open(after, PARTITION_ID, journal_options(self.knobs))
            for entry in journal.read(journal.first_index, READ_BYTES):
                self.checker.has_committed(node, entry)
            told = self.checker.told_index
            if journal.last_index < told or journal.first_index - 1 > replica.state.index:
                raise InvariantBroken("C1", f"{node} lacks what clients were told of")
            self.checker.has_state(node, replica.state.index, replica.state.value)


def run_group(seed: int) -> Report:
    """One run; raises what is wrong."""
    return Group(seed).run()
