"""Bugs in the engine: appliers that forget something, processors that take too much, and what
parts a replica from its leader. Those between partitions are in `tests/engine/engine_mutants.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Final
from unittest.mock import patch

from msgspec.structs import replace
from tests.engine.engine_mutants import MUTANTS
from tests.sim.mutants.bug import Bug, fault_of_engine, fault_of_partitions

from grevy.engine import Command, Engine
from grevy.engine.appliers import APPLIERS
from grevy.engine.processors import jobs
from grevy.engine.schedule import Schedule
from grevy.engine.step import Step
from grevy.engine.stores import Stores
from grevy.engine.tables import StoredJob, StoredTimer
from grevy.protocol.intents import (
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    RejectionType,
    TimerIntent,
)
from grevy.protocol.record import Entry
from grevy.protocol.values import JobBatchValue, Value
from grevy.state import MemoryBackend, WriteSet
from grevy.state.backend import Snapshot, _MemorySnapshot

EARLY_MS: Final = 4_000


def _nothing(_stores: Stores, _key: int, _value: Value) -> None:
    """The event changes nothing."""


def _applier(intent: Intent, new: object) -> Callable[[ExitStack], object]:
    return lambda stack: stack.enter_context(patch.dict(APPLIERS, {intent: new}))


def _forgets(name: str, intent: Intent) -> Bug:
    return Bug(name, hunt=fault_of_engine, plant=_applier(intent, _nothing))


def _any_lease(step: Step, command: Command, verb: str) -> StoredJob | None:
    assert command.value is not None
    return _workable(step, replace(command, value=replace(command.value, activation=0)), verb)


def _refuse_with_a_key(self: Step, command: Command, rejection: RejectionType, reason: str) -> None:
    self.next_key()
    _reject(self, command, rejection, reason)


def _timers_early(self: Schedule, now: int, limit: int) -> list[StoredTimer]:
    return _timers(self, now + EARLY_MS, limit)


def _without_keys(self: Engine, entry: Entry) -> WriteSet:
    return _apply(self, replace(entry, key_counter=self._stores.pending.key_counter()))


def _snapshot_without_the_last(self: MemoryBackend) -> Snapshot:
    return _MemorySnapshot(list(self._rows.items())[:-1])


def _guessed_deadlines(stores: Stores, key: int, value: Value) -> None:
    assert isinstance(value, JobBatchValue)
    _activated(stores, key, replace(value, deadline=value.deadline + next(_guesses)))


_guesses: Final = count()
_activated: Final = APPLIERS[JobBatchIntent.ACTIVATED]
_apply: Final = Engine.apply
_reject: Final = Step.reject
_timers: Final = Schedule._timers
_workable: Final = jobs._workable

ENGINE_BUGS: Final = (
    _forgets("a timer that was cancelled is still there", TimerIntent.CANCELED),
    _forgets("a message that has expired is still there", MessageIntent.EXPIRED),
    _forgets("an incident that was resolved is still there", IncidentIntent.RESOLVED),
    _forgets("a job that was cancelled is still there", JobIntent.CANCELED),
    Bug(
        "a job is completed under an old lease",
        {(jobs, "_workable"): _any_lease},
        hunt=fault_of_engine,
    ),
    Bug(
        "a refusal uses up a key",
        {(Step, "reject"): _refuse_with_a_key},
        hunt=fault_of_engine,
    ),
    Bug("a timer fires early", {(Schedule, "_timers"): _timers_early}, hunt=fault_of_engine),
    Bug(
        "a replay does not count keys",
        {(Engine, "apply"): _without_keys},
        hunt=fault_of_engine,
    ),
    Bug(
        "a copy of the state lacks a row",
        {(MemoryBackend, "snapshot"): _snapshot_without_the_last},
        hunt=fault_of_engine,
    ),
    Bug(
        "an applier does not go by the event alone",
        hunt=fault_of_engine,
        plant=_applier(JobBatchIntent.ACTIVATED, _guessed_deadlines),
    ),
)
"""In one engine."""

PARTITION_BUGS: Final = tuple(
    Bug(
        f"between partitions: {mutant.name}",
        seeds=(mutant.seed,),
        hunt=partial(fault_of_partitions, partition_count=mutant.partition_count),
        plant=mutant.plant,
    )
    for mutant in MUTANTS
)
"""In engines among others."""
