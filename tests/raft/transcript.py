"""Transcripts: commands to a replica, and below each what it said.

    propose a b
    ----
    leader of term 1, log 1..3, flushed 1, commit 1

A test plays the commands of a file in `transcripts/` and compares; `pytest tests/raft --rewrite`
writes what was said into the files instead, to be read in the diff. A file with `cluster` in it is
of several replicas, and has other commands: see `cluster_transcript`.

    node [terms=1,1,2] [term=N] [vote=N]   a replica over a disk with such a log, all of it flushed
    campaign, tick [N]                     as the embedder would call them
    propose TEXT…                          entries of the leader; `""` is an empty one
    step sender=N                          a message of another replica
    ready                                  take what is to be done
    write                                  make the hard state of it durable, append its entries
    advance                                tell the replica that this was done
    do                                     the last three, until there is nothing to do
    flush-begin, flush-sync                sync the log, without a word to the replica
    flush-end, flush                       tell the replica what is on the disk; all of it at once
    persisted index=N term=N               say so without a flush
    crash [keep=all]                       cut the power and start again; unsynced writes are lost
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from tests.raft.cluster_transcript import ClusterPlayer
from tests.sim.disk import SimDisk

from grevy.journal import FlushHandle, Journal, JournalEntry, JournalOptions
from grevy.protocol.raft_messages import VoteResponse
from grevy.raft import HardState, RaftConfig, RaftStorage, Ready
from grevy.testing.entropy import SeededEntropy

RULE: Final = "----"
OPTIONS: Final = JournalOptions(segment_bytes=4096)


def _written(entries: tuple[JournalEntry, ...] | list[JournalEntry]) -> str:
    texts = [f'{entry.index}/{entry.term} "{entry.payload.decode()}"' for entry in entries]
    return ", ".join(texts) or "none"


class Player:
    """One replica and its disk."""

    def __init__(self) -> None:
        self._disk = SimDisk()
        self._ready: Ready | None = None
        self._flight: FlushHandle | None = None
        self._commands: dict[str, Callable[[list[str], dict[str, str]], list[str]]] = {
            "node": self._make,
            "campaign": lambda _, __: self._call(self._node.campaign),
            "tick": self._tick,
            "propose": self._propose,
            "step": self._step,
            "ready": self._take_ready,
            "write": self._write,
            "advance": self._advance,
            "do": self._do,
            "flush-begin": self._begin_flush,
            "flush-sync": self._sync,
            "flush-end": self._end_flush,
            "flush": lambda *_: [*self._begin_flush([], {}), *self._end_flush([], {})],
            "persisted": self._persisted,
            "crash": self._crash,
        }

    def play(self, name: str, arguments: list[str], options: dict[str, str]) -> str:
        """Run a command; what it says, then where the replica is."""
        try:
            said = self._commands[name](arguments, options)
        except (AssertionError, ValueError) as error:
            said = [f"refused: {str(error).splitlines()[0]}"]
        return "\n".join([*said, self._status()])

    def _status(self) -> str:
        node, journal = self._node, self._journal
        settled = ", settled" if node.is_settled else ""
        return (
            f"{node.role.value} of term {node.term}, "
            f"log {journal.first_index}..{journal.last_index}, "
            f"flushed {journal.last_flushed_index}, commit {node.commit_index}{settled}"
        )

    def _make(self, _: list[str], options: dict[str, str]) -> list[str]:
        self._disk = SimDisk()
        terms = [int(term) for term in options.get("terms", "").split(",") if term]
        journal = Journal.open(self._disk, 1, OPTIONS)
        storage = RaftStorage.open(self._disk, journal, 1)
        state = HardState(
            int(options.get("term", max(terms, default=0))), int(options.get("vote", 0))
        )
        storage.write(Ready(state, (), (), 0))
        journal.append([JournalEntry(n + 1, term, b"old") for n, term in enumerate(terms)])
        journal.flush()
        return self._start()

    def _start(self) -> list[str]:
        self._ready = self._flight = None
        self._journal = Journal.open(self._disk, 1, OPTIONS)
        self._storage = RaftStorage.open(self._disk, self._journal, 1)
        state = self._storage.hard_state
        self._node = self._storage.make_node(RaftConfig(1, (1,)), SeededEntropy(0))
        found = self._journal.read(self._journal.first_index, 1 << 20)
        return [f"on disk: term {state.term}, vote {state.vote}, entries {_written(found)}"]

    def _crash(self, _: list[str], options: dict[str, str]) -> list[str]:
        self._disk = self._disk.crash(Random(0), 1.0 if "keep" in options else 0.0)
        return self._start()

    def _tick(self, arguments: list[str], _: dict[str, str]) -> list[str]:
        for _tick in range(int(arguments[0]) if arguments else 1):
            self._node.tick()
        return []

    @staticmethod
    def _call(method: Callable[[], object]) -> list[str]:
        method()
        return []

    def _propose(self, arguments: list[str], _: dict[str, str]) -> list[str]:
        indexes = [self._node.propose(text.strip('"').encode()) for text in arguments]
        return [f"indexes {', '.join(map(str, indexes))}"]

    def _step(self, _: list[str], options: dict[str, str]) -> list[str]:
        self._node.step(VoteResponse(int(options["sender"]), self._node.term, True))
        return []

    def _take_ready(self, _: list[str], __: dict[str, str]) -> list[str]:
        self._ready = ready = self._node.ready()
        if ready is None:
            return ["nothing to do"]
        state = ready.hard_state
        return [
            "hard state: "
            + ("as it was" if state is None else f"term {state.term}, vote {state.vote}"),
            f"entries: {_written(ready.entries)}",
            f"messages: {len(ready.messages)}",
            f"committed: {ready.committed_index}",
        ]

    def _write(self, _: list[str], __: dict[str, str]) -> list[str]:
        assert self._ready is not None, "nothing was taken"
        self._storage.write(self._ready)
        return []

    def _advance(self, _: list[str], __: dict[str, str]) -> list[str]:
        assert self._ready is not None, "nothing was taken"
        self._node.advance(self._ready)
        return []

    def _do(self, _: list[str], __: dict[str, str]) -> list[str]:
        while (ready := self._node.ready()) is not None:
            self._storage.write(ready)
            self._node.advance(ready)
        return []

    def _begin_flush(self, _: list[str], __: dict[str, str]) -> list[str]:
        self._flight = self._journal.flush_handle()
        return [f"flushing up to {self._flight.index}"]

    def _end_flush(self, _: list[str], __: dict[str, str]) -> list[str]:
        assert self._flight is not None, "no flush is under way"
        flight, self._flight = self._flight, None
        if not flight.is_synced:
            flight.sync()
        self._journal.flushed(flight)
        self._node.persisted(flight.index, flight.term)
        return []

    def _sync(self, _: list[str], __: dict[str, str]) -> list[str]:
        assert self._flight is not None, "no flush is under way"
        self._flight.sync()
        return []

    def _persisted(self, _: list[str], options: dict[str, str]) -> list[str]:
        self._node.persisted(int(options["index"]), int(options["term"]))
        return []


def play(text: str) -> str:
    """A transcript with what is said now."""
    is_of_cluster = any(line.startswith("cluster ") for line in text.splitlines())
    player = ClusterPlayer() if is_of_cluster else Player()
    said: list[str] = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        commands = lines[: lines.index(RULE)] if RULE in lines else lines
        said += commands
        command = next((line for line in commands if not line.startswith("#")), None)
        if command is not None:
            name, *words = command.split()
            options = dict(word.split("=", 1) for word in words if "=" in word)
            arguments = [word for word in words if "=" not in word]
            said += [RULE, player.play(name, arguments, options)]
        said.append("")
    return "\n".join(said)
