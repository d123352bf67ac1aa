"""A disk that is full at a start: it is said, and nothing is taken for damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grevy.broker.config import BrokerConfig, ConfigError
from grevy.broker.folders import Folders
from grevy.broker.system import DiskFull, OsDisk, SystemClock, check_room
from grevy.journal import JournalFailed
from grevy.partition import PartitionStorage, StorageOptions
from grevy.protocol.limits import START_FREE_BYTES_MIN


@pytest.mark.parametrize("missing", [0, 1])
def test_a_start_needs_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int) -> None:
    monkeypatch.setattr(OsDisk, "free_bytes", lambda _disk: START_FREE_BYTES_MIN - missing)
    if not missing:
        check_room(tmp_path)
        return
    with pytest.raises(DiskFull, match=r"the disk of .* is full: 4095 KiB are free, and .* 4096"):
        check_room(tmp_path)


def test_a_disk_that_fails_at_a_start_is_not_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path, StorageOptions(), SystemClock())
    folders.open_or_repair(1, has_lost_data=False).close()
    before = sorted(os.listdir(tmp_path / "1"))

    def fail(*_arguments: object, **_options: object) -> PartitionStorage:
        raise JournalFailed("disk failed to reset: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(PartitionStorage, "open", fail)
        with pytest.raises(JournalFailed, match="No space"):
            folders.open_or_repair(1, has_lost_data=False)
    assert sorted(os.listdir(tmp_path / "1")) == before
    storage = folders.open_or_repair(1, has_lost_data=False)
    assert not storage.raft.hard_state.is_recovering
    storage.close()


def test_the_minimum_of_room_is_checked() -> None:
    BrokerConfig(disk_free_min_mb=0).validate()
    with pytest.raises(ConfigError, match="disk_free_min_mb: expected 0 or more, got -1"):
        BrokerConfig(disk_free_min_mb=-1).validate()
