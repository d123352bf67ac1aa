"""Transcripts of several replicas in memory (see `cluster`), and how their messages are written.

After each command come the messages that it made, then where each replica is. Disks flush and
messages arrive only when they are told to.

    cluster N [outsiders=N] [logs=1:1,1,2;2:1] [term=N] [terms=N:T]
            [compact=N:I] [lost=N]
                              N replicas, over logs with such terms, all of it flushed, compacted
                              up to an index, in a term; replica `lost` knows that it has lost data
    campaign N, tick N [COUNT], propose N TEXT…
    transfer N to=M           the leader hands over
    members N voters=… [learners=…]
    read N                    the leader asks for a read
    deliver [to=N] [from=N] [kind=K]     what waits on the way; what comes of it waits in turn
    drop [to=N] [from=N] [kind=K]        the same is lost
    keep [to=N] [from=N] [kind=K]        a copy is kept, for …
    again                                … a late delivery
    flush N…                  disks have what was written
    settle [N…]               all is flushed and delivered among these, until nothing waits
    crash N                   without what was not flushed
    compact N
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.raft.cluster import Cluster
from tests.raft.memory_log import MemoryLog

from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import (
    AppendRequest,
    AppendResponse,
    GroupMembers,
    Heartbeat,
    HeartbeatResponse,
    RaftMessage,
    SnapshotChunk,
    SnapshotResponse,
    TakeOver,
    VoteRequest,
    VoteResponse,
)
from grevy.raft import Envelope, HardState, MembersRefused, is_of_engine
from grevy.raft.membership import members_of

Options = dict[str, str]
Command = Callable[[list[str], Options], list[str]]

SETTLED: Final = 50
"""Rounds after which nothing should wait any more."""


def written_members(members: GroupMembers) -> str:
    """Who is in the group, in a few characters."""
    parts = [",".join(map(str, members.voters))]
    if members.old_voters:
        parts.append(f"before {','.join(map(str, members.old_voters))}")
    if members.learners:
        parts.append(f"learning {','.join(map(str, members.learners))}")
    return " ".join(parts)


def written_entry(entry: JournalEntry) -> str:
    """An entry with its place."""
    if is_of_engine(entry.payload) or not entry.payload:
        return f'{entry.index}/{entry.term} "{entry.payload.decode()}"'
    return f"{entry.index}/{entry.term} members {written_members(members_of(entry.payload))}"


def written_message(message: RaftMessage) -> str:
    """A message in one line; a round only where nothing else is said."""
    said = f"{type(message).__name__} term {message.term}"
    match message:
        case VoteRequest():
            flags = (" pre-vote" if message.is_pre_vote else "") + (
                " transfer" if message.is_transfer else ""
            )
            return f"{said}{flags}, last {message.last_index}/{message.last_term}"
        case VoteResponse():
            kind = " pre-vote" if message.is_pre_vote else ""
            return f"{said}{kind} {'granted' if message.is_granted else 'refused'}"
        case AppendRequest():
            entries = " ".join(map(written_entry, message.entries)) or "nothing"
            repair = f", repair {message.repair_index}" if message.repair_id else ""
            before = f"{message.previous_index}/{message.previous_term}"
            return f"{said}, after {before}: {entries}, commit {message.commit_index}{repair}"
        case AppendResponse():
            repair = ", lost data" if message.repair_id else ""
            if message.is_rejected:
                hint = f"{message.match_index}/{message.hint_term}"
                return f"{said} rejected, perhaps {hint}{repair}"
            return f"{said}, has {message.match_index}{repair}"
        case Heartbeat():
            return f"{said}, commit {message.commit_index}, round {message.round}"
        case HeartbeatResponse():
            repair = ", lost data" if message.repair_id else ""
            return f"{said}, round {message.round}{repair}"
        case SnapshotChunk():
            place = f"{message.index}/{message.index_term}"
            end = message.offset + len(message.data)
            return f"{said}, {place}: bytes {message.offset} to {end} of {message.total_bytes}"
        case SnapshotResponse():
            has = "installed" if message.is_installed else f"has {message.offset} bytes"
            return f"{said}, {message.index}: {has}"
        case TakeOver():
            return said


class ClusterPlayer:
    """Several replicas and what waits between them."""

    def __init__(self) -> None:
        self._cluster = Cluster(1)
        self._shown = 0
        self._kept: list[Envelope] = []
        self._commands: dict[str, Command] = {
            "cluster": self._make,
            "campaign": self._campaign,
            "tick": self._tick,
            "propose": self._propose,
            "transfer": self._transfer,
            "members": self._members,
            "read": self._read,
            "deliver": self._deliver,
            "drop": self._drop,
            "keep": self._keep,
            "again": self._again,
            "flush": self._flush,
            "settle": self._settle,
            "crash": self._crash,
            "compact": self._compact,
        }

    def play(self, name: str, arguments: list[str], options: Options) -> str:
        """Run a command; what it says, what was sent, and where everybody is."""
        cluster = self._cluster
        before = list(cluster.wire)
        try:
            said = self._commands[name](arguments, options)
        except (AssertionError, MembersRefused) as error:
            said = [f"refused: {str(error).splitlines()[0]}"]
        if cluster is self._cluster:
            new = [envelope for envelope in cluster.wire if not _is_in(envelope, before)]
            said += [_written_envelope(envelope) for envelope in new]
        self._cluster.check_match()
        return "\n".join([*said, *map(self._status, self._cluster.members)])

    def _status(self, node_id: int) -> str:
        member = self._cluster.members[node_id]
        node, log = member.node, member.disk.log
        flags = "".join(
            text
            for text, is_so in (
                (", settled", node.is_settled),
                (", recovering", node.is_recovering),
                (", transferring", node.is_transferring),
            )
            if is_so
        )
        entries = " ".join(str(entry.term) for entry in log.entries) or "-"
        start = f" after {log.start.index}/{log.start.term}" if log.start.index else ""
        return (
            f"{node_id}: {node.role.value} {node.term}, log{start} {entries}, "
            f"flushed {member.disk.flushed}, commit {node.commit_index}{flags}"
        )

    def _make(self, arguments: list[str], options: Options) -> list[str]:
        outsiders = int(options.get("outsiders", "0"))
        self._cluster = cluster = Cluster(int(arguments[0]), outsiders=outsiders)
        self._kept = []
        logs = [item.split(":") for item in options.get("logs", "").split(";") if item]
        for name, terms in logs:
            disk = cluster.members[int(name)].disk
            disk.log = MemoryLog(*map(int, filter(None, terms.split(","))))
            disk.flushed = disk.log.last_index
            disk.hard_state = HardState(disk.log.term_at(disk.flushed))
        newest = dict(item.split(":") for item in options.get("terms", "").split(",") if item)
        for member in cluster.members.values():
            state = member.disk.hard_state
            term = int(newest.get(str(member.config.node_id), options.get("term", state.term)))
            is_lost = options.get("lost") == str(member.config.node_id)
            member.disk.hard_state = HardState(term, 0, is_lost)
        for item in filter(None, options.get("compact", "").split(",")):
            name, index = item.split(":")
            cluster.members[int(name)].disk.log.compact(int(index))
        for member in cluster.members.values():
            member.start()
        return []

    def _campaign(self, arguments: list[str], _: Options) -> list[str]:
        node_id = int(arguments[0])
        self._cluster.members[node_id].node.campaign()
        self._cluster.turn(node_id)
        return []

    def _tick(self, arguments: list[str], _: Options) -> list[str]:
        self._cluster.tick(int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1)
        return []

    def _propose(self, arguments: list[str], _: Options) -> list[str]:
        node_id = int(arguments[0])
        for text in arguments[1:]:
            self._cluster.members[node_id].node.propose(text.encode())
        self._cluster.turn(node_id)
        return []

    def _transfer(self, arguments: list[str], options: Options) -> list[str]:
        node_id = int(arguments[0])
        is_begun = self._cluster.members[node_id].node.transfer_to(int(options["to"]))
        self._cluster.turn(node_id)
        return [] if is_begun else ["no"]

    def _members(self, arguments: list[str], options: Options) -> list[str]:
        node_id = int(arguments[0])
        voters, learners = (
            tuple(map(int, filter(None, options.get(name, "").split(","))))
            for name in ("voters", "learners")
        )
        self._cluster.members[node_id].node.propose_members(voters, learners)
        self._cluster.turn(node_id)
        return []

    def _read(self, arguments: list[str], _: Options) -> list[str]:
        node_id = int(arguments[0])
        number = self._cluster.members[node_id].node.request_read()
        self._cluster.turn(node_id)
        return [f"read {number} is asked for"]

    def _taken(self, options: Options) -> list[Envelope]:
        """Messages on the way that the options are about, in order; they are taken off it."""
        taken: list[Envelope] = []
        left: list[Envelope] = []
        for envelope in self._cluster.wire:
            is_meant = (
                options.get("to", str(envelope.receiver)) == str(envelope.receiver)
                and options.get("from", str(envelope.message.sender))
                == str(envelope.message.sender)
                and options.get("kind", "") in type(envelope.message).__name__
            )
            (taken if is_meant else left).append(envelope)
        self._cluster.wire[:] = left
        return taken

    def _deliver(self, _: list[str], options: Options) -> list[str]:
        for envelope in self._taken(options):
            self._cluster.deliver(envelope)
        return self._confirmed()

    def _drop(self, _: list[str], options: Options) -> list[str]:
        return [f"{len(self._taken(options))} lost"]

    def _keep(self, _: list[str], options: Options) -> list[str]:
        wire = list(self._cluster.wire)
        self._kept = self._taken(options)
        self._cluster.wire[:] = wire
        return [f"{len(self._kept)} kept"]

    def _again(self, _: list[str], __: Options) -> list[str]:
        for envelope in self._kept:
            self._cluster.deliver(envelope)
        return self._confirmed()

    def _flush(self, arguments: list[str], _: Options) -> list[str]:
        for node_id in arguments or self._cluster.members:
            self._cluster.flush(int(node_id))
        return []

    def _settle(self, arguments: list[str], _: Options) -> list[str]:
        cluster = self._cluster
        up = {int(node_id) for node_id in arguments} or {*cluster.members}
        for _round in range(SETTLED):
            waiting = [
                envelope
                for envelope in cluster.wire
                if {envelope.receiver, envelope.message.sender} <= up
            ]
            cluster.wire[:] = [item for item in cluster.wire if not _is_in(item, waiting)]
            for envelope in waiting:
                cluster.deliver(envelope)
            before = len(cluster.wire)
            for node_id in sorted(up):
                cluster.flush(node_id)
            if not waiting and len(cluster.wire) == before:
                return self._confirmed()
        return ["it never ends"]

    def _crash(self, arguments: list[str], _: Options) -> list[str]:
        self._cluster.crash(int(arguments[0]))
        return []

    def _compact(self, arguments: list[str], _: Options) -> list[str]:
        self._cluster.compact(int(arguments[0]))
        return []

    def _confirmed(self) -> list[str]:
        said: list[str] = []
        for member in self._cluster.members.values():
            said += [f"read {number} sees {index}" for number, index in member.confirmed]
            member.confirmed.clear()
        return said


def _is_in(envelope: Envelope, envelopes: list[Envelope]) -> bool:
    return any(envelope is other for other in envelopes)


def _written_envelope(envelope: Envelope) -> str:
    message = envelope.message
    return f"  {message.sender} to {envelope.receiver}: {written_message(message)}"
