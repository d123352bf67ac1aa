"""A partition at its boundary: what clients hear when the disk fails, and what time it is after a
restart.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest
from msgspec.structs import replace
from tests.partition.bare import OPTIONS, BarePartition, publish
from tests.sim.disk import SimDisk

from grevy.journal import JournalFailed
from grevy.partition import Partition, PartitionStorage
from grevy.partition.checkpoint_folder import checkpoint_directories
from grevy.partition.checkpoints import Checkpoints
from grevy.partition.threads import one_thread
from grevy.protocol.codec import decode_entry
from grevy.protocol.messages import CommandReply, CommandRequest, ErrorCode, ErrorReply, ServerItem
from grevy.testing.clock import START_MS, VirtualClock
from grevy.testing.entropy import SeededEntropy
from grevy.transport import Peer

PATIENCE_S: Final = 20


class Client:
    """Sends commands to a partition as a connection would, and keeps what comes back."""

    def __init__(self, partition: Partition, client_id: bytes) -> None:
        self._partition = partition
        self._peer = Peer(b"\0peer", 1)
        self._peer.client_id = client_id
        self._number = 0
        self._came = asyncio.Event()
        self.items: list[ServerItem] = []

    def send(self, peer: Peer, item: ServerItem) -> None:
        """What the partition says (its outbox)."""
        assert peer is self._peer
        self.items.append(item)
        self._came.set()

    def flush(self) -> None:
        """What is sent is there at once."""

    def submit(self, number: int) -> None:
        """One command, in a turn of the loop of its own."""
        self._number += 1
        command = publish(number)
        request = CommandRequest(self._number, 1, command.intent, command.key, command.value)
        self._partition.on_request(self._peer, request)
        self._partition.on_drained()

    async def answer(self, number: int) -> ServerItem:
        """Submit a command; what comes back first."""
        self._came.clear()
        self.submit(number)
        await self._came.wait()
        return self.items[-1]


class Rig:
    """A partition over a disk and a clock of the test's."""

    def __init__(self, disk: SimDisk, folder: Path, clock: VirtualClock | None = None) -> None:
        self.clock = clock or VirtualClock()
        self.failures: list[BaseException] = []
        self.failed = asyncio.Event()
        self.storage = PartitionStorage.open(disk, folder, 1, OPTIONS)
        loop = asyncio.get_running_loop()
        self.partition = Partition(
            1,
            loop,
            self.clock,
            self.storage,
            entropy=SeededEntropy(0),
            on_failed=self._on_failed,
        )
        self.client = Client(self.partition, self.clock.now_ms().to_bytes(16))

    def _on_failed(self, error: BaseException) -> None:
        self.failures.append(error)
        self.failed.set()

    async def start(self) -> None:
        """Take the lead."""
        await self.partition.start(self.client)


def play(story: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run a story in a loop of its own, within reason."""
    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def acknowledged(items: list[ServerItem]) -> int:
    """How many commands were answered."""
    return sum(isinstance(item, CommandReply) for item in items)


class FailingClock(VirtualClock):
    """Raises what no code of ours expects, when it is told to."""

    is_broken = False

    def now_ms(self) -> int:
        if self.is_broken:
            raise ZeroDivisionError("a clock without hands")
        return super().now_ms()


@pytest.mark.parametrize("is_in_a_request", [True, False], ids=["request", "tick"])
def test_what_nobody_expects_ends_the_partition(tmp_path: Path, *, is_in_a_request: bool) -> None:
    clock = FailingClock()

    async def story() -> None:
        rig = Rig(SimDisk(), tmp_path / "live", clock)
        await rig.start()
        assert isinstance(await rig.client.answer(1), CommandReply)
        rig.client.submit(2)  # not committed yet
        clock.is_broken = True
        if is_in_a_request:
            rig.client.submit(3)
            assert rig.failed.is_set()
        await rig.failed.wait()
        refusal = await rig.client.answer(4)
        assert isinstance(refusal, ErrorReply)
        assert (refusal.code, refusal.message) == (
            ErrorCode.UNAVAILABLE,
            "partition 1 has failed",
        )
        (failure,) = rig.failures
        assert isinstance(failure, ZeroDivisionError)
        said = len(rig.client.items)
        await rig.partition.stop()
        assert len(rig.client.items) == said, "a partition that has failed says nothing more"

    play(story)


@pytest.mark.parametrize(
    ("operation", "code", "skip"),
    [
        ("fdatasync", errno.EIO, 0),  # of the frames
        ("fdatasync", errno.ENOSPC, 0),
        ("pwrite", errno.ENOSPC, 0),
        ("pwrite", errno.EIO, 1),
    ],
)
def test_a_disk_that_fails_ends_the_partition(
    tmp_path: Path, operation: str, code: int, skip: int
) -> None:
    disk = SimDisk()

    async def story() -> None:
        rig = Rig(disk, tmp_path / "live")
        await rig.start()
        assert isinstance(await rig.client.answer(1), CommandReply)
        disk.fail(operation, code, skip)
        rig.client.submit(2)
        await rig.failed.wait()
        assert acknowledged(rig.client.items) == 1, "an answer to what is not on the disk"
        refusal = await rig.client.answer(3)
        assert isinstance(refusal, ErrorReply)
        assert (refusal.code, refusal.message) == (
            ErrorCode.UNAVAILABLE,
            "partition 1 has failed",
        )
        (failure,) = rig.failures
        assert isinstance(failure, JournalFailed)
        await rig.partition.stop()

    play(story)
    after = BarePartition(disk.crash(Random(1), 0.0), tmp_path / "again")
    positions = range(1, after.state.applied_position + 1)
    assert len(positions) >= 1, "what was acknowledged is there"


def test_a_promise_that_cannot_be_settled_ends_the_partition(tmp_path: Path) -> None:
    disk = SimDisk()

    async def story() -> None:
        rig = Rig(disk, tmp_path)
        await rig.start()
        assert isinstance(await rig.client.answer(1), CommandReply)
        disk.fail("fdatasync", errno.EIO)  # nothing but a promise is synced while nobody asks
        await rig.failed.wait()
        (failure,) = rig.failures
        assert isinstance(failure, JournalFailed)
        await rig.partition.stop()

    play(story)


def test_a_promise_is_settled_when_the_partition_rests_or_stops(tmp_path: Path) -> None:
    disk = SimDisk()

    async def story() -> None:
        rig = Rig(disk, tmp_path)
        await rig.start()
        assert isinstance(await rig.client.answer(1), CommandReply)
        await rig.partition.stop()
        assert rig.storage.journal.is_settled

    play(story)


@pytest.mark.parametrize("skip", range(2))
def test_a_disk_that_fails_at_the_start_is_told(tmp_path: Path, skip: int) -> None:
    disk = SimDisk()

    async def story() -> None:
        rig = Rig(disk, tmp_path)
        disk.fail("fdatasync", errno.EIO, skip)
        with pytest.raises((JournalFailed, OSError)):
            await rig.start()
        assert len(rig.failures) == 1

    play(story)


def test_a_disk_that_fails_at_the_end_holds_nobody(tmp_path: Path) -> None:
    disk = SimDisk()

    async def story() -> None:
        rig = Rig(disk, tmp_path)
        await rig.start()
        disk.fail("fdatasync", errno.EIO)
        rig.client.submit(1)
        await rig.partition.stop()
        assert isinstance(rig.failures[0], JournalFailed)
        assert acknowledged(rig.client.items) == 0

    play(story)


def test_a_disk_that_fails_under_a_flush_holds_nobody(tmp_path: Path) -> None:
    disk = SimDisk()
    loop_thread, go_on = threading.current_thread(), threading.Event()

    def hold_the_flush() -> None:
        if threading.current_thread() is not loop_thread:
            assert go_on.wait(PATIENCE_S)

    async def story() -> None:
        rig = Rig(disk, tmp_path)
        await rig.start()
        disk.on_change = hold_the_flush
        rig.client.submit(1)
        disk.fail("pwrite", errno.EIO)
        rig.client.submit(2)
        assert len(rig.failures) == 1
        go_on.set()
        await rig.partition.stop()
        assert len(rig.failures) == 1
        assert acknowledged(rig.client.items) == 0

    play(story)


def test_a_checkpoint_that_fails_is_taken_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = SimDisk()

    async def story() -> None:
        bare = BarePartition(disk, tmp_path)
        bare.run(publish(1))
        failures: list[BaseException] = []
        loop = asyncio.get_running_loop()
        checkpoints = Checkpoints(
            loop, bare.storage, one_thread("checkpoint"), on_failed=failures.append
        )
        disk.fail("fdatasync", errno.EIO)
        await checkpoints.begin()
        assert checkpoint_directories(disk) == []
        assert "checkpoint at index 2 failed" in caplog.text
        await checkpoints.begin()
        assert [index for index, _ in checkpoint_directories(disk)] == [2]
        assert (checkpoints.taken, failures) == (1, [])
        await checkpoints.stop()

    play(story)


def test_much_log_brings_a_checkpoint_before_its_time(tmp_path: Path) -> None:
    disk = SimDisk()
    options = replace(OPTIONS, checkpoint_period_s=3600.0, checkpoint_log_bytes=2000)

    async def story() -> None:
        loop, thread = asyncio.get_running_loop(), one_thread("checkpoint")
        failures: list[BaseException] = []
        bare = BarePartition(disk, tmp_path, options)
        storage = bare.storage
        checkpoints = Checkpoints(loop, storage, thread, on_failed=failures.append)
        bare.run(publish(1))
        checkpoints.run_if_due(1)
        await checkpoints.wait_idle()
        assert checkpoints.taken == 0
        while storage.journal.bytes_after(0) < 2000:
            bare.run(publish(storage.journal.last_index + 1))
        for now_ns in (2, 3):
            checkpoints.run_if_due(now_ns)
            await checkpoints.wait_idle()
        assert (checkpoints.taken, failures) == (1, [])
        await checkpoints.stop()

    play(story)


def test_a_disk_that_fails_to_compact_ends_the_partition(tmp_path: Path) -> None:
    disk = SimDisk()

    async def story() -> None:
        bare = BarePartition(disk, tmp_path)
        failures: list[BaseException] = []
        loop = asyncio.get_running_loop()
        checkpoints = Checkpoints(
            loop, bare.storage, one_thread("checkpoint"), on_failed=failures.append
        )
        for number in range(3):
            bare.run(*(publish(number * 20 + each) for each in range(20)))
            if number == 2:
                disk.fail("remove", errno.EIO)
            await checkpoints.begin()
        assert len(failures) == 1
        await checkpoints.stop()

    play(story)


def test_the_log_keeps_what_says_the_time(tmp_path: Path) -> None:
    bare = BarePartition(SimDisk(), tmp_path)
    bare.run(publish(1))
    time_ms = bare.storage.log.last_timestamp()
    for _ in range(3):
        bare.run_nothing(OPTIONS.segment_bytes // 40)
        bare.checkpoint()
        bare.compact()
    assert bare.storage.log.last_timestamp() == time_ms > 0


def test_time_never_goes_back_in_the_log(tmp_path: Path) -> None:
    disk = SimDisk()
    hour_ms = 3_600_000

    async def story(start_ms: int) -> None:
        rig = Rig(disk, tmp_path / str(start_ms), VirtualClock(start_ms))
        await rig.start()
        assert isinstance(await rig.client.answer(start_ms), CommandReply)
        rig.clock.move_to(start_ms + 5)
        assert isinstance(await rig.client.answer(start_ms + 1), CommandReply)
        loop = asyncio.get_running_loop()
        thread = one_thread("checkpoint")
        await Checkpoints(loop, rig.storage, thread, on_failed=rig.failures.append).begin()
        await rig.partition.stop()
        assert rig.failures == []

    for start_ms in (START_MS, START_MS - hour_ms, START_MS - 1, START_MS + hour_ms):
        play(partial(story, start_ms))
    bare = BarePartition(disk, tmp_path / "again")
    assert bare.started_from > 0, "the checkpoint covers what the log's end says of time"
    entries = bare.storage.journal.read(1, 1 << 20)
    times = [decode_entry(entry.payload).timestamp for entry in entries if entry.payload]
    assert times == sorted(times)
    # 5 ms are 2 for a log whose time is ahead of the clock: it does not stand still either.
    expected_ms = (0, 5, 5 + 2, 5 + 2 + 2, hour_ms, hour_ms + 5)
    assert sorted(set(times)) == [START_MS + each for each in expected_ms]
