"""Answers that one order of operations explains, and answers that none does."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import pytest
from tests.chaos.history import Kind, Operation, Outcome
from tests.chaos.order_history import Fate, is_explained

KEY: Final = 7


def create(begin_s: float, end_s: float) -> Operation:
    return Operation(1, Kind.CREATE, "a", begin_s, end_s, Outcome.OK, KEY)


def publish(begin_s: float, end_s: float) -> Operation:
    return Operation(2, Kind.PUBLISH, "m", begin_s, end_s, Outcome.OK, 9)


def complete(begin_s: float, end_s: float) -> Operation:
    return Operation(3, Kind.COMPLETE, "8", begin_s, end_s, Outcome.OK, 8)


def cancel(begin_s: float, end_s: float) -> Operation:
    return Operation(4, Kind.CANCEL, "7", begin_s, end_s, Outcome.OK)


def refused(kind: Kind, begin_s: float, end_s: float, reason: str) -> Operation:
    return Operation(5, kind, "", begin_s, end_s, Outcome.REJECTED, reason=reason)


def unknown(kind: Kind, begin_s: float) -> Operation:
    return Operation(6, kind, "", begin_s)


def test_one_after_the_other() -> None:
    operations = [create(0, 1), publish(2, 3), complete(4, 5)]

    assert is_explained(operations, KEY, Fate.COMPLETED)
    assert is_explained(operations, KEY, Fate.RUNNING)  # not yet
    assert not is_explained(operations, KEY, Fate.TERMINATED)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_overlaps_may_have_any_order(order: tuple[int, ...]) -> None:
    operations = [create(0, 9), publish(0, 9), complete(0, 9)]

    assert is_explained([operations[place] for place in order], KEY, Fate.COMPLETED)


@pytest.mark.parametrize(
    "operations",
    [
        [complete(0, 1), create(2, 3), publish(4, 5)],
        [create(0, 1), create(2, 3), publish(4, 5), complete(6, 7)],
        [create(0, 1), publish(2, 3), publish(4, 5), complete(6, 7)],
        [create(0, 1), publish(2, 3), complete(4, 5), complete(6, 7)],
        [create(0, 1), publish(2, 3)],
        [create(0, 1), complete(2, 3)],
    ],
)
def test_what_nothing_explains_of_one_that_has_completed(operations: list[Operation]) -> None:
    assert not is_explained(operations, KEY, Fate.COMPLETED)


def test_an_order_has_the_key_that_was_told() -> None:
    assert not is_explained([create(0, 1)], KEY + 1, Fate.RUNNING)


def test_a_cancel_that_was_answered_was_done() -> None:
    operations = [create(0, 1), publish(2, 3), complete(4, 5), cancel(6, 7)]

    assert is_explained(operations, KEY, Fate.TERMINATED)  # the message was still on its way
    assert not is_explained(operations, KEY, Fate.COMPLETED)
    assert not is_explained(operations, KEY, Fate.RUNNING)


def test_nothing_is_completed_after_a_cancel() -> None:
    operations = [create(0, 1), cancel(2, 3), complete(4, 5)]

    assert not is_explained(operations, KEY, Fate.TERMINATED)
    assert is_explained([*operations[:2], complete(2.5, 5)], KEY, Fate.TERMINATED)


def test_an_instance_is_not_found_when_it_may_have_ended() -> None:
    gone = refused(Kind.CANCEL, 3.5, 3.8, "NotFound: no such process")
    early = [create(0, 1), publish(2, 3), complete(4, 5)]

    assert not is_explained([*early, gone], KEY, Fate.COMPLETED)
    assert is_explained([create(0, 1), publish(2, 3), complete(3, 5), gone], KEY, Fate.COMPLETED)


def test_who_was_told_that_it_is_gone_is_not_told_later_that_it_is_cancelled() -> None:
    gone = refused(Kind.CANCEL, 6, 7, "NotFound: no such process")
    operations = [create(0, 1), publish(2, 3), complete(4, 5), gone, cancel(8, 9)]

    assert not is_explained(operations, KEY, Fate.TERMINATED)


def test_a_job_is_not_found_when_it_is_done_or_cancelled() -> None:
    gone = refused(Kind.COMPLETE, 4, 5, "NotFound: no such job")

    assert not is_explained([create(0, 1), gone], KEY, Fate.RUNNING)
    assert is_explained([create(0, 1), complete(2, 3), gone], KEY, Fate.RUNNING)
    assert is_explained([create(0, 1), cancel(2, 3), gone], KEY, Fate.TERMINATED)
    late = refused(Kind.COMPLETE, 4, 5, "InvalidState: of an old lease")
    assert is_explained([create(0, 1), late], KEY, Fate.RUNNING)


def test_a_message_is_known_when_it_was_published() -> None:
    known = refused(Kind.PUBLISH, 2, 3, "AlreadyExists: m")

    assert not is_explained([create(0, 1), known, publish(4, 5)], KEY, Fate.RUNNING)
    assert is_explained([create(0, 1), known, publish(2, 5)], KEY, Fate.RUNNING)


def test_what_nobody_knows_may_have_happened_at_any_time_or_never() -> None:
    known = refused(Kind.PUBLISH, 8, 9, "AlreadyExists: m")
    operations = [unknown(Kind.CREATE, 0), unknown(Kind.PUBLISH, 1), complete(4, 5), known]

    assert is_explained(operations, KEY, Fate.COMPLETED)
    assert is_explained([create(0, 1), unknown(Kind.CANCEL, 1)], KEY, Fate.RUNNING)
    assert is_explained([create(0, 1), unknown(Kind.CANCEL, 1)], KEY, Fate.TERMINATED)
    assert not is_explained([create(0, 1), unknown(Kind.CANCEL, 1)], KEY, Fate.COMPLETED)
