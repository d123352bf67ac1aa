"""The stream processor: commands in, entries out; committed entries in, effects out.

The leader processes a command as soon as it comes and keeps what it owes (write set, replies,
pushes) until the log says that the entry is committed. Committed entries that this processor did
not make itself are replayed. It knows neither raft nor sockets.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from grevy.engine import Command, Engine, JobTaker, Outcome, PushedJobs, SentCommand
from grevy.engine.appliers.requests import is_awaited, recalled
from grevy.protocol.codec import decode_entry
from grevy.protocol.limits import DUE_COMMANDS_MAX, PENDING_ENTRIES_MAX, RESENDS_MAX
from grevy.protocol.record import Answer, Reply, RequestId
from grevy.state import State, WriteSet

_log = logging.getLogger(__name__)


class Effects(Struct, frozen=True, gc=False):
    """What is to be done now that entries are committed."""

    replies: Sequence[Reply]
    pushes: Sequence[PushedJobs]
    sends: Sequence[SentCommand]


class _InFlight(Struct, gc=False):
    """What an entry on its way to commit is owed: the entry itself lies in the log already.
    `repeats` are requests that came again meanwhile and get their first answer.
    """

    write_set: WriteSet
    replies: Sequence[Reply]
    pushes: Sequence[PushedJobs]
    sends: Sequence[SentCommand]
    last_position: int
    repeats: list[Reply]


class _Made(Struct, gc=False):
    """An outcome whose entry is not encoded, and what it is the outcome of; without a command: of
    what an earlier entry left.
    """

    command: Command | None
    now: int
    request: RequestId | None
    taker: JobTaker | None
    outcome: Outcome
    source_partition_id: int = 0


class _Unstored(Struct, gc=False):
    """What committed entries owe to the state; `entry_bytes` is the size of all of them."""

    write_sets: Sequence[WriteSet]
    last_index: int
    last_position: int
    entry_bytes: int


class StreamProcessor:
    """Processing and replay of one partition, over its engine and state."""

    def __init__(self, engine: Engine, state: State) -> None:
        self._engine = engine
        self._state = state
        self._in_flight: deque[_InFlight] = deque()
        self._made: list[_Made] = []
        self._unstored: _Unstored | None = None
        self._next_position = state.applied_position + 1
        self._has_pending = engine.has_pending
        self.commands_processed = 0
        self.entries_replayed = 0

    @property
    def in_flight(self) -> int:
        """Entries that are made and not committed."""
        return len(self._in_flight)

    @property
    def next_position(self) -> int:
        """The position of the next record."""
        return self._next_position

    @property
    def has_pending(self) -> bool:
        """Whether a batch was cut and goes on."""
        return self._has_pending

    def begin(self) -> None:
        """All that the log holds is replayed: from now on this replica leads."""
        self._has_pending = self._engine.has_pending

    def submit(
        self,
        command: Command,
        now: int,
        request: RequestId | None = None,
        taker: JobTaker | None = None,
        *,
        source_partition_id: int = 0,
    ) -> None:
        """Processes a command; its entry is among those that `take_entries` gives next.

        `taker` is the subscription that jobs are activated for, `source_partition_id` the partition
        that has sent the command, 0 for a client's or the broker's own.
        """
        outcome = self._engine.process(
            command,
            now=now,
            position=self._next_position,
            request=request,
            taker=taker,
            source_partition_id=source_partition_id,
        )
        self.commands_processed += 1
        self._made.append(_Made(command, now, request, taker, outcome, source_partition_id))
        self._keep(outcome)

    def take_entries(self) -> list[bytes]:
        """The entries that were made since the last call, encoded, for the caller to append to the
        log in this order.
        """
        made, self._made = self._made, []
        try:
            return self._engine.encode([item.outcome for item in made])
        except AssertionError:
            raise
        except Exception as error:  # noqa: BLE001 - told by the step that it happens in
            _log.warning("processing %d commands again, checked: %s", len(made), error)
            return self._engine.encode(self._make_again(made))

    def recall(self, request: RequestId) -> Answer | bool | None:
        """The first answer to a request that comes again; True if it is still to come, None if the
        request is new.

        An answer that is not committed yet is kept back with its entry, and True is returned.
        """
        remembered = self._engine.remembered(request)
        if remembered is None:
            return None
        if remembered.is_due:
            return True
        answer = recalled(remembered)
        if self._in_flight:
            self._in_flight[-1].repeats.append(Reply(request, answer))
            return True
        return answer

    def go_on(self, now: int) -> None:
        """Processes what cut batches left, up to a limit."""
        for _ in range(PENDING_ENTRIES_MAX):
            outcome = self._engine.process_pending(now=now, position=self._next_position)
            if outcome is None:
                self._has_pending = False
                return
            self._made.append(_Made(None, now, None, None, outcome))
            self._keep(outcome)

    def run_schedule(self, now: int) -> None:
        """Processes what is due."""
        for command in self._engine.due(now, DUE_COMMANDS_MAX):
            self.submit(command, now)

    def resend(self, now: int) -> Sequence[SentCommand]:
        """Commands that other partitions have not answered in time, to be sent again now. While
        entries are in flight, they are among the effects of the newest of them.
        """
        due = self._engine.resends(now, RESENDS_MAX)
        if due and self._in_flight:
            newest = self._in_flight[-1]
            newest.sends = [*newest.sends, *due]
            return ()
        return due

    def commit(self, payloads: Sequence[bytes], last_index: int) -> Effects:
        """`release` and `store` in one."""
        effects = self.release(payloads, last_index)
        self.store()
        return effects

    def release(self, payloads: Sequence[bytes], last_index: int) -> Effects:
        """The log says that these entries are committed, the last one at an index: what is to be
        done now. `store` comes next; clients need not wait for it.

        Entries that were made here are the oldest in flight; with none in flight they are replayed.
        """
        assert self._unstored is None, "what was committed before is not in the state yet"
        write_sets: list[WriteSet] = []
        replies: list[Reply] = []
        pushes: list[PushedJobs] = []
        sends: list[SentCommand] = []
        position = self._state.applied_position
        for payload in payloads:
            if not payload:
                continue  # a leader's first entry says nothing to the engine
            if self._in_flight:
                done = self._in_flight.popleft()
                write_sets.append(done.write_set)
                replies += done.replies
                replies += done.repeats
                pushes += done.pushes
                sends += done.sends
                position = done.last_position
            else:
                entry = decode_entry(payload)
                assert entry.first_position == self._next_position, (
                    f"the log goes on at position {entry.first_position}, "
                    f"expected {self._next_position}"
                )
                write_sets.append(self._engine.apply(entry))
                self._next_position = entry.last_position + 1
                self.entries_replayed += 1
                position = entry.last_position
        self._unstored = _Unstored(write_sets, last_index, position, sum(map(len, payloads)))
        return Effects([r for r in replies if not is_awaited(r.answer)], pushes, sends)

    def store(self) -> None:
        """The writes of the entries that were released reach the committed state together."""
        owed, self._unstored = self._unstored, None
        assert owed is not None, "nothing was released"
        self._state.commit(
            owed.write_sets, owed.last_index, owed.last_position, entry_bytes=owed.entry_bytes
        )

    def abandon(self) -> list[RequestId]:
        """This replica leads no longer: what is in flight is not ours to commit. Gives the requests
        that will have no answer from here.
        """
        requests = [
            reply.request for owed in self._in_flight for reply in (*owed.replies, *owed.repeats)
        ]
        self._in_flight.clear()
        self._made.clear()
        self._state.discard_uncommitted()
        self._next_position = self._state.applied_position + 1
        return requests

    def _keep(self, outcome: Outcome) -> None:
        entry = outcome.entry
        last = entry.last_position
        owed = _InFlight(outcome.write_set, entry.replies, outcome.pushes, outcome.sends, last, [])
        self._in_flight.append(owed)
        self._next_position = last + 1
        self._has_pending = self._has_pending or outcome.has_pending

    def _make_again(self, made: Sequence[_Made]) -> list[Outcome]:
        """The log cannot take one of these entries, which must leave no trace: their commands are
        processed again, each with the proof that its entry can be written.
        """
        repeats: list[Reply] = []
        for item in reversed(made):
            self._engine.undo(item.outcome)
            repeats += self._in_flight.pop().repeats
        self._next_position = made[0].outcome.entry.first_position
        outcomes: list[Outcome] = []
        for item in made:
            outcome = self._process_checked(item)
            if outcome is not None:
                self._keep(outcome)
                outcomes.append(outcome)
        self._has_pending = self._engine.has_pending
        for repeat in repeats:  # what they asked for may have another answer now
            remembered = self._engine.remembered(repeat.request)
            if remembered is not None and not remembered.is_due:
                answer = Reply(repeat.request, recalled(remembered))
                self._in_flight[-1].repeats.append(answer)
        return outcomes

    def _process_checked(self, item: _Made) -> Outcome | None:
        now, position = item.now, self._next_position
        if item.command is None:
            return self._engine.process_pending(now=now, position=position, is_checked=True)
        return self._engine.process(
            item.command,
            now=now,
            position=position,
            request=item.request,
            taker=item.taker,
            is_checked=True,
            source_partition_id=item.source_partition_id,
        )
