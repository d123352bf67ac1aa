"""Folders that were written once must open for ever, and mean the same; what a later version wrote
is refused, and stays as it is.

`golden/folder-1.tar.xz` was written by the first version and is never written again. A version that
writes anything else on the disk adds one of its own: `GREVY_REWRITE=1` writes those that are not
there, with what they mean (`folder-N.json`).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

import msgspec
import pytest
from crc32c import crc32c
from tests.partition.bare import OPTIONS, BarePartition, publish_many
from tests.partition.golden_folder import EXPORTER, GOLDEN, make_folder, packed, unpacked
from tests.sim.disk import SimDisk
from xxhash import xxh3_128_hexdigest

from grevy.broker.folders import Folders
from grevy.broker.system import SystemClock
from grevy.cluster import PlanFile, distribute, first_plan
from grevy.journal.promise import PROMISE_NAME
from grevy.partition import PartitionStorage
from grevy.partition.snapshots import Incoming
from grevy.protocol.codec import decode_entry
from grevy.protocol.errors import NewerVersion
from grevy.protocol.raft_messages import GroupMembers, SnapshotChunk
from grevy.protocol.text_form import entry_lines
from grevy.state import CheckpointCorrupted, check_version, read_manifest

NEWEST: Final = 1
"""The newest form of a folder; one more when anything on the disk is written in another way."""

SMALL_VALUES: Final = (f"journal/{PROMISE_NAME}", "raft/vote")
"""Files with two copies of a value, which every start makes alike."""

FOLDERS: Final = [f"folder-{number}" for number in range(1, NEWEST + 1)]


class Meaning(msgspec.Struct, frozen=True):
    """What is in a folder."""

    state_hash: int
    applied_index: int
    applied_position: int
    term: int
    exported: int
    first_index: int
    records: list[str]
    """Of the last entries, as text."""


def meaning_of(partition: BarePartition) -> Meaning:
    """What a start finds."""
    storage = partition.storage
    found = storage.exporters.get(EXPORTER)
    assert found is not None
    assert found.metadata == b"mine"
    last = storage.journal.last_index
    payloads = [entry.payload for entry in storage.journal.read(last - 20, 1 << 20)]
    lines = [line for each in payloads if each for line in entry_lines(decode_entry(each))]
    return Meaning(
        *(storage.state.hash, storage.state.applied_index, storage.state.applied_position),
        term=storage.journal.term_at(last),
        exported=found.position,
        first_index=storage.journal.first_index,
        records=lines,
    )


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_every_version_opens_and_means_the_same(name: str, tmp_path: Path) -> None:
    archive, meaning = GOLDEN / f"{name}.tar.xz", GOLDEN / f"{name}.json"
    if not archive.exists() and os.environ.get("GREVY_REWRITE"):
        make_folder(tmp_path / "made")
        archive.write_bytes(packed(tmp_path / "made"))
        written = BarePartition(unpacked(archive.read_bytes()), tmp_path / "written")
        meaning.write_bytes(msgspec.json.format(msgspec.json.encode(meaning_of(written))))
    partition = BarePartition(unpacked(archive.read_bytes()), tmp_path / "opened")

    assert partition.started_from > 0, "it begins with a checkpoint"
    assert meaning_of(partition) == msgspec.json.decode(meaning.read_bytes(), type=Meaning)
    partition.run(*publish_many(1_000, 3))


def test_the_newest_golden_folder_is_what_this_version_writes(tmp_path: Path) -> None:
    """Else it needs one of its own."""
    make_folder(tmp_path)
    made = unpacked(packed(tmp_path))
    golden = unpacked((GOLDEN / f"{FOLDERS[-1]}.tar.xz").read_bytes())

    assert made.files() == golden.files()
    assert _contents(made) == _contents(golden)


def _a_folder(tmp_path: Path) -> SimDisk:
    make_folder(tmp_path / "made")
    return unpacked(packed(tmp_path / "made"))


def _later_frame(content: bytearray, place: int) -> None:
    """Its version is one more, and its checksum right."""
    (length,) = struct.unpack_from("<I", content, place + 8)
    content[place + 6] += 1
    struct.pack_into("<I", content, place, crc32c(content[place + 4 : place + 52 + length]))


def _later_entry(disk: SimDisk) -> None:
    newest = max(path for path in disk.files() if path.endswith(".log"))
    content = disk.contents(newest)
    (length,) = struct.unpack_from("<I", content, 52 + 8)
    _later_frame(content, 52 + 52 + length)


def _later_segment(disk: SimDisk) -> None:
    newest = max(path for path in disk.files() if path.endswith(".log"))
    _later_frame(disk.contents(newest), 0)


def _later_vote(disk: SimDisk) -> None:
    """One of the two copies is enough: the other is older."""
    (path,) = [path for path in disk.files() if path.startswith("raft/") and "vote" in path]
    content = disk.contents(path)
    body = struct.Struct("<2sBBHHIIQ")
    (_, _, _, length, *_) = body.unpack_from(content, 4)
    content[6] += 1
    struct.pack_into("<I", content, 0, crc32c(content[4 : 4 + body.size + length]))


def _later_checkpoint(disk: SimDisk) -> None:
    newest = max(path for path in disk.files() if path.endswith("manifest"))
    content = disk.contents(newest)
    document = msgspec.json.decode(bytes(content).partition(b"\n")[0], type=dict[str, object])
    line = msgspec.json.encode(document | {"version": 2, "pieces": "as nobody knows them"})
    content[:] = line + b"\n" + xxh3_128_hexdigest(line).encode() + b"\n"


LATER: Final = (_later_entry, _later_segment, _later_vote, _later_checkpoint)


@pytest.mark.parametrize("change", LATER, ids=lambda change: change.__name__)
def test_what_a_later_version_wrote_is_refused_and_stays(change: object, tmp_path: Path) -> None:
    assert callable(change)
    disk = _a_folder(tmp_path)
    whole = _contents(disk)
    change(disk)
    before = _contents(disk)
    copied = [path for path in SMALL_VALUES if before[path] == whole[path]]
    for _ in range(2):
        with pytest.raises(NewerVersion, match="was written by a later version of Grevy"):
            PartitionStorage.open(disk, tmp_path / "opened", 1, OPTIONS)
    after = _contents(disk)
    assert {**after, **{path: before[path] for path in copied}} == before


def _contents(disk: SimDisk) -> dict[str, bytes]:
    """All but the room at the ends of segments, which is taken and given back as it suits."""
    return {
        path: bytes(disk.contents(path)).rstrip(b"\0" if path.endswith(".log") else b"")
        for path in disk.files()
    }


def test_a_broker_does_not_take_a_later_version_for_damage(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    make_folder(folder)
    newest = max((folder / "journal").glob("*.log"))
    content = bytearray(newest.read_bytes())
    _later_frame(content, 0)
    newest.write_bytes(content)
    folders = Folders(tmp_path, OPTIONS, SystemClock())
    with pytest.raises(NewerVersion):
        folders.open_or_repair(1, has_lost_data=False)
    assert newest.read_bytes() == content
    assert not list(folder.glob("damaged-*"))


def test_a_later_plan_is_refused_and_stays() -> None:
    disk = SimDisk()
    file = PlanFile.open(disk, "c")
    for _ in range(2):
        file.write(first_plan(distribute((1, 2, 3), 1, 3)))
    path = "cluster/plan.a"
    content = disk.contents(path)
    head, _, body = bytes(content).partition(b"\n")
    assert head.startswith(b"grevy-plan 1 ")
    content[:] = b"grevy-plan 2 %08x\n" % crc32c(body, crc32c(b"2")) + body
    before = bytes(content)
    with pytest.raises(NewerVersion):
        PlanFile.open(disk, "c")
    assert bytes(disk.contents(path)) == before
    content[:] = b"grevy-plan 2 %08x\n" % crc32c(body) + body
    assert PlanFile.open(disk, "c").plan is not None, "the other file is whole: this is damage"


def test_a_damaged_version_is_damage(tmp_path: Path) -> None:
    whole = _a_folder(tmp_path)
    for path in whole.files():
        if path.endswith("manifest"):
            content = whole.contents(path)
            place = bytes(content).index(b'"version":1') + len(b'"version":')
            content[place] = ord("3")
            check_version(bytes(content), path)  # nothing is raised
            with pytest.raises(CheckpointCorrupted, match="is damaged"):
                read_manifest(whole, path.rpartition("/")[0])


def test_a_later_checkpoint_of_a_leader_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    disk = _a_folder(tmp_path)
    _later_checkpoint(disk)
    newest = max(path for path in disk.files() if path.endswith("manifest"))
    manifest = bytes(disk.contents(newest))
    stream = struct.pack("<I", len(manifest)) + manifest + b"an image"
    members = GroupMembers((1, 2, 3))
    chunk = SnapshotChunk(1, 1, 99, 1, members, 0, len(stream), stream, 1)
    fresh = SimDisk()
    incoming = Incoming(fresh)
    assert incoming.store(chunk) == len(stream)
    with pytest.raises(NewerVersion, match="checkpoints/99/manifest"):
        incoming.finish(chunk)
    assert fresh.files() == ["checkpoints/99/image"]
