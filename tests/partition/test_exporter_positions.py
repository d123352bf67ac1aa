"""How replicas tell each other of exporters."""

from __future__ import annotations

from tests.sim.disk import SimDisk

from grevy.partition.exporter_positions import ExporterPositions


def opened() -> ExporterPositions:
    """Of a new partition."""
    return ExporterPositions.open(SimDisk(), "exporters", is_new=True)


def told(leader: ExporterPositions, follower: ExporterPositions) -> None:
    """The leader's entry is committed, and the follower takes it."""
    payload = leader.payload()
    assert payload is not None
    follower.take(payload)


def test_one_that_the_others_do_not_know_is_new() -> None:
    leader, follower = opened(), opened()
    assert not leader.has_newcomer
    leader.register("es")
    assert leader.has_newcomer
    told(leader, follower)
    assert not leader.has_newcomer
    assert not follower.has_newcomer
    assert follower.positions() == {"es": 0}


def test_one_that_moves_is_not_new() -> None:
    leader, follower = opened(), opened()
    leader.register("es")
    told(leader, follower)
    leader.acknowledge("es", 7, b"")
    assert leader.payload_if_due(0) is None, "nobody is new, and it was told moments ago"
    told(leader, follower)
    assert follower.positions() == {"es": 7}


def test_who_leads_again_tells_again() -> None:
    """What it told last may have been lost with its lead."""
    leader = opened()
    leader.register("es")
    first = leader.payload()
    assert first is not None
    assert leader.payload() is None
    leader.tell_again()
    assert leader.payload_if_due(0) == first, "at once"
