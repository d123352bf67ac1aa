"""The folders of a broker's replicas, and what is done where one is damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from grevy.broker.hosts import WHOLE, Share
from grevy.broker.system import OsDisk
from grevy.journal import JournalError, JournalFailed
from grevy.partition import PartitionStorage, StorageFailed, StorageOptions
from grevy.partition.checkpoint_folder import CHECKPOINTS
from grevy.partition.storage import EXPORTERS, JOURNAL, RAFT
from grevy.ports import Clock

_log = logging.getLogger(__name__)

_REMOVED: Final = "removed-"
_LOST: Final = "lost"
"""A file that is there from before data are put away until it is durable that they are lost."""


class Folders:
    """One folder for each partition, under `root`. Those that are not of a host's `share` belong to
    other processes.
    """

    def __init__(
        self, root: Path, options: StorageOptions, clock: Clock, share: Share = WHOLE
    ) -> None:
        self._root = root
        self._options = options
        self._clock = clock
        self._share = share
        for away in root.glob(f"{_REMOVED}*"):  # a crash came between
            if share.has(int(away.name.removeprefix(_REMOVED))):
                shutil.rmtree(away)

    def is_new(self, partition_id: int) -> bool:
        """Whether nothing of a partition has ever been here, or all of it was lost."""
        return not (self._folder(partition_id) / JOURNAL).exists()

    def partition_ids(self) -> frozenset[int]:
        """The partitions of which there is something here."""
        if not self._root.exists():
            return frozenset()
        found = (int(each.name) for each in self._root.iterdir() if each.name.isdecimal())
        return frozenset(filter(self._share.has, found))

    def remove(self, partition_id: int) -> None:
        """Deletes all that there is of a partition, which is not open. After a crash it is there
        whole, or is seen no more.
        """
        folder = self._folder(partition_id)
        if folder.exists():
            away = self._root / f"{_REMOVED}{partition_id}"
            folder.rename(away)
            OsDisk(self._root).fsync_dir("")
            shutil.rmtree(away)

    def open(self, partition_id: int) -> PartitionStorage:
        """The storage of a partition that nobody else has. Raises `JournalError` and
        `StorageFailed`.
        """
        folder = self._folder(partition_id)
        return PartitionStorage.open(OsDisk(folder), folder, partition_id, self._options)

    def open_or_repair(self, partition_id: int, *, has_lost_data: bool) -> PartitionStorage:
        """Others have what is damaged here. The vote is kept where it can be read: to forget it is
        a promise broken. What a later version has written is not damaged: raises `NewerVersion`.
        """
        folder = self._folder(partition_id)
        disk = OsDisk(folder)
        has_lost_data = has_lost_data or disk.exists(_LOST)
        for parts in ((JOURNAL, CHECKPOINTS, EXPORTERS), (JOURNAL, CHECKPOINTS, EXPORTERS, RAFT)):
            try:
                storage = PartitionStorage.open(
                    *(disk, folder, partition_id, self._options), has_lost_data=has_lost_data
                )
            except JournalFailed:
                raise  # the disk is full, or does not work: what is on it may be whole
            except (JournalError, StorageFailed) as error:
                has_lost_data = True
                name = self._put_away(disk, folder, parts)
                _log.error("partition %d is damaged, put away as %s: %s", partition_id, name, error)
                continue
            break
        else:
            storage = PartitionStorage.open(
                *(disk, folder, partition_id, self._options), has_lost_data=True
            )
        if disk.exists(_LOST):
            disk.remove(_LOST)
            disk.fsync_dir("")
        return storage

    def _folder(self, partition_id: int) -> Path:
        assert self._share.has(partition_id), f"partition {partition_id} is another host's"
        return self._root / str(partition_id)

    def _put_away(self, disk: OsDisk, folder: Path, parts: Iterable[str]) -> str:
        """What is damaged stays for those who want to look at it."""
        if not disk.exists(_LOST):
            mark = disk.create(_LOST)
            mark.fdatasync()
            mark.close()
            disk.fsync_dir("")
        name = f"damaged-{self._clock.now_ms()}"
        disk.mkdir(name)
        for part in parts:
            if disk.exists(part):
                (folder / part).rename(folder / name / part)
        disk.fsync_dir(name)
        disk.fsync_dir("")
        return name
