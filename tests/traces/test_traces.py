"""The engine does what Zeebe's engine did: answers, order of element states, effects."""

from __future__ import annotations

import pytest
from tests.traces.corpus import Trace, known_differences, level, slice_names, traces
from tests.traces.play import play
from tests.traces.player import Player

from grevy.protocol.entry_codec import ENTRIES

KNOWN = known_differences()
EVERY = traces()


@pytest.mark.parametrize("trace", EVERY, ids=[trace["name"] for trace in EVERY])
def test_trace(trace: Trace) -> None:
    found = play(trace, level())
    reason = KNOWN.get(trace["name"])
    if reason is None:
        assert not found, "\n".join(found)
    else:
        assert found, f"agrees, but is listed as different: {reason}"


def test_the_first_slice_has_no_known_differences() -> None:
    assert not slice_names() & KNOWN.keys()


def test_entries_that_are_like_others_are_read_as_pycapnp_reads_them() -> None:
    frames: list[bytes] = []
    for trace in EVERY[::5]:
        player = Player(trace)
        player.play()
        frames += player.entries
    for _ in range(5):
        for frame in frames:
            assert ENTRIES.decode(frame) == ENTRIES.decode_by_pycapnp(frame)
    known = sum([ENTRIES.scan(frame) is not None for frame in frames])
    assert known > len(frames) // 2
