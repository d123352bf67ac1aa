"""Checkpoints: a consistent copy of a state in a directory of the disk port, written beside a state
that goes on.

    <directory>/image      the backend's rows, in the form that the manifest names
    <directory>/manifest   line 1: the `Manifest` as JSON; line 2: the XXH3-128 of line 1 in hex

The manifest has a checksum of each piece of the image and is written last, by renaming, with the
image and the directory synchronised before and after: a directory with a manifest is whole or
damaged, never unfinished. Opening copies the image to a new backend piece by piece, each checked
before it is used.

All of it goes through the disk port, so that checkpoints meet the same faults in the simulator as
the log does. Only LMDB, which cannot write through a port, first copies itself into a file without
a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from xxhash import xxh3_128_hexdigest

from grevy.ports import Disk, File
from grevy.protocol.errors import GrevyError, NewerVersion
from grevy.protocol.limits import CHECKPOINT_PIECE_BYTES
from grevy.state.backend import Backend, Snapshot
from grevy.state.progress import Progress, read_progress

IMAGE_FILE: Final = "image"
MANIFEST_FILE: Final = "manifest"

_UNFINISHED_MANIFEST_FILE: Final = "manifest.new"
_VERSION: Final = 1


class CheckpointCorrupted(GrevyError):
    """A checkpoint that is not what was written, or not complete; it must be fetched from a peer,
    never be left out.
    """


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint contains. `pieces`: XXH3-128 of each piece of the image in hex; sizes in
    bytes. `origin` names the log that led to the state, and `notes` is what else goes with it, both
    in the words of who wrote the checkpoint.
    """

    version: int
    image_format: str
    applied_index: int
    applied_position: int
    state_hash: int
    origin: str
    image_bytes: int
    piece_bytes: int
    pieces: tuple[str, ...]
    notes: str = ""


class CheckpointHandle:
    """A state as it was when the handle was made. `write` may run in another thread than the
    state's.
    """

    def __init__(self, snapshot: Snapshot, image_format: str, progress: Progress) -> None:
        self._snapshot = snapshot
        self._image_format = image_format
        self.progress: Final = progress

    def write(self, disk: Disk, directory: str, *, origin: str = "", notes: str = "") -> Manifest:
        """Write the checkpoint to `directory`, which holds none yet, and make it durable."""
        disk.mkdir(directory)
        assert not disk.exists(f"{directory}/{MANIFEST_FILE}"), "a checkpoint is written once"
        image_bytes, pieces = _write_image(disk, f"{directory}/{IMAGE_FILE}", self._snapshot)
        disk.fsync_dir(directory)
        manifest = Manifest(
            version=_VERSION,
            image_format=self._image_format,
            applied_index=self.progress.applied_index,
            applied_position=self.progress.applied_position,
            state_hash=self.progress.state_hash,
            origin=origin,
            image_bytes=image_bytes,
            piece_bytes=CHECKPOINT_PIECE_BYTES,
            pieces=pieces,
            notes=notes,
        )
        _write_manifest(disk, directory, manifest)
        return manifest

    def close(self) -> None:
        """Let go of the snapshot; the state's thread must do it, when no `write` is running."""
        self._snapshot.close()


def read_manifest(disk: Disk, directory: str) -> Manifest:
    """The manifest of a checkpoint; raises `CheckpointCorrupted`, and `NewerVersion`. The image is
    not looked at.
    """
    path = f"{directory}/{MANIFEST_FILE}"
    if not disk.exists(path):
        raise CheckpointCorrupted(f"{directory} has no manifest")
    with _reading(disk, path) as file:
        whole = file.pread(file.size(), 0)
    check_version(whole, path)
    content, _, checksum = whole.partition(b"\n")
    if checksum != xxh3_128_hexdigest(content).encode() + b"\n":
        raise CheckpointCorrupted(f"{path} is damaged")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise CheckpointCorrupted(f"{path} is of another version: {error}") from None
    if manifest.version != _VERSION:
        raise CheckpointCorrupted(f"{path} has version {manifest.version}, not {_VERSION}")
    return manifest


class _Form(msgspec.Struct):
    """What the manifests of all versions have."""

    version: int


def check_version(content: bytes, path: str) -> None:
    """Raises `NewerVersion` for a manifest, with its checksum, of a later form. One that is damaged
    is of none.
    """
    line, _, checksum = content.partition(b"\n")
    if checksum != xxh3_128_hexdigest(line).encode() + b"\n":
        return
    try:
        form = msgspec.json.decode(line, type=_Form)
    except msgspec.DecodeError:
        return
    if form.version > _VERSION:
        raise NewerVersion(path, form.version, _VERSION)


def verified_image(disk: Disk, directory: str, manifest: Manifest) -> Iterator[bytes]:
    """The pieces of the image, each checked; raises `CheckpointCorrupted` at the first that is
    damaged.
    """
    path = f"{directory}/{IMAGE_FILE}"
    if not disk.exists(path):
        raise CheckpointCorrupted(f"{directory} has no image")
    with _reading(disk, path) as file:
        if file.size() != manifest.image_bytes:
            raise CheckpointCorrupted(
                f"{path} has {file.size()} bytes, expected {manifest.image_bytes}"
            )
        for number, checksum in enumerate(manifest.pieces):
            piece = file.pread(manifest.piece_bytes, number * manifest.piece_bytes)
            if xxh3_128_hexdigest(piece) != checksum:
                raise CheckpointCorrupted(f"{path} is damaged in piece {number}")
            yield piece


def restore(disk: Disk, directory: str, backend: Backend) -> None:
    """Replace the content of `backend` by that of a checkpoint; raises `CheckpointCorrupted`."""
    manifest = read_manifest(disk, directory)
    if manifest.image_format != backend.image_format:
        raise CheckpointCorrupted(f"{directory} is for a backend of {manifest.image_format}")
    backend.load(verified_image(disk, directory, manifest))
    expected = Progress(manifest.applied_index, manifest.applied_position, manifest.state_hash)
    if read_progress(backend) != expected:
        raise CheckpointCorrupted(f"{directory}/{IMAGE_FILE} is not the one of its manifest")


@contextmanager
def _reading(disk: Disk, path: str) -> Iterator[File]:
    """A file of a checkpoint; a device that cannot read it has lost it."""
    try:
        file = disk.open(path)
        try:
            yield file
        finally:
            file.close()
    except OSError as error:
        raise CheckpointCorrupted(f"{path} cannot be read: {error}") from error


def _write_image(disk: Disk, path: str, snapshot: Snapshot) -> tuple[int, tuple[str, ...]]:
    """Write and synchronise the image; return its size and the checksum of each piece."""
    if disk.exists(path):
        disk.remove(path)
    file = disk.create(path)
    pieces: list[str] = []
    size = 0
    try:
        for piece in snapshot.image():
            file.pwrite(piece, size)
            pieces.append(xxh3_128_hexdigest(piece))
            size += len(piece)
        file.fdatasync()
    finally:
        file.close()
    return size, tuple(pieces)


def _write_manifest(disk: Disk, directory: str, manifest: Manifest) -> None:
    """Give the checkpoint its manifest, in one step that is durable."""
    unfinished = f"{directory}/{_UNFINISHED_MANIFEST_FILE}"
    if disk.exists(unfinished):
        disk.remove(unfinished)
    content = msgspec.json.encode(manifest)
    file = disk.create(unfinished)
    try:
        file.pwrite(content + b"\n" + xxh3_128_hexdigest(content).encode() + b"\n", 0)
        file.fdatasync()
    finally:
        file.close()
    disk.rename(unfinished, f"{directory}/{MANIFEST_FILE}")
    disk.fsync_dir(directory)
