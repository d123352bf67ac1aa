"""The ways in which a simulated disk hurts what was durable."""

from __future__ import annotations

import errno
from random import Random

import pytest
from tests.sim.atlas import Atlas
from tests.sim.disk import DAMAGES, SHORT, SimDisk

SEEDS = range(30)


def disk_with(**contents: bytes) -> SimDisk:
    """A disk with such files, each written in two pieces that are durable one after the other."""
    disk = SimDisk()
    for name, content in contents.items():
        file = disk.create(name)
        half = len(content) // 2
        for offset, piece in ((0, content[:half]), (half, content[half:])):
            file.pwrite(piece, offset)
            file.fdatasync()
    disk.fsync_dir("")
    return disk


def test_an_older_content_comes_back_and_stays() -> None:
    for seed in SEEDS:
        disk = disk_with(a=b"x" * 8192)
        assert disk.damage(Random(seed), "a", kinds=("stale",)).startswith("stale in a")
        after = disk.crash(Random(seed), 1.0)
        assert len(after.contents("a")) == 8192
        assert set(after.contents("a")) == {0, ord("x")}


def test_what_was_always_so_is_no_older_content() -> None:
    disk = SimDisk()
    disk.create("a").pwrite(b"x" * 512, 0)
    assert disk.damage(Random(1), "a", kinds=("stale",)) == "nothing"


def test_a_lost_write_is_in_another_place() -> None:
    landed = 0
    for seed in SEEDS:
        disk = disk_with(**{"a.log": b"x" * 8192, "b.log": b"y" * 8192})
        how = disk.damage(Random(seed), "a.log", kinds=("lost write",))
        assert how.startswith("lost write in a.log")
        assert 0 in disk.contents("a.log")
        landed += ord("x") in disk.contents("b.log")
    assert landed


def test_a_sector_of_another_place_may_be_of_another_file() -> None:
    elsewhere = 0
    for seed in SEEDS:
        disk = disk_with(a=b"x" * 1024, b=b"y" * 1024)
        disk.damage(Random(seed), "a", kinds=("misdirected",))
        elsewhere += ord("y") in disk.contents("a")
    assert elsewhere


@pytest.mark.parametrize("kind", [*DAMAGES])
def test_a_file_keeps_its_size_if_it_is_to(kind: str) -> None:
    for seed in SEEDS:
        disk = disk_with(a=b"x" * 1000)
        disk.damage(Random(seed), "a", keeps_size=True, kinds=(kind,))
        assert len(disk.contents("a")) == 1000


def test_a_name_is_lost_for_good() -> None:
    disk = disk_with(a=b"x", b=b"y")
    disk.lose("a")
    assert disk.files() == ["b"]
    assert disk.crash(Random(1), 1.0).files() == ["b"]


def test_all_is_wiped() -> None:
    disk = disk_with(a=b"x")
    disk.mkdir("d")
    disk.wipe()
    assert not disk.files()
    assert not disk.exists("d")


def test_a_read_gives_too_little_once() -> None:
    disk = disk_with(a=b"0123456789")
    file = disk.open("a")
    disk.fail("pread", SHORT, 1)
    assert [len(file.pread(10, 0)) for _ in range(3)] == [10, 5, 10]


def test_a_full_disk_takes_what_needs_no_room() -> None:
    disk = disk_with(a=b"0123456789")
    file = disk.open("a")
    disk.is_full = True
    file.pwrite(b"abc", 7)
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        file.pwrite(b"abcd", 8)
    with pytest.raises(OSError, match=str(errno.ENOSPC)):
        disk.create("b")
    disk.crash(Random(1)).mend()
    disk.mend()
    file.pwrite(b"abcd", 8)
    assert file.pread(20, 0) == b"0123456aabcd"


def test_an_atlas_allows_a_minority_at_a_time() -> None:
    atlas = Atlas(1)
    atlas.hurts(2)
    assert [atlas.allows(node) for node in (1, 2, 3)] == [False, True, False]
    atlas.heals(2)
    assert atlas.allows(3)
    assert not atlas.was_beyond


def test_an_atlas_may_allow_more() -> None:
    atlas = Atlas(1, is_beyond=True)
    for node in (1, 2):
        assert atlas.allows(node)
        atlas.hurts(node)
    atlas.heals(1)
    assert atlas.was_beyond
