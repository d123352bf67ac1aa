"""When a leader hands back what another broker should lead."""

from __future__ import annotations

from grevy.cluster import Candidate, HandOver, LeadBack

PATIENCE_MS = 10_000
STEP_MS = 1_000


def able(term: int = 1, partition_id: int = 1, heir: int = 2) -> Candidate:
    return Candidate(partition_id, term, heir, is_able=True)


def unable(term: int = 1) -> Candidate:
    return Candidate(1, term, 2, is_able=False)


def moments(back: LeadBack, candidate: Candidate, begin_ms: int, end_ms: int) -> list[int]:
    """When it hands over, asked once a second."""
    return [
        now_ms
        for now_ms in range(begin_ms, end_ms, STEP_MS)
        if back.due([candidate], now_ms) is not None
    ]


def test_who_should_lead_is_handed_the_lead_when_it_has_been_able_for_a_while() -> None:
    back = LeadBack(PATIENCE_MS)
    assert moments(back, unable(), 0, 60_000) == []
    assert back.due([able()], 60_000) is None
    assert back.due([able()], 60_000 + PATIENCE_MS - 1) is None
    assert back.due([able()], 60_000 + PATIENCE_MS) == HandOver(1, to=2)


def test_a_break_begins_the_wait_anew() -> None:
    back = LeadBack(PATIENCE_MS)
    assert moments(back, able(), 0, 9_000) == []
    assert back.due([unable()], 9_000) is None
    assert moments(back, able(), 10_000, 21_000) == [20_000]


def test_another_term_or_another_heir_begins_it_anew() -> None:
    back = LeadBack(PATIENCE_MS)
    assert moments(back, able(), 0, 9_000) == []
    assert moments(back, able(term=2), 9_000, 19_000) == []
    assert moments(back, able(term=2, heir=3), 19_000, 30_000) == [29_000]


def test_what_comes_back_again_and_again_waits_longer_each_time() -> None:
    back = LeadBack(PATIENCE_MS)
    waits = []
    now_ms = 0
    for term in range(1, 6):
        begin_ms = now_ms
        while back.due([able(term)], now_ms) is None:
            now_ms += STEP_MS
        waits.append(now_ms - begin_ms)
    assert waits == [10_000, 10_000, 20_000, 40_000, 80_000]


def test_the_waits_have_a_limit_and_are_forgotten_after_long_calm() -> None:
    back = LeadBack(PATIENCE_MS)
    now_ms = 0
    for term in range(1, 20):
        while back.due([able(term)], now_ms) is None:
            now_ms += STEP_MS
    begin_ms = now_ms
    while back.due([able(20)], now_ms) is None:
        now_ms += STEP_MS
    assert now_ms - begin_ms == 64 * PATIENCE_MS
    now_ms += 31 * 60 * 1_000
    assert back.due([able(21)], now_ms) is None
    now_ms += 64 * PATIENCE_MS
    assert back.due([able(21)], now_ms) == HandOver(1, 2)
    assert moments(back, able(22), now_ms, now_ms + 11_000) == [now_ms + PATIENCE_MS]


def test_one_partition_at_a_time() -> None:
    back = LeadBack(PATIENCE_MS)
    both = [able(partition_id=1), able(partition_id=2, heir=3)]
    assert back.due(both, 0) is None
    assert back.due(both, PATIENCE_MS) == HandOver(1, to=2)
    assert back.due(both, PATIENCE_MS) == HandOver(2, to=3)
    assert back.due(both, PATIENCE_MS) is None


def test_at_once_when_it_is_asked_for_but_only_to_whom_is_able() -> None:
    back = LeadBack(PATIENCE_MS)
    assert back.due([unable()], 0, at_once=True) is None
    assert back.due([able()], 1, at_once=True) == HandOver(1, to=2)
