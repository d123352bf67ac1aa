"""A disk that gets full: what is refused, what goes on, and that all is well when it has room."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace
from tests.partition.bare import publish
from tests.partition.test_group import OPTIONS, PATIENCE_S, Group, led, run

from grevy.broker.system import OsDisk
from grevy.engine import Command
from grevy.partition.room import LOOK_NS, DiskRoom, takes_room
from grevy.protocol.intents import MessageIntent
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.messages import CommandReply, CommandRequest, ErrorCode, ErrorReply
from grevy.protocol.raft_messages import AppendRequest, Heartbeat

MIB: Final = 1024 * 1024
MINIMUM: Final = 100 * MIB
PLENTY: Final = 1000 * MIB


class MeasuredDisk(OsDisk):
    """A disk that says what the test wants."""

    free: int = PLENTY

    def free_bytes(self) -> int:
        """As the test says."""
        return self.free


def test_levels() -> None:
    class Disk(MeasuredDisk):
        def __init__(self) -> None:
            """No folder is needed."""

    disk = Disk()
    room = DiskRoom(disk, MINIMUM, 1)
    seen = []
    for look, free in enumerate((100, 99, 124, 125, 49, 62, 63, 124, 125)):
        disk.free = free * MIB
        room.look(look * LOOK_NS)
        seen.append((room.is_low, room.is_out))
    ok, low, out = (False, False), (True, False), (True, True)
    assert seen == [ok, low, low, ok, out, out, low, low, ok]
    disk.free = 0
    room.look(8 * LOOK_NS + 1)
    assert not room.is_low, "not looked yet"
    unwatched = DiskRoom(disk, 0, 1)
    unwatched.look(LOOK_NS)
    assert not unwatched.is_low


def test_what_takes_room() -> None:
    entry = JournalEntry(5, 1, b"payload")
    assert takes_room(AppendRequest(1, 1, 4, 1, 4, 1, (entry,)))
    assert not takes_room(AppendRequest(1, 1, 4, 1, 4, 1, ()))
    assert not takes_room(Heartbeat(1, 1, 4, 1))


def group_with_disks(folder: Path) -> tuple[Group, dict[str, MeasuredDisk]]:
    """Replicas whose disks the test measures, by the names of their folders."""
    disks: dict[str, MeasuredDisk] = {}

    def make_disk(path: Path) -> OsDisk:
        disks[path.name] = MeasuredDisk(path)
        return disks[path.name]

    return Group(folder, make_disk, replace(OPTIONS, disk_free_min_bytes=MINIMUM)), disks


def test_a_leader_without_room_refuses_and_goes_on_when_there_is_some(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, disks = group_with_disks(folder)
        group, leader = await led(group)
        replica, outbox = group.replicas[leader], group.outboxes[leader]
        await group.publish(leader, 5)
        answered = [item for item in outbox.items if isinstance(item, CommandReply)][-1]

        disks[str(leader)].free = 99 * MIB
        await group.until(lambda: not replica.has_room)
        before = replica.last_position
        command = publish(4711)
        values = (command.intent, command.key, command.value)
        replica.on_request(group.peer, CommandRequest(1000, 1, *values))
        refusal = outbox.items[-1]
        assert isinstance(refusal, ErrorReply)
        assert (refusal.code, refusal.retry_after_ms) == (ErrorCode.RESOURCE_EXHAUSTED, 1000)
        assert refusal.message == (
            "the disk of partition 1 is out of space: 99 MiB are free, "
            "and less than the minimum of 100 MiB"
        )
        # What was done before is told again.
        replica.on_request(group.peer, CommandRequest(answered.number, 1, *values))
        assert outbox.items[-1] == answered
        # Due work waits: the messages of `publish` have an hour to live.
        replica.on_remote_command(Command(MessageIntent.EXPIRE, -1, command.value), 2)
        replica.on_drained()
        assert replica.last_position == before
        assert replica.is_healthy, "it has all its data"
        assert replica.is_serving

        disks[str(leader)].free = PLENTY
        await group.until(lambda: replica.has_room)
        await group.publish(leader, 5)
        await stop_all(group)

    run(act, tmp_path)


def test_a_follower_without_room_takes_nothing_and_catches_up(tmp_path: Path) -> None:
    async def act(folder: Path) -> None:
        group, disks = group_with_disks(folder)
        group, leader = await led(group)
        follower = max(group.replicas.keys() - {leader})
        await group.publish(leader, 5)
        await group.agree()
        disks[str(follower)].free = 10 * MIB
        await group.until(lambda: not group.replicas[follower].has_room)
        held = group.storages[follower].journal.last_index
        await group.publish(leader, 100)
        assert group.storages[follower].journal.last_index == held
        assert group.replicas[follower].leader == leader, "it hears its leader"

        disks[str(follower)].free = PLENTY
        await group.agree()
        await stop_all(group)

    assert PATIENCE_S > 2 * LOOK_NS / 1e9
    run(act, tmp_path)


async def stop_all(group: Group) -> None:
    """Once they agree."""
    await group.agree()
    for node_id in list(group.replicas):
        await group.stop(node_id)
    assert not group.failures
