"""The plan on the disk: two files of text, written in turn.

    cluster/plan.a, cluster/plan.b

    grevy-plan 1 0a1b2c3d
    {"cluster_id":"grevy","sequence":7,"plan":{"epoch":2, …}}

The first line has the form's version and the CRC-32C of all after it; in later forms, of the
version and of all after the line, so that a damaged version is told from a later one. A file
appears under its name whole, or not at all; the readable one with the greater sequence counts. When
it is damaged, the other is read, which is one write older: what it lacks comes again by gossip, or
by what the groups' leaders know. When neither is readable, somebody has to look: starting from
settings instead could bring back what was removed.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from crc32c import crc32c

from grevy.cluster.errors import PlanCorrupted
from grevy.cluster.plan import newness_of
from grevy.ports import Disk
from grevy.protocol.errors import NewerVersion
from grevy.protocol.gossip_messages import ClusterPlan

DIRECTORY: Final = "cluster"
FILES: Final = ("plan.a", "plan.b")
DRAFT: Final = "plan.new"
_VERSION: Final = 1
_MAGIC: Final = b"grevy-plan %d " % _VERSION
_HEAD: Final = re.compile(rb"grevy-plan (\d) ([0-9a-f]{8})\n")
_HEAD_BYTES: Final = len(_MAGIC) + 8 + 1


class _Content(msgspec.Struct, frozen=True):
    """What a file says."""

    cluster_id: str
    sequence: int
    plan: ClusterPlan


class PlanFile:
    """Keeps one broker's plan."""

    def __init__(self, disk: Disk, cluster_id: str, newest: _Content | None) -> None:
        self._disk = disk
        self._cluster_id = cluster_id
        self._newest = newest

    @classmethod
    def open(cls, disk: Disk, cluster_id: str) -> PlanFile:
        """Reads the plan, if there is one. Raises `PlanCorrupted` where there was one that cannot
        be read, or where it is another cluster's, and `NewerVersion`.
        """
        disk.mkdir(DIRECTORY)
        if disk.exists(f"{DIRECTORY}/{DRAFT}"):
            disk.remove(f"{DIRECTORY}/{DRAFT}")
        return cls(disk, cluster_id, _newest(disk, cluster_id))

    @property
    def plan(self) -> ClusterPlan | None:
        """What was written last; None for a broker that never had a plan."""
        return None if self._newest is None else self._newest.plan

    def write(self, plan: ClusterPlan) -> None:
        """Replaces the plan, durably. Raises what the disk does; nothing is tried again over it."""
        assert newness_of(plan) >= newness_of(self.plan), "a plan is never older than one before"
        sequence = 1 if self._newest is None else self._newest.sequence + 1
        content = _Content(self._cluster_id, sequence, plan)
        body = msgspec.json.encode(content)
        name, draft = f"{DIRECTORY}/{FILES[sequence % 2]}", f"{DIRECTORY}/{DRAFT}"
        file = self._disk.create(draft)
        try:
            file.pwrite(_MAGIC + b"%08x\n" % crc32c(body) + body, 0)
            file.fdatasync()
        finally:
            file.close()
        self._disk.rename(draft, name)
        self._disk.fsync_dir(DIRECTORY)
        self._newest = content


def peek_plan(disk: Disk, cluster_id: str) -> ClusterPlan | None:
    """The plan of a broker whose file is another process's to write. Raises as `PlanFile.open`."""
    newest = _newest(disk, cluster_id)
    return None if newest is None else newest.plan


def _newest(disk: Disk, cluster_id: str) -> _Content | None:
    names = [name for name in FILES if disk.exists(f"{DIRECTORY}/{name}")]
    found = [content for name in names if (content := _read(disk, name)) is not None]
    if names and not found:
        paths = " and ".join(f"{DIRECTORY}/{name}" for name in names)
        raise PlanCorrupted(
            f"{paths} cannot be read; a broker that joins anew gets "
            "the plan from the others, with another node id or an empty folder"
        )
    newest = max(found, key=lambda each: each.sequence, default=None)
    if newest is not None and newest.cluster_id != cluster_id:
        raise PlanCorrupted(
            f"{DIRECTORY}: is of cluster '{newest.cluster_id}', this broker of '{cluster_id}'"
        )
    return newest


def _read(disk: Disk, name: str) -> _Content | None:
    """A file's content; None when it is damaged. Raises `NewerVersion`."""
    file = disk.open(f"{DIRECTORY}/{name}")
    try:
        data = file.pread(file.size(), 0)
    finally:
        file.close()
    head, body = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
    version = _version_of(head, body)
    if version > _VERSION:
        raise NewerVersion(f"{DIRECTORY}/{name}", version, _VERSION)
    if head != _MAGIC + b"%08x\n" % crc32c(body):
        return None
    try:
        return msgspec.json.decode(body, type=_Content)
    except msgspec.MsgspecError:
        return None


def _version_of(head: bytes, body: bytes) -> int:
    """The later form that a file has; 0 for none, or damage."""
    found = _HEAD.fullmatch(head)
    if found is None or int(found[2], 16) != crc32c(body, crc32c(found[1])):
        return 0
    return int(found[1])
