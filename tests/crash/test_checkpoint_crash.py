"""Writing a checkpoint, with the power cut after each step of it and the partition at work
meanwhile: a start finds the state that the log led to, whatever of the checkpoint there is.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from tests.partition.bare import BarePartition, publish, publish_many
from tests.sim.disk import SimDisk

from grevy.broker.system import OsDisk
from grevy.partition.checkpoint_folder import checkpoint_directories
from grevy.state import LmdbBackend, open_checkpoint, read_manifest, verified_image

SEED = int(os.environ.get("GREVY_SEED", "1"))
SAMPLES = 32 if os.environ.get("GREVY_FLIPS") == "all" else 2
STATES_MIN = 100 * SAMPLES
PIECE_BYTES = 4096
ROUNDS = 5


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of several pieces, so that a crash comes between them."""
    for module in ("backend", "lmdb_backend", "checkpoint"):
        monkeypatch.setattr(f"grevy.state.{module}.CHECKPOINT_PIECE_BYTES", PIECE_BYTES)


class Life:
    """A partition that takes checkpoints, on a disk that crashes after each step of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = Random(seed)
        self._folder = folder
        self._published = 0
        self._is_writing = False
        self.states = 0
        self.starts: set[int] = set()
        """From which checkpoints starts have begun."""
        self.disk = SimDisk()
        self.live = BarePartition(self.disk, folder / "live")

    def work(self, count: int) -> None:
        """Some entries, each acknowledged."""
        self.live.run(*publish_many(self._published, count))
        self._published += count

    def take_checkpoint(self) -> None:
        """Write a checkpoint and compact the log, with crashes on the way."""
        self.disk.on_change = self._after_step
        self._is_writing = True
        self.live.checkpoint()
        self._is_writing = False
        self.live.compact()
        self.disk.on_change = None

    def _after_step(self) -> None:
        """The partition goes on while its checkpoint is written; then the power goes."""
        if self._is_writing and self.rng.random() < 0.3:
            self.disk.on_change = None
            self.work(1)
            self.disk.on_change = self._after_step
        for _ in range(SAMPLES):
            self._start(self.disk.crash(self.rng))

    def _start(self, after: SimDisk) -> None:
        self.states += 1
        for _, directory in checkpoint_directories(after):
            for _ in verified_image(after, directory, read_manifest(after, directory)):
                pass  # raises, unless a checkpoint with a manifest is whole
        started = BarePartition(after, self._folder / "again")
        acknowledged = max(self.live.hashes)
        assert started.found >= acknowledged, "something acknowledged is gone"
        assert started.state.hash == self.live.hashes[acknowledged], "a silent wrong state"
        self.starts.add(started.started_from)
        if self.states % 8 == 0:
            started.run(publish(1_000_000))
            assert started.checkpoint(), "the next checkpoint is not hindered by the last one"
            started.compact()
        started.close()


def test_a_crash_after_every_step_of_a_checkpoint(tmp_path: Path) -> None:
    life = Life(tmp_path, SEED)
    for _ in range(ROUNDS):
        life.work(25)
        life.take_checkpoint()
    assert life.states >= STATES_MIN
    assert len(life.starts) > ROUNDS, "a start began with each checkpoint, and with none"
    assert len(checkpoint_directories(life.disk)) == 2
    life.live.close()


def test_what_was_not_finished_is_cleared_away(tmp_path: Path) -> None:
    disk = SimDisk()
    live = BarePartition(disk, tmp_path / "live")
    for directory, files in {"3": ("image",), "4": ("image", "manifest.new"), "5": ()}.items():
        disk.mkdir(f"checkpoints/{directory}")
        for file in files:
            disk.create(f"checkpoints/{directory}/{file}")
    live.run(*publish_many(0, 10))
    directory = live.checkpoint()
    live.compact()
    assert [f"checkpoints/{name}" for name in disk.list("checkpoints")] == [directory]
    live.close()


def test_a_checkpoint_that_was_not_finished_is_written_again(tmp_path: Path) -> None:
    disk = SimDisk()
    live = BarePartition(disk, tmp_path / "live")
    live.run(*publish_many(0, 10))
    disk.fail("rename", 5)
    with pytest.raises(OSError, match="error"):
        live.checkpoint()
    directory = live.checkpoint()
    again = BarePartition(disk.crash(Random(SEED), 0.0), tmp_path / "again")
    assert f"checkpoints/{again.started_from}" == directory
    assert again.state.hash == live.state.hash


def test_a_checkpoint_is_of_one_moment(tmp_path: Path) -> None:
    """Written in a thread, in full, while thousands of steps change what it is about."""
    live = BarePartition(OsDisk(tmp_path / "disk"), tmp_path / "live")
    live.run(*publish_many(0, 300))
    state = live.state
    with ThreadPoolExecutor(1) as executor:
        for number in range(3):
            handle = state.checkpoint_handle()
            expected = state.hash
            directory = f"checkpoint{number}"
            writing = executor.submit(handle.write, OsDisk(tmp_path / "disk"), directory)
            steps = 0
            while steps < 50 or not writing.done():
                live.run(publish(1_000 * (number + 1) + steps))
                steps += 1
            writing.result()
            handle.close()
            copy = open_checkpoint(
                OsDisk(tmp_path / "disk"), directory, LmdbBackend(tmp_path / "copy")
            )
            assert copy.hash == copy.recompute_hash() == expected != state.hash
            assert copy.applied_index == handle.progress.applied_index
            copy.close()
    live.close()
