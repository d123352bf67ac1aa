"""The engine with one-task instances: create, push the job, complete, to the end of the process.

Every round takes a group of instances through both of their commands, each group of commands with
one commit, as one turn of a broker's loop does. `test_one_task` is `Engine.process`, which encodes
the entry too, with the state beneath it; `test_one_task_in_a_stream` adds what the stream processor
keeps until the commit; `test_replay` applies such entries, as a start and a follower do. Times are
of a group: divide by its size. No sockets, no log, no fsync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from bench.one_task import model, task
from pytest_benchmark.fixture import BenchmarkFixture

from grevy.engine import Command, Engine, Outcome
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import DeploymentIntent, JobIntent, ProcessInstanceCreationIntent
from grevy.protocol.record import Entry, RequestId
from grevy.protocol.values import (
    DeploymentValue,
    JobValue,
    ProcessInstanceCreationValue,
    ResourceFile,
)
from grevy.state import LmdbBackend, MemoryBackend, State
from grevy.stream import JobSubscription, StreamProcessor, Topics
from grevy.stream.processor import Effects

NOW: Final = 1_700_000_000_000
CLIENT_ID: Final = bytes(range(16))
WORKER_ID: Final = bytes(range(16, 32))
DOCUMENT: Final = b'{"orderId":4711,"customer":"abcdefghijklmnopqrstuvwxyz","total":99.5,"n":[1,2]}'
RESULT: Final = b'{"receipt":"R-4711"}'
CREDIT: Final = 1 << 40
ROUNDS: Final = 100
WARM_UP: Final = 20
GROUP: Final = 50

CREATE: Final = Command(
    ProcessInstanceCreationIntent.CREATE,
    -1,
    ProcessInstanceCreationValue(bpmn_process_id="order", variables=DOCUMENT),
)
DEPLOY: Final = Command(
    DeploymentIntent.CREATE,
    -1,
    DeploymentValue((ResourceFile("order.bpmn", model("order", task("pay"))),)),
)

Submit = Callable[[Sequence[tuple[Command, RequestId]]], list[tuple[int, int]]]
"""Processes commands and commits them; key and activation of the jobs that were pushed."""


class Partition:
    """What a partition keeps of its engine: positions, indexes, and the sealed writes."""

    def __init__(self, state: State) -> None:
        self.state = state
        topics = Topics()
        worker = JobSubscription(
            "peer", 1, "pay", worker="bench", timeout=300_000, fetch_variables=()
        )
        topics.open(worker)
        topics.add_credit(worker, CREDIT)
        self.engine = Engine(state, 1, topics=topics)
        self._index = 0
        self.entries: list[bytes] = []
        """What `submit_to_stream` has made."""
        self.submit([(DEPLOY, RequestId(CLIENT_ID, 1 << 40))])
        self.processor = StreamProcessor(self.engine, state)

    def submit(self, commands: Sequence[tuple[Command, RequestId]]) -> list[tuple[int, int]]:
        """`Engine.process` for each, then one commit."""
        state, process = self.state, self.engine.process
        position = state.applied_position + 1
        outcomes: list[Outcome] = []
        for command, request in commands:
            outcome = process(command, now=NOW, position=position, request=request)
            assert not outcome.has_pending
            position = outcome.entry.last_position + 1
            outcomes.append(outcome)
        self._index += len(outcomes)
        state.commit([outcome.write_set for outcome in outcomes], self._index, position - 1)
        return [(j.key, j.activation) for o in outcomes for push in o.pushes for j in push.jobs]

    def submit_to_stream(
        self, commands: Sequence[tuple[Command, RequestId]]
    ) -> list[tuple[int, int]]:
        """The same through the stream processor, which collects the effects."""
        for command, request in commands:
            self.processor.submit(command, NOW, request)
        payloads = self.processor.take_entries()
        self.entries += payloads
        self._index += len(payloads)
        effects: Effects = self.processor.commit(payloads, self._index)
        assert len(effects.replies) == len(commands)
        return [(job.key, job.activation) for push in effects.pushes for job in push.jobs]

    def apply(self, entries: Sequence[Entry]) -> None:
        """Replay, with one commit."""
        write_sets = [self.engine.apply(entry) for entry in entries]
        self._index += len(entries)
        self.state.commit(write_sets, self._index, entries[-1].last_position)


def instances(size: int, submit: Submit, numbers: Iterator[int]) -> None:
    """Takes a group of instances from their creation to their end."""
    jobs = submit([(CREATE, RequestId(CLIENT_ID, next(numbers))) for _ in range(size)])
    assert len(jobs) == size
    completions = [
        Command(JobIntent.COMPLETE, key, JobValue(variables=RESULT, activation=activation))
        for key, activation in jobs
    ]
    submit([(command, RequestId(WORKER_ID, next(numbers))) for command in completions])


@pytest.fixture(params=["memory", "lmdb"])
def partition(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Partition]:
    """A partition with the process deployed."""
    backend = MemoryBackend() if request.param == "memory" else LmdbBackend(tmp_path / "state")
    partition = Partition(State(backend))
    yield partition
    partition.state.close()


def measure(benchmark: BenchmarkFixture, work: Callable[[], None]) -> None:
    """Time `work`, warm."""
    pedantic: Callable[..., object] = benchmark.pedantic
    pedantic(work, rounds=ROUNDS, warmup_rounds=WARM_UP)


@pytest.mark.parametrize("size", [1, GROUP])
def test_one_task(benchmark: BenchmarkFixture, partition: Partition, size: int) -> None:
    numbers = count(1)
    measure(benchmark, lambda: instances(size, partition.submit, numbers))


@pytest.mark.parametrize("size", [GROUP])
def test_one_task_in_a_stream(benchmark: BenchmarkFixture, partition: Partition, size: int) -> None:
    numbers = count(1)
    measure(benchmark, lambda: instances(size, partition.submit_to_stream, numbers))


@pytest.mark.parametrize("size", [GROUP])
def test_replay(benchmark: BenchmarkFixture, partition: Partition, size: int) -> None:
    numbers = count(1)
    leader = Partition(State(MemoryBackend()))
    for _ in range(ROUNDS + WARM_UP):
        instances(size, leader.submit_to_stream, numbers)
    entries = iter([decode_entry(payload) for payload in leader.entries])

    def replay() -> None:
        partition.apply([next(entries) for _ in range(2 * size)])

    measure(benchmark, replay)
    assert partition.state.hash == leader.state.hash
