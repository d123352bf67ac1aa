"""A random path through a process, step by step, and a second engine that only replays the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Final

from tests.engine.randomly import DECISIONS, OTHER_DECISIONS

from grevy.engine import Engine, resource_tables, tables
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import (
    DecisionRequirementsIntent,
    IncidentIntent,
    Intent,
    JobIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
)
from grevy.protocol.values import (
    DecisionRequirementsValue,
    IncidentValue,
    ProcessMessageSubscriptionValue,
)
from grevy.state import MemoryBackend, State
from grevy.testing import InProcessEngine, LoggedRecord, Rejected

Action = Callable[[], object]

LASTING: Final = {
    spec.number
    for spec in (
        tables.PROCESSES,
        tables.PROCESS_VERSIONS,
        resource_tables.DECISIONS,
        resource_tables.DECISION_VERSIONS,
        resource_tables.DECISION_GRAPHS,
        resource_tables.DECISION_GRAPH_VERSIONS,
        resource_tables.DECISIONS_OF_GRAPH,
        resource_tables.DECISIONS_OF_DEPLOYMENT,
        tables.REQUESTS,
        tables.LARGE_ANSWERS,
        tables.SESSIONS,
        tables.SESSIONS_BY_AGE,
        tables.COUNTERS,
    )
}
"""Tables that keep their rows when all instances have ended."""

STEPS_MAX: Final = 12
"""Steps of a path before it is brought to its end."""

ROUNDS_MAX: Final = 40
"""Rounds in which everything that is open is answered; no process of `randomly` needs as many."""

LONG_S: Final = 60
"""Longer than any timer of `randomly`."""

_NODE_ID: Final = re.compile(r'<bpmn:(?!process|message|error|sequenceFlow)\w+ id="([^"]+)"')
_JOB_ENDED: Final = (JobIntent.COMPLETED, JobIntent.CANCELED)
_GRAPH: Final = DecisionRequirementsIntent
_ENDED: Final = (ProcessInstanceIntent.ELEMENT_COMPLETED, ProcessInstanceIntent.ELEMENT_TERMINATED)


def _graph(record: LoggedRecord) -> int:
    assert isinstance(record.value, DecisionRequirementsValue)
    return record.value.decision_requirements_key


class Replica:
    """Replays the log of an engine, as a follower does."""

    def __init__(self, engine: InProcessEngine) -> None:
        self._engine = engine
        self.state = State(MemoryBackend())
        self._core = Engine(self.state, 1)
        self._applied = 0

    def catch_up(self) -> None:
        """Applies the entries that are new, one commit each."""
        for payload in self._engine.entries[self._applied :]:
            entry = decode_entry(payload)
            written = self._core.apply(entry)
            self._applied += 1
            self.state.commit([written], self._applied, entry.last_position)


class Walk:
    """Drives instances of the process `p`; what it does next is drawn from what is open.

    With `starts_anywhere` instances also begin before any elements: such may wait for ever, where
    paths join.
    """

    def __init__(
        self,
        xml: str,
        engine: InProcessEngine | None = None,
        *,
        starts_anywhere: bool = False,
    ) -> None:
        self.engine = engine if engine is not None else InProcessEngine()
        self.engine.deploy("p.bpmn", xml)
        self.engine.deploy("g.dmn", DECISIONS)
        self._starts = _NODE_ID.findall(xml) if starts_anywhere else []

    def step(self, choose: Callable[[list[Action]], Action]) -> None:
        """Does one thing of those that are possible; being refused is as good as any other
        outcome.
        """
        with suppress(Rejected):
            choose(self._actions())()

    def finish(self) -> None:
        """Answers all that is open until every instance has ended."""
        self.engine.deploy("g.dmn", DECISIONS)
        for _ in range(ROUNDS_MAX):
            alive = self.alive()
            if not alive:
                self.engine.increase_time(LONG_S)  # buffered messages expire
                return
            for key in alive:
                self.engine.set_variables(key, {"fixed": True, "x": 5})
            for action in (*self._answers(), *self._resolutions()):
                with suppress(Rejected):  # what came before may have ended it
                    action()
            self.engine.increase_time(LONG_S)
        raise AssertionError(f"still running after {ROUNDS_MAX} rounds: {self.alive()}")

    def alive(self) -> list[int]:
        """Keys of the instances that have not ended."""
        ended = {record.key for record in self.engine.records.of(*_ENDED)}
        return [key for key in self.engine.records.instances() if key not in ended]

    def _actions(self) -> list[Action]:
        engine = self.engine
        actions: list[Action] = [
            partial(engine.create, "p", {"x": 1, "note": "first"}),
            partial(engine.create, "p"),
            partial(engine.deploy, "g.dmn", OTHER_DECISIONS),
            partial(engine.evaluate_decision, "next", {"x": 1}),
            partial(engine.increase_time, 5),
            partial(engine.increase_time, LONG_S),
        ]
        for one, other in pairwise(self._starts):
            actions.append(partial(engine.create, "p", {"x": 1}, start_before=[one]))
            actions.append(partial(engine.create, "p", start_before=[other, one, one]))
        actions += [partial(engine.delete, key) for key in self._graphs()]
        for key in self.alive():
            actions.append(partial(engine.set_variables, key, {"x": 2, "new": [1]}))
            actions.append(partial(engine.cancel, key))
        return actions + self._answers() + self._troubles() + self._resolutions()

    def _answers(self) -> list[Action]:
        """What lets elements go on that wait: jobs are completed, messages published."""
        engine = self.engine
        actions: list[Action] = []
        for job in self._open(JobIntent.CREATED, _JOB_ENDED):
            actions.append(partial(self._complete, job.key))
        waiting = self._open(
            ProcessMessageSubscriptionIntent.CREATED,
            (
                ProcessMessageSubscriptionIntent.DELETING,
                ProcessMessageSubscriptionIntent.CORRELATED,
            ),
        )
        for subscription in waiting:
            value = subscription.value
            assert isinstance(value, ProcessMessageSubscriptionValue)
            name = value.message_name
            actions.append(partial(engine.publish, name, "key", {"m": 1}))
            actions.append(partial(engine.publish, name, "key", ttl_ms=20_000))
        return actions

    def _troubles(self) -> list[Action]:
        """What goes wrong: jobs fail, throw errors, are taken and not finished."""
        engine = self.engine
        actions: list[Action] = [
            partial(engine.activate_jobs, "a", timeout_ms=3_000),
            partial(engine.activate_jobs, "b", fetch_variables=("x",)),
        ]
        for job in self._open(JobIntent.CREATED, _JOB_ENDED):
            key = job.key
            actions.append(partial(engine.fail, key, retries=1, backoff_ms=7_000))
            actions.append(partial(engine.fail, key, retries=0, variables={"x": 9}))
            actions.append(partial(engine.throw_error, key, "oops", variables={"e": "!"}))
            actions.append(partial(engine.throw_error, key, "unheard of"))
        return actions

    def _resolutions(self) -> list[Action]:
        actions: list[Action] = []
        for incident in self._open(IncidentIntent.CREATED, (IncidentIntent.RESOLVED,)):
            actions.append(partial(self._resolve, incident))
        return actions

    def _graphs(self) -> list[int]:
        """Requirement graphs that are deployed."""
        deleted = {_graph(record) for record in self.engine.records.of(_GRAPH.DELETED)}
        created = [_graph(record) for record in self.engine.records.of(_GRAPH.CREATED)]
        return [key for key in created if key not in deleted]

    def _complete(self, key: int) -> None:
        self.engine.complete(key, {"x": 3, "done": True})

    def _resolve(self, incident: LoggedRecord) -> None:
        value = incident.value
        assert isinstance(value, IncidentValue)
        if value.job_key > 0:
            self.engine.update_retries(value.job_key, 1)
        self.engine.resolve_incident(incident.key)

    def _open(self, begin: Intent, end: tuple[Intent, ...]) -> list[LoggedRecord]:
        ended = {record.key for record in self.engine.records.of(*end)}
        return [record for record in self.engine.records.of(begin) if record.key not in ended]
