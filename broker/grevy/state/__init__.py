"""The state of a partition: typed tables over a key-value backend, written in steps that can be
undone until committed.

    state = State(LmdbBackend(path))        one partition's; `MemoryBackend()` for tests and
    simulation
    jobs = state.table(JOBS)                a `TableSpec`, declared once
    state.begin(); jobs.put(1, job)         what a step writes is visible at once
    write_set = state.seal()                or `state.rollback()`
    state.commit([write_set], 7, 42)        when the entry of the log is committed

`layers` tells how a table keeps what is not committed apart, `keys` how keys become bytes,
`checkpoint` what is on disk.
"""

from grevy.state.backend import Backend, MemoryBackend
from grevy.state.checkpoint import (
    IMAGE_FILE,
    MANIFEST_FILE,
    CheckpointCorrupted,
    CheckpointHandle,
    Manifest,
    check_version,
    read_manifest,
    verified_image,
)
from grevy.state.editable import EditableTable
from grevy.state.keys import BLOB, I64, TEXT, U64, Key, KeyOf, KeyPart
from grevy.state.lmdb_backend import LmdbBackend
from grevy.state.progress import Progress
from grevy.state.spec import TableSpec
from grevy.state.state import State, WriteSet, open_checkpoint
from grevy.state.table import Table

__all__ = [
    "BLOB",
    "I64",
    "IMAGE_FILE",
    "MANIFEST_FILE",
    "TEXT",
    "U64",
    "Backend",
    "CheckpointCorrupted",
    "CheckpointHandle",
    "EditableTable",
    "Key",
    "KeyOf",
    "KeyPart",
    "LmdbBackend",
    "Manifest",
    "MemoryBackend",
    "Progress",
    "State",
    "Table",
    "TableSpec",
    "WriteSet",
    "check_version",
    "open_checkpoint",
    "read_manifest",
    "verified_image",
]
