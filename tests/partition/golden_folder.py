"""A small folder of a partition, as this version writes it: a log of several segments, votes, two
checkpoints, an exporter's position; and the same as bytes, to be kept.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Final

from tests.partition.bare import BarePartition, publish_many
from tests.sim.disk import SimDisk

from grevy.broker.system import OsDisk
from grevy.partition.storage import EXPORTERS, JOURNAL, RAFT

GOLDEN: Final = Path(__file__).parent / "golden"
EXPORTER: Final = "someone"


def make_folder(folder: Path) -> BarePartition:
    """Makes it; gives the partition, which is closed."""
    partition = BarePartition(OsDisk(folder), folder)
    for period in range(2):
        partition.run(*publish_many(period * 20, 20))
        partition.storage.exporters.acknowledge(EXPORTER, 11 + period, b"mine")
        partition.checkpoint()
        partition.compact()
    partition.run(*publish_many(40, 7))
    partition.run_nothing(1)
    partition.close()
    return partition


def packed(folder: Path) -> bytes:
    """The files that last, as an archive that has no times and no owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz", format=tarfile.USTAR_FORMAT) as archive:
        for part in (JOURNAL, RAFT, "checkpoints", EXPORTERS):
            for path in sorted((folder / part).rglob("*")):
                if path.is_file():
                    info = tarfile.TarInfo(str(path.relative_to(folder)))
                    info.size = path.stat().st_size
                    with path.open("rb") as content:
                        archive.addfile(info, content)
    return out.getvalue()


def unpacked(data: bytes) -> SimDisk:
    """A disk with these files."""
    disk = SimDisk()
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:xz") as archive:
        for info in archive:
            content = archive.extractfile(info)
            assert content is not None
            parts = info.name.split("/")
            for depth in range(1, len(parts)):
                disk.mkdir("/".join(parts[:depth]))
            file = disk.create(info.name)
            file.pwrite(content.read(), 0)
            file.fdatasync()
            file.close()
            disk.fsync_dir(info.name.rpartition("/")[0])
    return disk
