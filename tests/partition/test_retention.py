"""What stays of log and checkpoints, and for whose sake."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest
from tests.partition.bare import OPTIONS, BarePartition, publish_many
from tests.sim.disk import SimDisk

from grevy.partition.checkpoint_folder import checkpoint_directories
from grevy.partition.errors import StorageFailed
from grevy.partition.exporter_positions import ExporterPositions
from grevy.partition.storage import StorageOptions

EXPORTER = "someone"


class Life:
    """A partition that takes a checkpoint after every 30 entries."""

    def __init__(self, folder: Path, options: StorageOptions = OPTIONS) -> None:
        self.disk = SimDisk()
        self.partition = BarePartition(self.disk, folder, options)
        self.indexes: list[int] = []

    def period(self) -> None:
        """Work, then a checkpoint."""
        self.partition.run(*publish_many(len(self.indexes) * 30, 30))
        self.partition.checkpoint()
        self.partition.compact()
        self.indexes.append(self.partition.state.applied_index)

    @property
    def first_index(self) -> int:
        """Where the log begins."""
        return self.partition.storage.journal.first_index

    def acknowledge(self, position: int) -> None:
        """The exporter is done with this."""
        self.partition.storage.exporters.acknowledge(EXPORTER, position, b"meta")


def test_the_log_goes_back_to_the_older_checkpoint(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.period()
    assert life.first_index == 1, "damage to the only checkpoint is made good by the whole log"
    for _ in range(4):
        life.period()
        kept = [index for index, _ in checkpoint_directories(life.disk)]
        assert kept == life.indexes[-2:]
        assert 1 < life.first_index <= life.indexes[-2] + 1
        assert life.first_index > life.indexes[-2] - 15, "no more than a file is kept beside it"


def test_an_exporter_holds_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    life = Life(tmp_path)
    life.partition.storage.exporters.register(EXPORTER)
    for _ in range(3):
        life.period()
    assert life.first_index == 1
    assert f"exporter {EXPORTER} holds the log at position 0" in caplog.text
    held = life.indexes[0]
    life.acknowledge((life.partition.storage.log.first_position_from(held + 1) or 0) - 1)
    life.period()
    assert 1 < life.first_index <= held + 1
    life.acknowledge(life.partition.state.applied_position)
    life.period()
    assert life.first_index > life.indexes[0] + 1


def test_an_exporter_holds_only_so_much_of_it(tmp_path: Path) -> None:
    life = Life(tmp_path, msgspec.structs.replace(OPTIONS, exporter_log_bytes_max=10_000))
    life.partition.storage.exporters.register(EXPORTER)
    for _ in range(4):
        life.period()
    assert life.first_index > life.indexes[0]
    assert life.partition.storage.journal.statistics().bytes < 30_000


def test_what_exporters_acknowledged_is_kept_and_never_goes_back(tmp_path: Path) -> None:
    life = Life(tmp_path / "live")
    life.partition.storage.exporters.register(EXPORTER)
    for position in (5, 9, 7, 9):
        life.acknowledge(position)
    life.partition.close()
    again = BarePartition(life.disk, tmp_path / "again")
    exporters = again.storage.exporters
    assert exporters.positions() == {EXPORTER: 9}
    found = exporters.get(EXPORTER)
    assert found is not None
    assert found.metadata == b"meta"
    exporters.register(EXPORTER)
    assert exporters.positions() == {EXPORTER: 9}


def test_a_crash_between_a_checkpoint_and_the_positions(tmp_path: Path) -> None:
    """The log that named the exporter is before the checkpoint, where a start does not read it."""
    life = Life(tmp_path / "live")
    life.period()
    life.acknowledge(40)
    life.partition.run(*publish_many(30, 5))
    life.partition.checkpoint()
    crashed = life.disk.crash(Random(1))
    again = BarePartition(crashed, tmp_path / "again")
    assert again.storage.exporters.positions() == {EXPORTER: 40}
    again.storage.exporters.acknowledge(EXPORTER, 50, b"newer")
    again.storage.exporters.save()
    third = BarePartition(crashed.crash(Random(1)), tmp_path / "third")
    assert third.storage.exporters.positions() == {EXPORTER: 50}


def test_positions_are_whole_or_refused() -> None:
    disk = SimDisk()
    positions = ExporterPositions.open(disk, "exporters", is_new=True)
    positions.acknowledge(EXPORTER, 1234, b"\0\xff")
    positions.save()
    whole = bytes(disk.contents("exporters/positions"))
    assert ExporterPositions.open(disk, "exporters", is_new=False).positions() == {EXPORTER: 1234}
    content = disk.contents("exporters/positions")
    for bit in range(len(whole) * 8):
        content[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StorageFailed, match="exporters/positions is damaged"):
            ExporterPositions.open(disk, "exporters", is_new=False)
        content[bit // 8] ^= 1 << bit % 8
    for length in range(len(whole)):
        content[:] = whole[:length]
        with pytest.raises(StorageFailed, match="exporters/positions is damaged"):
            ExporterPositions.open(disk, "exporters", is_new=False)
    disk.remove("exporters/positions")
    with pytest.raises(StorageFailed, match="exporters/positions is missing"):
        ExporterPositions.open(disk, "exporters", is_new=False)
