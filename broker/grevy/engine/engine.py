"""The engine of one partition: commands in, entries out; entries in, the same state again.

`process` runs on the leader, `apply` wherever an entry is replayed. Both change the state through
the same appliers, and nothing else does. The engine knows neither log nor clock: positions and the
time of a step are arguments.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from grevy.engine.appliers import APPLIERS
from grevy.engine.appliers.requests import apply_reply
from grevy.engine.models import Models
from grevy.engine.ordering import VariableOrder
from grevy.engine.processors import PROCESSORS
from grevy.engine.processors.failures import park
from grevy.engine.resends import Resends
from grevy.engine.schedule import Schedule
from grevy.engine.step import (
    Command,
    JobTaker,
    JobTopics,
    NoTopics,
    PushedJobs,
    Refused,
    SentCommand,
    Step,
)
from grevy.engine.stores import Stores
from grevy.engine.tables import PendingCommand, RememberedAnswer
from grevy.engine.views import Views
from grevy.ports.entropy import Entropy
from grevy.protocol.codec import encode_entry
from grevy.protocol.errors import LimitExceeded
from grevy.protocol.intents import INTENTS, ErrorIntent, RecordType, RejectionType
from grevy.protocol.keys import key_of
from grevy.protocol.limits import BATCH_BYTES_MAX, BATCH_STEPS_MAX
from grevy.protocol.record import Entry, EntryDraft, Record, RequestId
from grevy.protocol.values import VALUES, ErrorValue
from grevy.state import State, WriteSet

# Looked up once, see step.py.
_COMMAND: Final = RecordType.COMMAND
_EVENT: Final = RecordType.EVENT


class Outcome(Struct, frozen=True, gc=False):
    """What a step gives: an entry for the log, its write set, and what is to be done once the entry
    is committed. `taken` are the subscriptions whose credit it has used.
    """

    entry: EntryDraft
    write_set: WriteSet
    pushes: Sequence[PushedJobs]
    sends: Sequence[SentCommand]
    has_pending: bool
    taken: Sequence[JobTaker]


class _Order(Struct, frozen=True, gc=False):
    """A command to run, and what its entry is about; see `Engine.process`."""

    command: Command
    now: int
    position: int
    command_position: int
    request: RequestId | None = None
    taker: JobTaker | None = None
    activations: int = 0
    is_checked: bool = False
    source_partition_id: int = 0

    @property
    def is_own(self) -> bool:
        """Whether the command stands in an earlier entry: the engine left it there."""
        return self.command_position != self.position


class Engine:
    """Processes and replays one of the cluster's partitions, which are numbered from 1 to
    `partition_count`.

    `entropy` is what expressions draw from. The effect is in the entry, so a replay needs none.
    """

    def __init__(
        self,
        state: State,
        partition_id: int,
        *,
        partition_count: int = 1,
        topics: JobTopics | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self.views = Views(state)
        self.schedule = Schedule(self.views)
        self._state = state
        self._stores = Stores(state, partition_id)
        self._resends = Resends(self.views, partition_id)
        self._topics = topics if topics is not None else NoTopics()
        self._partition_id = partition_id
        self._step = Step(
            views=self.views,
            stores=self._stores,
            models=Models(self.views),
            topics=self._topics,
            entropy=entropy,
            variable_order=VariableOrder(),
            partition_id=partition_id,
            partition_count=partition_count,
            first_key=key_of(partition_id, 1),
        )

    def process(
        self,
        command: Command,
        *,
        now: int,
        position: int,
        request: RequestId | None = None,
        taker: JobTaker | None = None,
        is_checked: bool = False,
        source_partition_id: int = 0,
    ) -> Outcome:
        """Runs a command of a client, of the schedule or of the partition `source_partition_id`
        (one of `PARTITION_COMMANDS`; nobody is answered); its entry begins at `position`.

        A command that fails unexpectedly is rejected and leaves an ERROR record; one of the
        engine's own that follows from it and fails is left for later, so that what went well before
        it stays. With `is_checked` that includes an entry that the log cannot take (`encode`).
        """
        activations = 0
        return self._run(
            _Order(
                command,
                now,
                position,
                position,
                request,
                taker,
                activations,
                is_checked,
                source_partition_id,
            )
        )

    def process_pending(
        self, *, now: int, position: int, is_checked: bool = False
    ) -> Outcome | None:
        """Goes on with the oldest command that an entry left; None where nothing waits."""
        pending = self._stores.pending.next()
        if pending is None:
            return None
        command = self.decode_pending(pending)
        order = _Order(
            command,
            now,
            position,
            pending.position,
            activations=pending.activations,
            is_checked=is_checked,
        )
        return self._run(order)

    @staticmethod
    def encode(outcomes: Sequence[Outcome]) -> list[bytes]:
        """The entries as the log keeps them. Raises `LimitExceeded` for one that is too large,
        `struct.error` for a number beyond its field: then the outcomes are to be undone, and their
        commands processed again, checked.

        Together, because the code of the engine and that of the codec drive each other out of the
        processor's caches: one after the other is a tenth faster than in turns.
        """
        return [encode_entry(outcome.entry) for outcome in outcomes]

    def undo(self, outcome: Outcome) -> None:
        """Takes back the newest outcome, as if its command had never come."""
        self._state.unseal(outcome.write_set)
        for taker in outcome.taken:
            self._topics.give_back(taker)

    @property
    def has_pending(self) -> bool:
        """Whether a command waits that an entry left."""
        return self._stores.pending.next() is not None

    def remembered(self, request: RequestId) -> RememberedAnswer | None:
        """The answer to a request that was taken before, committed or not."""
        return self._stores.requests.remembered(request)

    def due(self, now: int, limit: int) -> list[Command]:
        """Commands of the schedule whose time has come: timers, time-outs, back-offs, expiries."""
        return self.schedule.due(now, limit)

    def resends(self, now: int, limit: int) -> list[SentCommand]:
        """At most `limit` commands that other partitions have not answered in time, to be sent
        again. They may speak of what is not committed: they are to wait for all entries in flight.
        """
        return self._resends.due(now, limit)

    def apply(self, entry: Entry) -> WriteSet:
        """Replays an entry; no processor runs."""
        self._state.begin()
        self._stores.now = entry.timestamp
        for place, record in enumerate(entry.records):
            if record.record_type is _EVENT:
                applier = APPLIERS.get(record.intent)
                if applier is not None:
                    applier(self._stores, record.key, record.value)
            elif record.record_type is _COMMAND:
                position = entry.first_position + place
                if position != entry.command_position:
                    self._leave(record, position, entry.activations)
        self._close(entry)
        return self._state.seal()

    @staticmethod
    def decode_pending(pending: PendingCommand) -> Command:
        """The command that was left in the state."""
        intent = INTENTS[pending.intent]
        value = msgspec.msgpack.decode(pending.value, type=VALUES[intent.value_type])
        return Command(intent, pending.key, value)

    def _run(self, order: _Order) -> Outcome:
        steps_max = BATCH_STEPS_MAX
        while True:
            step = self._begin(order)
            queue = step.queue
            done = 0
            try:
                queue.append(order.command)
                while queue and done < steps_max and step.document_bytes < BATCH_BYTES_MAX:
                    current = queue.popleft()
                    PROCESSORS[current.intent](step, current)
                    done += 1
                return self._finish(step, order)
            except AssertionError:
                self._drop(step)
                raise
            except Refused as refused:
                self._drop(step)
                step = self._begin(order)
                step.reject(order.command, refused.rejection_type, refused.reason)
                return self._finish(step, order)
            except Exception as error:  # noqa: BLE001 - whatever a processor raises is told, not lost
                self._drop(step)
                if isinstance(error, LimitExceeded):
                    done //= 2  # the entry is larger than the log takes: less of it may fit
                if done > 0:
                    steps_max = done  # up to the one that failed; it is tried again by itself
                    continue
                step = self._begin(order)
                self._fail(step, order, error)
                return self._finish(step, order)

    def _begin(self, order: _Order) -> Step:
        self._state.begin()
        self._stores.now = order.now
        step = self._step
        step.begin(order.now, order.request, order.taker)
        step.activations = order.activations
        step.source_partition_id = order.source_partition_id
        if not order.is_own:
            command = order.command
            step.rows.append((_COMMAND, command.intent, command.key, command.value, None, ""))
        return step

    def _drop(self, step: Step) -> None:
        self._state.rollback()
        self._stores.jobs.drop_step()
        for taker in step.taken:
            self._topics.give_back(taker)

    def _fail(self, step: Step, order: _Order, error: Exception) -> None:
        """A client's command is rejected; one of the engine's own becomes an incident."""
        command, position = order.command, order.command_position
        trace = "".join(traceback.format_exception(error))
        reason = f"{type(error).__name__}: {error}"
        instance = getattr(command.value, "process_instance_key", -1)
        value = ErrorValue(reason, trace, position, instance)
        step.event(ErrorIntent.CREATED, step.next_key(), value)
        if order.is_own:
            park(step, command, position, reason)
            return
        text = f"Expected to process {command.intent.name}, but it failed unexpectedly: {reason}"
        is_size = isinstance(error, LimitExceeded)
        kind = (
            RejectionType.EXCEEDED_BATCH_RECORD_SIZE if is_size else RejectionType.PROCESSING_ERROR
        )
        step.reject(command, kind, text)

    def _finish(self, step: Step, order: _Order) -> Outcome:
        position = order.position
        for left in step.queue:
            self._leave(left, position + len(step.rows), step.activations)
            step.rows.append((_COMMAND, left.intent, left.key, left.value, None, ""))
        entry = EntryDraft(
            partition_id=self._partition_id,
            timestamp=order.now,
            first_position=position,
            command_position=order.command_position,
            rows=step.rows,
            replies=tuple(step.replies),
            key_counter=step.key_counter,
            activations=step.activations,
        )
        if order.is_checked:
            encode_entry(entry)
        self._close(entry)
        has_pending = bool(step.queue) or order.is_own
        write_set = self._state.seal()
        return Outcome(entry, write_set, step.pushes, step.sends, has_pending, step.taken)

    def _leave(self, record: Record | Command, position: int, activations: int) -> None:
        encoded = msgspec.msgpack.encode(record.value)
        self._stores.pending.put(
            PendingCommand(int(record.intent), record.key, encoded, activations, position)
        )

    def _close(self, entry: Entry | EntryDraft) -> None:
        """What an entry changes besides its events."""
        if entry.command_position != entry.first_position:
            self._stores.pending.remove(entry.command_position)
        self._stores.pending.set_key_counter(entry.key_counter)
        for reply in entry.replies:
            apply_reply(self._stores, reply, entry.timestamp)
        self._stores.jobs.close_step()
