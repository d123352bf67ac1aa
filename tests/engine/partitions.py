"""Several partitions in one process: an engine with its state and log each, and what lies between
them. Everything that happens is decided by the seed.

What partitions send each other is lost, doubled, late and out of order; a partition loses what it
has not committed and begins again from its log; clients ask again until they are answered.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count
from random import Random
from typing import Final, NamedTuple

from msgspec import Struct

from grevy.engine import PARTITION_COMMANDS, Command, Engine, SentCommand
from grevy.protocol.codec import decode_entry
from grevy.protocol.intents import Intent, RejectionType
from grevy.protocol.record import Answer, Entry, RequestId
from grevy.protocol.values import Value
from grevy.state import MemoryBackend, State
from grevy.stream import StreamProcessor
from grevy.stream.processor import Effects
from grevy.testing.clock import START_MS
from grevy.testing.entropy import SeededEntropy

TICK_MS: Final = 250
CLIENT_RETRY_MS: Final = 3_000
DELIVERIES_MAX: Final = 5_000
"""Of one run; a workload's takes some hundred."""

TURNS_MAX: Final = 20
"""In which a command's batches are done; nothing here needs a second one."""

CLIENT: Final = b"tests.partitions"


class Faults(Struct, frozen=True):
    """How bad it gets: chances of what goes wrong, and times in milliseconds."""

    loss: float = 0.0
    doubling: float = 0.0
    lateness: float = 0.0
    late_ms: int = 30_000
    crash: float = 0.0
    stall: float = 0.0
    stall_ms: int = 9_000


CALM: Final = Faults()


def draw_faults(rng: Random) -> Faults:
    """Some faults often, some seldom, some not at all."""
    return Faults(
        loss=rng.choice((0.0, 0.05, 0.3)),
        doubling=rng.choice((0.0, 0.1, 0.4)),
        lateness=rng.choice((0.0, 0.1, 0.4)),
        crash=rng.choice((0.0, 0.01, 0.04)),
        stall=rng.choice((0.0, 0.01, 0.05)),
    )


class SimPartition:
    """One partition: what it has committed lies in `entries`, all else is lost with a crash."""

    def __init__(self, partition_id: int, partition_count: int) -> None:
        self.partition_id = partition_id
        self._count = partition_count
        self.entries: list[bytes] = []
        self._decoded: list[Entry] = []
        self.crashes = 0
        self.backend = MemoryBackend()
        self.restart()

    def restart(self) -> None:
        """Begins anew, from the log."""
        self.backend = MemoryBackend()
        self.state = State(self.backend)
        self.engine = Engine(
            self.state,
            self.partition_id,
            partition_count=self._count,
            entropy=SeededEntropy(self.crashes),
        )
        self.processor = StreamProcessor(self.engine, self.state)
        if self.entries:
            self.processor.commit(self.entries, len(self.entries))
        self.processor.begin()

    def crash(self) -> None:
        """Loses what is not committed."""
        self.crashes += 1
        self.restart()

    def submit(self, command: Command, now: int, source: int, request: RequestId | None) -> None:
        """Takes a command of a partition or a client."""
        assert source == 0 or command.intent in PARTITION_COMMANDS, command
        self.processor.submit(command, now, request, source_partition_id=source)
        self.go_on(now)

    def go_on(self, now: int) -> None:
        """What batches have left."""
        for _ in range(TURNS_MAX):
            if not self.processor.has_pending:
                return
            self.processor.go_on(now)
        raise AssertionError("a command leads to no end")

    def commit(self) -> Effects:
        """All that is in flight is committed."""
        payloads = self.processor.take_entries()
        self.entries += payloads
        return self.processor.commit(payloads, len(self.entries))

    def replayed(self) -> State:
        """The state that a replica has which only replays."""
        state = State(MemoryBackend())
        engine = Engine(state, self.partition_id, partition_count=self._count)
        for index, entry in enumerate(self.log(), 1):
            state.commit([engine.apply(entry)], index, entry.last_position)
        return state

    def log(self) -> list[Entry]:
        """The log, entry by entry."""
        self._decoded += map(decode_entry, self.entries[len(self._decoded) :])
        return self._decoded


class Asked(NamedTuple):
    """What a client has asked and waits for; `on_answer` may be called for a rejection too."""

    partition_id: int
    command: Command
    request: RequestId
    on_answer: Callable[[Answer], None] | None


class Cluster:
    """Partitions, the network between them and the clients, on one virtual clock."""

    def __init__(self, seed: int, partition_count: int = 3) -> None:
        self.rng = Random(seed)
        self.now = START_MS
        self.faults = CALM
        self.partitions = [SimPartition(i + 1, partition_count) for i in range(partition_count)]
        self.asked: dict[int, Asked] = {}
        self.delivered: list[tuple[int, SentCommand]] = []
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count(1)
        self._requests = count(1)
        self._in_network = 0
        self._committing: set[int] = set()
        for partition in self.partitions:
            self._tick(partition)

    def at(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Something happens later."""
        heapq.heappush(self._agenda, (self.now + delay_ms, next(self._numbers), action))

    def run(self, for_ms: int) -> None:
        """Lets time pass."""
        until = self.now + for_ms
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
        self.now = until

    def settle(self, limit_ms: int = 240_000) -> None:
        """Nothing goes wrong any more: until clients and network are quiet, and what was lost has
        been sent again.
        """
        self.faults = CALM
        until = self.now + limit_ms
        while self.now < until:
            self.run(12_000)
            if not self.asked and not self._in_network and not self.is_waiting():
                return
        raise AssertionError(f"not quiet after {limit_ms} ms: {len(self.asked)} unanswered")

    def is_waiting(self) -> bool:
        """Whether a partition waits for another one's answer."""
        return any(
            partition.engine.views.unanswered.sent(self.now, 1) for partition in self.partitions
        )

    def ask(
        self,
        partition_id: int,
        intent: Intent,
        key: int,
        value: Value,
        on_answer: Callable[[Answer], None] | None = None,
    ) -> None:
        """A client's command, repeated until it is answered."""
        number = next(self._requests)
        request = RequestId(CLIENT, number)
        asked = Asked(partition_id, Command(intent, key, value), request, on_answer)
        self.asked[number] = asked
        self._try(asked)

    def _try(self, asked: Asked) -> None:
        if asked.request.number not in self.asked:
            return
        partition = self.partitions[asked.partition_id - 1]
        recalled = partition.processor.recall(asked.request)
        if isinstance(recalled, Answer):
            self._answered(asked.request, recalled)
            return
        if recalled is None:
            partition.submit(asked.command, self.now, 0, asked.request)
            self._commit_soon(partition)
        self.at(CLIENT_RETRY_MS, lambda: self._try(asked))

    def _answered(self, request: RequestId, answer: Answer) -> None:
        asked = self.asked.pop(request.number, None)
        if asked is None:
            return
        failed = answer.rejection_type is RejectionType.PROCESSING_ERROR
        assert not failed, answer.rejection_reason
        if asked.on_answer is not None:
            asked.on_answer(answer)

    def _tick(self, partition: SimPartition) -> None:
        self.at(TICK_MS, lambda: self._tick(partition))
        if self.rng.random() < self.faults.crash:
            partition.crash()
        partition.processor.run_schedule(self.now)
        partition.go_on(self.now)
        self._send(partition.partition_id, partition.processor.resend(self.now))
        self._commit_soon(partition)

    def _commit_soon(self, partition: SimPartition) -> None:
        """Clients and partitions learn of it when it is committed; that may take long."""
        if partition.partition_id in self._committing:
            return
        self._committing.add(partition.partition_id)
        is_stalled = self.rng.random() < self.faults.stall
        delay = self.faults.stall_ms if is_stalled else self.rng.randint(1, 5)
        self.at(delay, lambda: self._commit(partition))

    def _commit(self, partition: SimPartition) -> None:
        self._committing.discard(partition.partition_id)
        effects = partition.commit()
        if self.rng.random() < self.faults.crash:
            partition.crash()  # before anybody has learnt of it
            return
        for reply in effects.replies:
            self._answered(reply.request, reply.answer)
        self._send(partition.partition_id, effects.sends)

    def _send(self, source: int, sends: Sequence[SentCommand]) -> None:
        for sent in sends:
            if self.rng.random() >= self.faults.loss:
                self._carry(source, sent)
            if self.rng.random() < self.faults.doubling:
                self._carry(source, sent)

    def _carry(self, source: int, sent: SentCommand) -> None:
        is_late = self.rng.random() < self.faults.lateness
        delay = self.rng.randint(1, self.faults.late_ms if is_late else 20)
        self._in_network += 1
        self.at(delay, lambda: self._deliver(source, sent))

    def _deliver(self, source: int, sent: SentCommand) -> None:
        self._in_network -= 1
        self.delivered.append((source, sent))
        assert len(self.delivered) <= DELIVERIES_MAX, "partitions never stop asking each other"
        partition = self.partitions[sent.partition_id - 1]
        partition.submit(sent.command, self.now, source, None)
        self._commit_soon(partition)
