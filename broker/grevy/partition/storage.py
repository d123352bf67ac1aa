"""What a partition keeps on its disk: journal, hard state, checkpoints, and what its exporters
acknowledged.

    <folder>/journal/              segments
    <folder>/checkpoints/<index>/  copies of the state; the newest one is where a start begins
    <folder>/exporters/            positions and metadata of exporters
    <folder>/runtime/              the state's LMDB, made again at every start

A start takes the newest checkpoint and replays the log after it. A checkpoint that is damaged is
refused: starting from an older one, or from nothing, would give a state that the log no longer
leads to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from grevy.engine import Engine, JobTopics
from grevy.journal import Journal, JournalOptions
from grevy.logstream import LogStream
from grevy.partition.exporter_positions import ExporterPositions
from grevy.ports import Disk
from grevy.protocol.errors import GrevyError
from grevy.raft import RaftStorage
from grevy.state import LmdbBackend, State, open_checkpoint

CHECKPOINTS: Final = "checkpoints"
EXPORTERS: Final = "exporters"
RUNTIME: Final = "runtime"


class StorageFailed(GrevyError):
    """The folder cannot be started from; the text says what is missing or damaged."""


class StorageOptions(Struct, frozen=True):
    """How often the state is copied (seconds), and how much log exporters may hold back (bytes)."""

    checkpoint_period_s: float = 300.0
    exporter_log_bytes_max: int = 4 * 1024 * 1024 * 1024


class PartitionStorage:
    """The open files of one partition."""

    def __init__(
        self, disk: Disk, raft: RaftStorage, state: State, options: StorageOptions
    ) -> None:
        self.disk = disk
        self.raft = raft
        self.journal = journal = raft.journal
        self.state = state
        self.options = options
        self.log = LogStream(journal)
        self.exporters = ExporterPositions.open(disk, EXPORTERS)

    @classmethod
    def open(
        cls, disk: Disk, folder: Path, partition_id: int, options: StorageOptions
    ) -> PartitionStorage:
        """Opens the folder, or begins one; raises what the journal and the checkpoint raise when
        they are damaged.
        """
        journal = Journal.open(disk, partition_id, JournalOptions())
        raft = RaftStorage.open(disk, journal, partition_id)
        state = _open_state(disk, folder / RUNTIME, journal)
        return cls(disk, raft, state, options)

    def make_engine(self, partition_id: int, topics: JobTopics) -> Engine:
        """The engine over this state."""
        return Engine(self.state, partition_id, topics=topics)

    def close(self) -> None:
        """Closes the files; the runtime state is thrown away at the next start."""
        self.exporters.save()
        self.state.close()
        self.journal.close()

    def statistics(self) -> dict[str, object]:
        """Figures of the journal and the state."""
        journal = self.journal.statistics()
        return {
            "log_bytes": journal.bytes,
            "log_segments": journal.segments,
            "log_first_index": journal.first_index,
            "log_last_index": journal.last_index,
            "log_flushes": journal.flushes,
            "state_applied_index": self.state.applied_index,
        }


def checkpoint_directories(disk: Disk) -> list[tuple[int, str]]:
    """The checkpoints that were finished, by index, oldest first."""
    if not disk.exists(CHECKPOINTS):
        return []
    found = [
        (int(name), f"{CHECKPOINTS}/{name}") for name in disk.list(CHECKPOINTS) if name.isdigit()
    ]
    return sorted(item for item in found if disk.exists(f"{item[1]}/manifest"))


def _open_state(disk: Disk, runtime: Path, journal: Journal) -> State:
    checkpoints = checkpoint_directories(disk)
    if not checkpoints:
        if journal.first_index > 1:
            raise StorageFailed(
                f"the log begins at index {journal.first_index}, "
                "and there is no checkpoint of what was before"
            )
        return State(LmdbBackend(runtime))
    index, directory = checkpoints[-1]
    state = open_checkpoint(disk, directory, LmdbBackend(runtime))
    if state.applied_index + 1 < journal.first_index or state.applied_index > journal.last_index:
        raise StorageFailed(
            f"the checkpoint stands at index {index}, but the log goes from {journal.first_index} "
            f"to {journal.last_index}"
        )
    return state
