"""What a partition keeps on its disk: journal, hard state, checkpoints, and what its exporters
acknowledged.

    <folder>/journal/              segments
    <folder>/checkpoints/<index>/  copies of the state; the newest one is where a start begins
    <folder>/exporters/            positions and metadata of exporters
    <folder>/runtime/              the state's LMDB, made again at every start

A start takes the newest checkpoint that is whole and belongs to this log, and replays the log after
it. The log reaches back to the older of the two checkpoints that are kept, so that damage to the
newer one costs time and nothing else. Where the log does not lead on from any, the start is
refused: the state would be another.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from crc32c import crc32c
from msgspec import Struct

from grevy.engine import Engine, JobTopics
from grevy.journal import Journal, JournalOptions
from grevy.logstream import LogStream
from grevy.partition.checkpoint_folder import (
    CHECKPOINTS,
    Received,
    checkpoint_directories,
    read_received,
)
from grevy.partition.errors import StorageFailed
from grevy.partition.exporter_positions import ExporterPositions
from grevy.ports import Disk, Entropy
from grevy.protocol.limits import CHECKPOINT_LOG_BYTES, SEGMENT_BYTES, STATE_AUDIT_RECORDS
from grevy.raft import LogStart, Membership, RaftStorage
from grevy.state import (
    Backend,
    CheckpointCorrupted,
    LmdbBackend,
    State,
    open_checkpoint,
    read_manifest,
)

_log = logging.getLogger(__name__)

JOURNAL: Final = "journal"
EXPORTERS: Final = "exporters"
RAFT: Final = "raft"
RUNTIME: Final = "runtime"


MakeBackend: TypeAlias = Callable[[Path], Backend]
"""Makes where the committed state is kept, in a folder that is its own."""


class StorageOptions(Struct, frozen=True):
    """How often the state is copied (seconds), and after how much log before that (bytes); how much
    log exporters may hold back (bytes), the size of the log's files (bytes), how much of the disk
    has to be free for commands to be taken (bytes; 0: any), and after how many records replicas
    compare their states.
    """

    checkpoint_period_s: float = 300.0
    checkpoint_log_bytes: int = CHECKPOINT_LOG_BYTES
    exporter_log_bytes_max: int = 4 * 1024 * 1024 * 1024
    segment_bytes: int = SEGMENT_BYTES
    disk_free_min_bytes: int = 0
    audit_records: int = STATE_AUDIT_RECORDS


class PartitionStorage:
    """The open files of one partition."""

    def __init__(
        self,
        disk: Disk,
        raft: RaftStorage,
        exporters: ExporterPositions,
        state: State,
        options: StorageOptions,
        *,
        folder: Path,
        make_backend: MakeBackend = LmdbBackend,
    ) -> None:
        self.disk = disk
        self._folder = folder
        self._make_backend = make_backend
        self.raft = raft
        self.exporters = exporters
        self.journal = journal = raft.journal
        self.state = state
        self.options = options
        self.log = LogStream(journal)

    @classmethod
    def open(
        cls,
        disk: Disk,
        folder: Path,
        partition_id: int,
        options: StorageOptions,
        *,
        has_lost_data: bool = False,
        make_backend: MakeBackend = LmdbBackend,
    ) -> PartitionStorage:
        """Opens the folder, or begins one. `has_lost_data` says that it lacks something that was
        there: then this replica gives no vote until its leader has repaired it.

        Raises `JournalError` or `StorageFailed` when it lacks something that was there: a folder
        that is not empty never begins anew.
        """
        # A vote alone is what is left where the log was damaged and put away.
        around = (CHECKPOINTS, EXPORTERS) if has_lost_data else (RAFT, CHECKPOINTS, EXPORTERS)
        if not disk.exists(JOURNAL) and any(map(disk.exists, around)):
            raise StorageFailed(f"{JOURNAL} is missing, but there is a partition around it")
        journal_options = JournalOptions(JOURNAL, segment_bytes=options.segment_bytes)
        journal = Journal.open(disk, partition_id, journal_options)
        raft = RaftStorage.open(disk, journal, partition_id, has_lost_data=has_lost_data)
        exporters = ExporterPositions.open(disk, EXPORTERS, is_new=journal.last_index == 0)
        _finish_snapshot(disk, raft)
        for runtime in folder.glob(f"{RUNTIME}*"):
            shutil.rmtree(runtime)
        state = _open_state(disk, lambda: make_backend(folder / RUNTIME), journal)
        if state.applied_index:
            exporters.recover(
                read_manifest(disk, f"{CHECKPOINTS}/{state.applied_index}").notes or "{}"
            )
        made = (disk, raft, exporters, state, options)
        return cls(*made, folder=folder, make_backend=make_backend)

    def load(self, index: int) -> State:
        """The state of a checkpoint that came from a leader, beside the one that works; it may be
        called in another thread. Raises `CheckpointCorrupted`.
        """
        backend = self._make_backend(self._folder / f"{RUNTIME}-{index}")
        try:
            return open_checkpoint(self.disk, f"{CHECKPOINTS}/{index}", backend)
        except CheckpointCorrupted:
            backend.close()
            raise

    def replace_state(self, state: State) -> None:
        """This is the state from now on; the one before is closed."""
        self.state.close()
        self.state = state

    def make_engine(
        self, partition_id: int, topics: JobTopics, entropy: Entropy, *, partition_count: int = 1
    ) -> Engine:
        """The engine over this state."""
        return Engine(
            self.state,
            partition_id,
            topics=topics,
            entropy=entropy,
            partition_count=partition_count,
        )

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


def origin_of(journal: Journal, index: int) -> str:
    """What tells this log from others that have an entry at `index` too; empty where the entry is
    compacted.
    """
    if not journal.first_index <= index <= journal.last_index:
        return ""
    entry = journal.read(index, 1)[0]
    return f"entry {index} of term {entry.term}, {crc32c(entry.payload):08x}"


def _finish_snapshot(disk: Disk, raft: RaftStorage) -> None:
    """A crash came between the end of a snapshot from a leader and the log's new beginning."""
    newest = checkpoint_directories(disk)[-1:]
    received = read_received(disk, newest[0][1]) if newest else None
    if received is None or _is_in_log(raft.journal, received):
        return
    membership = Membership(received.index, received.term, received.members)
    raft.begin_after(LogStart(received.index, received.term), membership)


def _is_in_log(journal: Journal, received: Received) -> bool:
    """Whether a log leads over the end of a snapshot, or begins after it."""
    index = received.index
    if index < journal.first_index - 1:
        return True
    return index <= journal.last_index and journal.term_at(index) == received.term


def _open_state(disk: Disk, make_backend: Callable[[], Backend], journal: Journal) -> State:
    faults: list[str] = []
    for index, directory in reversed(checkpoint_directories(disk)):
        if index > journal.last_index:
            raise StorageFailed(
                f"{directory} stands at index {index}, but the log ends at {journal.last_index}"
            )
        backend = make_backend()
        try:
            _check_origin(disk, directory, journal)
            state = open_checkpoint(disk, directory, backend)
        except CheckpointCorrupted as error:
            backend.close()
            faults.append(str(error))
            continue
        _check_reach(journal, state.applied_index, faults)
        _report(faults, directory)
        return state
    _check_reach(journal, 0, faults)
    _report(faults, "the beginning of the log")
    return State(make_backend())


def _check_origin(disk: Disk, directory: str, journal: Journal) -> None:
    manifest = read_manifest(disk, directory)
    if directory != f"{CHECKPOINTS}/{manifest.applied_index}":
        raise CheckpointCorrupted(
            f"{directory} is the checkpoint of index {manifest.applied_index}"
        )
    origin = origin_of(journal, manifest.applied_index)
    if manifest.origin and origin and manifest.origin != origin:
        raise CheckpointCorrupted(
            f"{directory} is of another log: it was taken at {manifest.origin}, here is {origin}"
        )


def _check_reach(journal: Journal, applied_index: int, faults: list[str]) -> None:
    """Refuse a start from which the log does not lead on."""
    if applied_index + 1 < journal.first_index:
        why = "".join(f"; {fault}" for fault in faults)
        start = (
            f"the checkpoint stands at index {applied_index}"
            if applied_index
            else ("there is no checkpoint of what was before")
        )
        raise StorageFailed(f"the log begins at index {journal.first_index}, and {start}{why}")


def _report(faults: list[str], start: str) -> None:
    for fault in faults:
        _log.error("%s; starting from %s instead, which gives the same state", fault, start)
