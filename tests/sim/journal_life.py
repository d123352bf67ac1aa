"""sim-journal: after every change to a journal's disk the power may go, and what was acknowledged
is there again.

A workload of group commits, rolls, cuts, compactions and resets runs on a disk that draws crash
states after each step, and fails at times. Each state is opened. Its log must be one that the
history allows: all that was acknowledged, and nothing that was not written.

Now and then the disk refuses a call while a state is opened, or gives less than it should: then
opening fails, and finds all when it is tried again.

J1  what recovery finds has all that was acknowledged, and is a beginning of what was written
J2  a read gives the bytes that were written, or an error
J3  nothing below the flushed index is cut without a word, whatever is damaged
J4  after a sync that has failed, nothing is acknowledged before it was read again
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.sim.disk import DAMAGES, SHORT, SimDisk
from tests.sim.marks import Mark, mark

from grevy.journal import Journal, JournalEntry, JournalError, JournalFailed, JournalOptions

OPTIONS: Final = JournalOptions(segment_bytes=4096)
SAMPLES: Final = 32
"""Crash states that are drawn after each change."""

STEPS: Final = 25
FAILURES: Final = 0.1
DISK_ERRORS: Final = (
    ("fdatasync", errno.EIO),
    ("fsync_dir", errno.EIO),
    ("pwrite", errno.ENOSPC),
    ("create", errno.ENOSPC),
    ("reserve", errno.ENOSPC),
    ("reserve", errno.EIO),
    ("truncate", errno.EIO),
    ("remove", errno.EIO),
    ("rename", errno.EIO),
    ("pread", errno.EIO),
    ("pread", SHORT),
)
OPEN_ERRORS: Final = (
    *DISK_ERRORS,
    ("pwrite", errno.EIO),
    ("fdatasync", errno.ENOSPC),
    ("open", errno.EIO),
    ("list", errno.EIO),
    ("mkdir", errno.EIO),
    ("size", errno.EIO),
    ("pread", SHORT),
    ("pread", SHORT),
)
"""What may go wrong while a log is opened; there is much to read then."""

DAMAGED_COPIES: Final = 4
"""Of one disk, each damaged in one way."""

OPEN_ERROR_EVERY: Final = 8
"""One crash state in so many is opened on such a disk."""

LOST_NAME: Final = "lost name"


class JournalMark(Mark):
    """What a column of these runs must reach."""

    TORN = "a crash leaves a part of what was written"
    EMPTY = "a crash leaves nothing of what was not synced"
    ALL = "a crash leaves all that was written"
    ROLLED = "a crash comes when a segment has just begun"
    IN_FLIGHT = "a crash comes while a flush is under way, and more is written"
    CUT = "a crash comes in the middle of cutting the log"
    COMPACTED = "a crash comes in the middle of dropping the front"
    RESET = "a crash comes in the middle of beginning anew"
    SYNC_FAILED = "a sync fails"
    WRITE_FAILED = "a write fails"
    DAMAGE_REFUSED = "damage is refused"
    DAMAGE_HARMLESS = "damage does no harm"
    STALE_REFUSED = "an older content that has come back is refused"
    STALE_HARMLESS = "an older content that has come back does no harm"
    LOST_WRITE_REFUSED = "a write that went to another place is missed"
    LOST_NAME_REFUSED = "a name that is gone is missed"
    SHORT_READ = "a read gives too little while a log is opened"
    OPEN_FAILED = "a log cannot be opened, and can at the next try"
    AGAIN = "a crash comes after a recovery that has just ended"


@dataclass(slots=True)
class Allowed:
    """A log that a crash may leave: entries, and the range of them that must be there."""

    entries: dict[int, JournalEntry] = field(default_factory=dict)
    first: int = 1
    acknowledged: int = 0

    def why_not(self, journal: Journal) -> str:
        """What in the journal contradicts this; empty when nothing does."""
        if journal.last_index < self.acknowledged:
            return f"J1: ends at {journal.last_index}, acknowledged was {self.acknowledged}"
        if journal.first_index > self.first:
            return f"J1: begins at {journal.first_index}, not {self.first}"
        for entry in read_all(journal):
            if self.entries.get(entry.index) != entry:
                return f"J2: entry {entry.index} is another"
        return ""


@dataclass(frozen=True, slots=True)
class JournalReport:
    """What a run was; its events are crash states."""

    trace_hash: str
    events: int


def read_all(journal: Journal) -> list[JournalEntry]:
    """All entries, which are as many as the journal says."""
    entries = journal.read(journal.first_index, 1 << 30)
    assert len(entries) == journal.last_index - journal.first_index + 1
    return entries


def check_tidy(disk: SimDisk, journal: Journal) -> None:
    """Recovery leaves no torn bytes and no files of nobody."""
    names = [name for name in disk.list(OPTIONS.directory) if name.startswith("segment-")]
    found = sum(len(disk.contents(f"{OPTIONS.directory}/{name}")) for name in names)
    assert len(names) == journal.statistics().segments
    assert found == journal.statistics().bytes


@dataclass(frozen=True, slots=True)
class JournalKnobs:
    """The options of one life."""

    weights: tuple[int, ...]
    """How often it appends, flushes, cuts, compacts, begins anew, and is damaged."""
    sizes: tuple[int, ...]
    """Of entries: a segment has room for five, or for sixty, and is cut and written again."""
    damages: tuple[str, ...]
    """What happens to its disk."""


def draw_journal_knobs(rng: Random) -> JournalKnobs:
    """The options of a life."""
    return JournalKnobs(
        weights=(8, 8, *(rng.choice((0, 2, 8)) for _ in range(4))),
        sizes=rng.choice(((0, 40, 700), (0, 8, 40))),
        damages=tuple(each for each in (*DAMAGES, LOST_NAME) if rng.random() < 0.7),
    )


class JournalLife:
    """A journal with its owner's memory of what it was told."""

    def __init__(
        self, seed: int, knobs: JournalKnobs | None = None, *, samples: int = SAMPLES
    ) -> None:
        self.rng = Random(seed)
        self.disk = SimDisk(self.crash_here)
        self.allowed = [Allowed()]
        self.states = 0
        self.term = 1
        self._knobs = knobs or draw_journal_knobs(self.rng)
        self._written: set[tuple[int, int, bytes]] = set()
        """All that was ever given to it: what was cut may come back with an older block."""
        self._samples = samples
        self._doing: JournalMark | None = None
        self._told: list[str] = []
        self._trace = hashlib.blake2b(digest_size=16)
        self.journal = Journal.open(self.disk, 1, OPTIONS)

    @property
    def now(self) -> Allowed:
        """The log as the owner believes it to be."""
        return self.allowed[-1]

    def run(self) -> JournalReport:
        """A life; raises what is wrong."""
        self.live(STEPS)
        self._trace.update(b"%d %r" % (self.states, self.rng.random()))
        return JournalReport(self._trace.hexdigest(), self.states)

    def story(self) -> Iterator[str]:
        """What was done, and the disk."""
        yield "last events:"
        yield from self._told
        for path in self.disk.files():
            yield f"{path} {bytes(self.disk.contents(path)).hex()}"

    # ── crashes ───────────────────────────────────────────────────────────────────────────────────

    def crash_here(self) -> None:
        """Draw crash states of this moment, and open them."""
        if self._doing is not None:
            mark(self._doing)
        for _ in range(self._samples):
            self.states += 1
            after = self.disk.crash(self.rng)
            journal = Journal.open(after, 1, OPTIONS)
            check_tidy(after, journal)
            self._mark(journal)
            reasons = [each.why_not(journal) for each in self.allowed]
            assert "" in reasons, reasons
            if self.states % 8 == 0:
                self._check_repair(after, journal)
            elif self.states % OPEN_ERROR_EVERY == 1:
                self._open_badly()

    def _mark(self, journal: Journal) -> None:
        newest, acknowledged = max(self.now.entries, default=0), self.now.acknowledged
        if newest > acknowledged:
            found = journal.last_index
            kind = JournalMark.TORN
            if found in (newest, acknowledged):
                kind = JournalMark.ALL if found == newest else JournalMark.EMPTY
            mark(kind)
        if journal.statistics().segments > 1 and journal.statistics().bytes % 4096 < 600:
            mark(JournalMark.ROLLED)

    def _check_repair(self, disk: SimDisk, journal: Journal) -> None:
        """What recovery reported is durable, and the journal works."""
        assert journal.last_flushed_index == journal.last_index
        mark(JournalMark.AGAIN)
        again = Journal.open(disk.crash(self.rng, 0.0), 1, OPTIONS)
        assert read_all(again) == read_all(journal)
        again.append([JournalEntry(again.last_index + 1, self.term + 1, b"after the crash")])
        again.flush()
        assert read_all(again)[-1].payload == b"after the crash"

    def _open_badly(self) -> None:
        """A call fails while a state is opened: all is found then, or at the next try."""
        after = self.disk.crash(self.rng)
        operation, code = self.rng.choice(OPEN_ERRORS)
        after.fail(operation, code, self.rng.randrange(6))
        try:
            journal = Journal.open(after, 1, OPTIONS)
        except (JournalFailed, OSError):
            mark(JournalMark.SHORT_READ if code == SHORT else JournalMark.OPEN_FAILED)
            after.mend()
            journal = Journal.open(after, 1, OPTIONS)
        reasons = [each.why_not(journal) for each in self.allowed]
        assert "" in reasons, (f"{operation} fails", reasons)

    def damage(self) -> None:
        """The device forgets something: all that was acknowledged is there, or it is missed (J3).

        What was not acknowledged is synced before: a tear and damage at the same time cannot always
        be told from a tear alone.
        """
        if not self._knobs.damages:
            return
        for _ in range(DAMAGED_COPIES):
            self._damage(self.disk.crash(self.rng, 1.0))

    def _damage(self, after: SimDisk) -> None:
        # Half of it falls on the end of the log, which has changed most.
        segments = [path for path in after.files() if path.endswith(".log")]
        paths = segments[-1:] if self.rng.random() < 0.5 else after.files()
        path, kind = self.rng.choice(paths), self.rng.choice(self._knobs.damages)
        if kind == LOST_NAME:
            after.lose(path)
            how = f"{kind} of {path}"
        else:
            how = after.damage(self.rng, path, kinds=(kind,))
        self._told.append(how)
        try:
            journal = Journal.open(after, 1, OPTIONS)
            reason = self._why_not_after_damage(journal)
        except JournalError:
            self._mark_damage(how, JournalMark.DAMAGE_REFUSED)
            return
        assert not reason, f"J3: {reason} after {how}"
        self._mark_damage(how, JournalMark.DAMAGE_HARMLESS)

    def _why_not_after_damage(self, journal: Journal) -> str:
        """As `Allowed.why_not`; but what nobody was told about may be what was there before."""
        known = {**self.now.entries}
        for entry in read_all(journal):
            key = (entry.index, entry.term, entry.payload)
            if entry.index > self.now.acknowledged and key in self._written:
                known[entry.index] = entry
        return Allowed(known, self.now.first, self.now.acknowledged).why_not(journal)

    @staticmethod
    def _mark_damage(how: str, what_came: JournalMark) -> None:
        mark(what_came)
        is_refused = what_came is JournalMark.DAMAGE_REFUSED
        if how.startswith("stale"):
            mark(JournalMark.STALE_REFUSED if is_refused else JournalMark.STALE_HARMLESS)
        elif is_refused and how.startswith("lost write"):
            mark(JournalMark.LOST_WRITE_REFUSED)
        elif is_refused and how.startswith(LOST_NAME):
            mark(JournalMark.LOST_NAME_REFUSED)

    # ── what its owner does ───────────────────────────────────────────────────────────────────────

    def append(self) -> None:
        """Write some entries; a crash may show them from the first byte on."""
        first = self.journal.last_index + 1
        self.term += self.rng.random() < 0.2
        sizes = [self.rng.choice(self._knobs.sizes) for _ in range(self.rng.randrange(1, 6))]
        entries = [
            JournalEntry(first + number, self.term, self.rng.randbytes(size))
            for number, size in enumerate(sizes)
        ]
        self.now.entries.update({entry.index: entry for entry in entries})
        self._written.update((entry.index, entry.term, entry.payload) for entry in entries)
        self.journal.append(entries)

    def flush(self) -> None:
        """Flush, now and then with its promise; often more is appended meanwhile. Only then is it
        acknowledged.
        """
        handle = self.journal.flush_handle(settles=self.rng.random() < 0.3)
        if self.rng.random() < 0.5:
            self._doing = JournalMark.IN_FLIGHT
            self.append()
        handle.sync()
        self.journal.flushed(handle)
        self.now.acknowledged = handle.index

    def truncate(self) -> None:
        """Cut the log somewhere; its owner no longer relies on what comes after."""
        low = max(self.journal.first_index - 1, self.journal.last_index - 8)
        index = self.rng.randrange(low, self.journal.last_index + 1)
        self.now.acknowledged = min(self.now.acknowledged, index)
        kept = {at: entry for at, entry in self.now.entries.items() if at <= index}
        self._doing = JournalMark.CUT
        with self._becoming(Allowed(kept, self.now.first, self.now.acknowledged)):
            self.journal.truncate_after(index)

    def compact(self) -> None:
        """Drop the front."""
        index = max(self.journal.last_flushed_index - self.rng.randrange(6), 0)
        self.now.first = max(self.now.first, index + 1)
        self._doing = JournalMark.COMPACTED
        self.journal.compact(index)

    def reset(self) -> None:
        """Begin anew further on, as after a snapshot from elsewhere."""
        following = self.journal.last_index + self.rng.randrange(1, 10)
        self._doing = JournalMark.RESET
        with self._becoming(Allowed({}, following, following - 1)):
            self.journal.reset(following, previous_term=self.term)

    @contextmanager
    def _becoming(self, after: Allowed) -> Iterator[None]:
        """While an operation is under way, a crash may leave the log before or after it."""
        self.allowed.append(after)
        yield
        self.allowed = [after]

    def begin_anew(self) -> None:
        """The process has ended over a failure of its disk, and the power with it, or not. What is
        read again is what there is (J4).
        """
        is_power_cut = self.rng.random() < 0.5
        self.disk.mend()
        self.disk.on_change = None
        if is_power_cut:
            self.disk = self.disk.crash(self.rng)
        self.journal = Journal.open(self.disk, 1, OPTIONS)
        reasons = [each.why_not(self.journal) for each in self.allowed]
        assert "" in reasons, reasons
        found = {entry.index: entry for entry in read_all(self.journal)}
        first, last = self.journal.first_index, self.journal.last_index
        self.allowed = [Allowed(found, first, last)]
        self.term += 1
        self.disk.on_change = self.crash_here

    def live(self, steps: int) -> None:
        """Do things at random."""
        doings = [self.append, self.flush, self.truncate, self.compact, self.reset, self.damage]
        for _ in range(steps):
            if self.rng.random() < FAILURES:
                self.disk.fail(*self.rng.choice(DISK_ERRORS), self.rng.randrange(2))
            doing = self.rng.choices(doings, weights=self._knobs.weights)[0]
            self._doing = None
            self._told.append(f"{doing.__name__} at {self.journal.last_index}")
            try:
                doing()
            except (JournalFailed, OSError) as error:
                self._told.append(str(error))
                is_sync = "flush" in str(error)
                mark(JournalMark.SYNC_FAILED if is_sync else JournalMark.WRITE_FAILED)
                self.begin_anew()
        self.disk.mend()
        assert "" in [each.why_not(self.journal) for each in self.allowed]
