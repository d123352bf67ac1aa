"""What a later version adds to messages and entries does not hurt this one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from tests.protocol.golden_broker import BROKER_MESSAGE
from tests.sim.cluster import SimCluster
from tests.sim.cluster_knobs import ClusterKnobs
from tests.sim.next_version import NEW_DATA, is_read_alike, widened

from grevy.protocol.broker_codec import encode_broker_message
from grevy.protocol.codec import decode_entry, entry_mask, entry_positions

GOLDEN: Final = Path(__file__).parents[1] / "protocol" / "golden"
ENTRIES: Final = sorted(GOLDEN.glob("entry-*.bin"))


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_entries_of_a_later_version_are_read(path: Path) -> None:
    known = path.read_bytes()
    later = widened(known)
    assert NEW_DATA in later
    assert decode_entry(later) == decode_entry(known)
    assert entry_positions(later) == entry_positions(known)
    assert entry_mask(later) == entry_mask(known)


def test_messages_of_a_later_version_are_read() -> None:
    assert is_read_alike(encode_broker_message(BROKER_MESSAGE))


def test_a_cluster_is_begun_again_with_a_later_version_broker_by_broker() -> None:
    cluster = SimCluster(1, ClusterKnobs(upgrade_every_us=1_500_000, order_pause_us=400_000))
    report = cluster.run()
    assert report.instances == ClusterKnobs().orders
    assert cluster.newer
    assert any(NEW_DATA in payload for log in cluster.checker.logs.values() for payload in log)
