"""A planted bug: a small change to the code under test that the simulator must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple
from unittest import mock

from tests.raft.transcript import play
from tests.sim.cluster import SimCluster
from tests.sim.cluster_knobs import ClusterKnobs, draw_cluster_knobs
from tests.sim.engine_life import EngineLife
from tests.sim.journal_life import JournalLife, draw_journal_knobs
from tests.sim.knobs import draw_knobs
from tests.sim.partitions_life import PartitionsLife
from tests.sim.raft_group import Group
from tests.sim.simulation import Simulation

TRANSCRIPTS: Final = Path(__file__).resolve().parents[2] / "raft" / "transcripts"


def fault_of(begin: Callable[[int], Simulation], seed: int) -> str:
    """What is wrong in one run; empty when nothing is."""
    try:
        begin(seed).run()
    except Exception as error:  # noqa: BLE001 - a bug shows itself in many ways
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def fault_of_group(seed: int, **fixed: object) -> str:
    """Of a group of replicas. Some knobs may be fixed, for a bug that needs them all at once."""
    drawn = draw_knobs(Random(seed))
    knobs = replace(drawn, **fixed)  # type: ignore[arg-type]  # names of knobs, and values
    return fault_of(lambda seed: Group(seed, knobs), seed)


def fault_of_cluster(seed: int, **fixed: float) -> str:
    """Of a cluster, in the same way."""
    drawn = draw_cluster_knobs(Random(seed))
    knobs = replace(drawn, **fixed)  # type: ignore[arg-type]  # names of knobs, and numbers
    return fault_of(lambda seed: SimCluster(seed, knobs), seed)


def fault_of_calm_cluster(seed: int, **fixed: float) -> str:
    """Of a cluster in which nothing else goes wrong."""
    knobs = replace(ClusterKnobs(), **fixed)  # type: ignore[arg-type]  # as above
    return fault_of(lambda seed: SimCluster(seed, knobs), seed)


def fault_of_journal(seed: int, **fixed: object) -> str:
    """Of a journal in all its crash states, with some knobs fixed."""
    drawn = draw_journal_knobs(Random(seed))
    knobs = replace(drawn, **fixed)  # type: ignore[arg-type]  # as above
    return fault_of(lambda seed: JournalLife(seed, knobs), seed)


def fault_of_engine(seed: int) -> str:
    """Of an engine that begins anew again and again."""
    return fault_of(EngineLife, seed)


def fault_of_partitions(seed: int, partition_count: int = 0) -> str:
    """Of engines that send each other commands."""
    return fault_of(lambda seed: PartitionsLife(seed, partition_count), seed)


def fault_of_transcript(seed: int, name: str) -> str:
    """Of a transcript of `tests/raft`, for what chance hardly ever draws: the first line that is
    another. The seed means nothing.
    """
    expected = (TRANSCRIPTS / f"{name}.txt").read_text("utf-8")
    try:
        said = play(expected)
    except Exception as error:  # noqa: BLE001 - as in `fault_of`
        return f"transcript {name}: {error!r}"
    for number, (now, before) in enumerate(
        zip_longest(said.splitlines(), expected.splitlines()), 1
    ):
        if now != before:
            return f"transcript {name}, line {number}: {now!r}, not {before!r}"
    return ""


def fault_of_story(seed: int, story: Callable[[Path], None]) -> str:
    """Of a test that plays one story, for what chance hardly ever draws. The seed means nothing."""
    with TemporaryDirectory(prefix="grevy-story-") as folder:
        try:
            story(Path(folder))
        except Exception as error:  # noqa: BLE001 - as in `fault_of`
            return f"{story.__name__}: {error!r}".splitlines()[0]
    return ""


class Find(NamedTuple):
    """Where a bug was found, and by what."""

    seed: int
    fault: str
    tried: int


@dataclass(frozen=True, slots=True)
class Bug:
    """What is changed, and who hunts it."""

    name: str
    patches: Mapping[tuple[object, str], object] = field(default_factory=dict)
    """From an object, such as a class, and the name of its attribute, to what takes its place."""
    seeds: tuple[int, ...] = ()
    """Where it was found before: these are tried first, which saves time, and no more than that."""
    hunt: Callable[[int], str] = fault_of_group
    plant: Callable[[ExitStack], object] | None = None
    """How it is planted, where that is more than attributes."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        """While it is there."""
        with ExitStack() as stack:
            for (target, attribute), replacement in self.patches.items():
                stack.enter_context(mock.patch.object(target, attribute, replacement))
            if self.plant is not None:
                self.plant(stack)
            yield

    def candidates(self, seeds_max: int, first: int | None = None) -> list[int]:
        """Seeds to try, so many: the one that is best tried first, then those that found it before,
        then others.
        """
        early = ([] if first is None else [first]) + [n for n in self.seeds if n != first]
        return [*early, *(n for n in range(1, seeds_max + 1) if n not in early)][:seeds_max]

    def fault(self, seed: int) -> str:
        """What a run finds with it. Empty if nothing, or if it finds something without it too."""
        with self.planted():
            fault = self.hunt(seed)
        return fault if fault and not self.hunt(seed) else ""

    def find(self, seeds_max: int) -> Find | None:
        """Look for it, in at most so many runs."""
        for tried, seed in enumerate(self.candidates(seeds_max), 1):
            if fault := self.fault(seed):
                return Find(seed, fault, tried)
        return None
