"""Replicas that nobody wants any more are deleted beside the loop."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path
from typing import Final

import pytest

from grevy.broker.config import BrokerConfig
from grevy.broker.folders import Folders
from grevy.broker.replicas import Replicas
from grevy.broker.system import OsEntropy, SystemClock
from grevy.client import run
from grevy.cluster import distribute, first_plan
from grevy.partition import StorageOptions
from grevy.protocol.messages import ServerItem
from grevy.transport import Peer

PATIENCE_S: Final = 30.0
PLAN: Final = first_plan(distribute([1], 2, 1))


class SlowFolders(Folders):
    """Deleting takes as long as the test wants."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, StorageOptions(), SystemClock())
        self._loop = asyncio.get_running_loop()
        self.has_begun = asyncio.Event()
        self.go_on = threading.Event()

    def remove(self, partition_id: int) -> None:
        """See `Folders`."""
        self._loop.call_soon_threadsafe(self.has_begun.set)
        assert self.go_on.wait(PATIENCE_S), "the loop stands still meanwhile"
        super().remove(partition_id)


class Outbox:
    """Nobody is there."""

    def send(self, peer: Peer, item: ServerItem) -> None:
        raise AssertionError((peer, item))

    def flush(self) -> None:
        raise AssertionError("there is nothing to send")


async def begun(folders: Folders) -> Replicas:
    failures: list[BaseException] = []
    replicas = Replicas(
        *(BrokerConfig(partitions=2), PLAN.current, asyncio.get_running_loop(), SystemClock()),
        folders=folders,
        entropy=OsEntropy(),
        post=lambda _partition_id, _sent: None,
        send=None,
        on_lead=lambda _partition_id, _is_leading: None,
        on_failed=failures.append,
    )
    await replicas.start(Outbox())
    return replicas


def test_the_loop_goes_on_while_a_replica_is_deleted(tmp_path: Path) -> None:
    async def story() -> None:
        folders = SlowFolders(tmp_path)
        replicas = await begun(folders)
        dropping = asyncio.ensure_future(replicas.drop(2))
        await folders.has_begun.wait()
        assert sorted(replicas.partitions) == [1]
        replicas.follow(PLAN)
        assert sorted(replicas.partitions) == [1], "it is wanted again, but not gone yet"
        folders.go_on.set()
        await dropping
        assert folders.partition_ids() == {1}
        replicas.follow(PLAN)
        assert sorted(replicas.partitions) == [1, 2]
        await replicas.stop()

    run(asyncio.wait_for(story(), PATIENCE_S))


def test_a_broker_that_stops_lets_its_deletions_end(tmp_path: Path) -> None:
    async def story() -> None:
        folders = SlowFolders(tmp_path)
        replicas = await begun(folders)
        dropping = asyncio.ensure_future(replicas.drop(2))
        stopping = asyncio.ensure_future(replicas.stop())
        await folders.has_begun.wait()
        assert not stopping.done()
        folders.go_on.set()
        await asyncio.gather(stopping, dropping)

    run(asyncio.wait_for(story(), PATIENCE_S))
    assert [each.name for each in tmp_path.iterdir()] == ["1"]


class Crash(BaseException):
    """The process ends."""


def test_what_a_crash_left_half_deleted_is_gone_after_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path, StorageOptions(), SystemClock())
    folders.open(1).close()

    def delete_a_file(folder: Path) -> None:
        next(path for path in folder.rglob("*") if path.is_file()).unlink()
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", delete_a_file)
        with pytest.raises(Crash):
            folders.remove(1)
    assert folders.partition_ids() == frozenset(), "half of it is nothing"
    assert list(tmp_path.iterdir())

    folders = Folders(tmp_path, StorageOptions(), SystemClock())
    assert not list(tmp_path.iterdir())
    folders.open(1).close()
    folders.remove(1)
    assert not list(tmp_path.iterdir())
