"""What raft keeps on disk: found again after a crash at any point, refused where it is damaged."""

from __future__ import annotations

import struct
from random import Random

import pytest
from tests.sim.disk import SimDisk

from grevy.journal import Journal, JournalBusy, JournalOptions, SlotFile, SlotOwner, SlotsCorrupted
from grevy.protocol.journal_entry import JournalEntry
from grevy.protocol.raft_messages import AppendRequest, GroupMembers
from grevy.raft import (
    HardState,
    LogStart,
    Membership,
    RaftConfig,
    RaftStorage,
    RawNode,
    Ready,
    Role,
    is_of_engine,
)
from grevy.raft.membership import members_of, members_payload
from grevy.testing.entropy import SeededEntropy

OPTIONS = JournalOptions(segment_bytes=4096)
JOINT = GroupMembers((1, 2, 4), (1, 2, 3), (5,))
LARGEST = GroupMembers(tuple(range(1, 8)), tuple(range(11, 18)), tuple(range(21, 28)))


def open_storage(disk: SimDisk, *, has_lost_data: bool = False) -> RaftStorage:
    """The journal and the slots of partition 1."""
    journal = Journal.open(disk, 1, OPTIONS)
    return RaftStorage.open(disk, journal, 1, has_lost_data=has_lost_data)


def entries(first: int, *terms: int) -> tuple[JournalEntry, ...]:
    """Entries with such terms."""
    return tuple(JournalEntry(first + number, term, b"x") for number, term in enumerate(terms))


def crash(disk: SimDisk) -> SimDisk:
    """What a power cut leaves."""
    return disk.crash(Random(0), 0.0)


def test_members_are_found_again() -> None:
    disk = SimDisk()
    storage = open_storage(disk)
    history = (Membership(0, 0, GroupMembers((1, 2, 3))), Membership(2, 1, JOINT))
    storage.write(Ready(HardState(1, 2), entries(1, 1, 1), (), 0, memberships=history))
    storage.journal.flush()
    found = open_storage(crash(disk))
    assert found.memberships == history
    assert found.hard_state == HardState(1, 2)
    node = found.make_node(RaftConfig(1, (1, 2, 3)), SeededEntropy(0))
    assert node.members == JOINT


def test_members_of_an_entry_that_was_lost_are_not_found() -> None:
    disk = SimDisk()
    storage = open_storage(disk)
    first = Membership(0, 0, GroupMembers((1, 2, 3)))
    history = (first, Membership(2, 1, JOINT))
    storage.write(Ready(HardState(1, 2), entries(1, 1, 1), (), 0, memberships=history))
    lost = crash(disk)
    assert open_storage(lost).memberships == (first,)
    # And not later either, when the log has gone on without them and is compacted.
    assert open_storage(crash(lost)).memberships == (first,)


def test_the_largest_group_fits() -> None:
    disk = SimDisk()
    history = tuple(Membership(number, 1, LARGEST) for number in range(4))
    storage = open_storage(disk)
    ready = Ready(HardState(1, 0), entries(1, 1, 1, 1), (), 0, memberships=history)
    storage.write(ready)
    storage.journal.flush()
    assert open_storage(crash(disk)).memberships == history


def test_a_vote_of_before_there_were_members_is_read() -> None:
    disk = SimDisk()
    disk.mkdir("raft")
    SlotFile.create(disk, "raft", "vote", SlotOwner(0, 1, 2), struct.pack("<QQ", 7, 3)).close()
    storage = open_storage(disk)
    assert storage.hard_state == HardState(7, 3)
    assert storage.memberships == ()


def test_lost_data_is_remembered_until_it_is_repaired() -> None:
    disk = SimDisk()
    open_storage(disk, has_lost_data=True)
    storage = open_storage(crash(disk))
    assert storage.hard_state.is_recovering
    node = storage.make_node(RaftConfig(1, (1, 2, 3)), SeededEntropy(0))
    node.campaign()
    assert node.role is Role.FOLLOWER
    assert node.ready() is None


def test_a_vote_is_not_made_up_for_a_log() -> None:
    disk = SimDisk()
    storage = open_storage(disk)
    storage.write(Ready(HardState(1, 1), entries(1, 1), (), 0))
    storage.journal.flush()
    storage.close()
    disk.remove("raft/vote")
    with pytest.raises(SlotsCorrupted, match="missing"):
        open_storage(disk, has_lost_data=True)


def follow(storage: RaftStorage) -> RawNode:
    """A replica of three that has heard from replica 2 in term 1, and has two entries."""
    node = storage.make_node(RaftConfig(1, (1, 2, 3)), SeededEntropy(0))
    node.step(AppendRequest(2, 1, 0, 0, 0, 1, entries(1, 1, 1)))
    do(node, storage)
    return node


def do(node: RawNode, storage: RaftStorage) -> list[Ready]:
    """All that there is to do."""
    done: list[Ready] = []
    while (ready := node.ready()) is not None:
        storage.write(ready)
        node.advance(ready)
        done.append(ready)
    return done


def test_the_end_moves_back_only_without_a_flush() -> None:
    storage = open_storage(SimDisk())
    node = follow(storage)
    handle = storage.journal.flush_handle()
    assert not node.needs_quiet_log
    node.step(AppendRequest(3, 2, 1, 1, 0, 1, entries(2, 2, 2)))
    assert node.needs_quiet_log
    ready = node.ready()
    assert ready is not None
    assert ready.truncate_after == 1
    with pytest.raises(JournalBusy):
        storage.write(ready)
    handle.sync()
    storage.journal.flushed(handle)
    storage.write(ready)
    node.advance(ready)
    assert storage.last_index == 3
    assert storage.term_at(2) == 2


def test_a_flush_of_what_is_void_acknowledges_nothing() -> None:
    storage = open_storage(SimDisk())
    node = follow(storage)
    handle = storage.journal.flush_handle()
    node.step(AppendRequest(3, 2, 1, 1, 0, 1, entries(2, 2, 2)))
    handle.sync()
    storage.journal.flushed(handle)
    node.persisted(handle.index, handle.term)
    sent = [envelope.message for ready in do(node, storage) for envelope in ready.messages]
    assert [message.match_index for message in sent if hasattr(message, "match_index")] == [1]


def test_a_log_begins_after_a_snapshot() -> None:
    disk = SimDisk()
    storage = open_storage(disk)
    storage.write(Ready(HardState(1, 2), entries(1, 1, 1), (), 0))
    storage.journal.flush()
    storage.begin_after(LogStart(9, 3), Membership(9, 3, JOINT))
    found = open_storage(crash(disk))
    assert (found.first_index, found.last_index, found.term_at(9)) == (10, 9, 3)
    assert found.hard_state == HardState(3, 0)
    node = found.make_node(RaftConfig(1, (1, 2, 3)), SeededEntropy(0))
    assert node.members == JOINT
    assert node.commit_index == 9


def test_a_reset_is_written() -> None:
    disk = SimDisk()
    storage = open_storage(disk)
    follow(storage)
    history = (Membership(0, 0, GroupMembers((1, 2, 3))), Membership(9, 3, JOINT))
    storage.write(Ready(HardState(3, 0), (), (), 9, reset=LogStart(9, 3), memberships=history))
    found = open_storage(crash(disk))
    assert (found.first_index, found.last_index) == (10, 9)
    assert found.memberships == history


@pytest.mark.parametrize("members", [JOINT, LARGEST, GroupMembers((1,))])
def test_members_are_told_from_entries_of_the_engine(members: GroupMembers) -> None:
    payload = members_payload(members)
    assert members_of(payload) == members
    assert not is_of_engine(payload)
    assert not is_of_engine(b"")
    assert is_of_engine(b"\0\0\0\0")
    node = RawNode(
        RaftConfig(1, (1,)), HardState(), open_storage(SimDisk()), entropy=SeededEntropy(0)
    )
    with pytest.raises(AssertionError, match="follower"):
        node.propose(payload)
