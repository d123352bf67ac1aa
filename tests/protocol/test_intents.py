"""The vocabulary's numbers are Zeebe's, and each names one thing."""

from __future__ import annotations

from enum import IntEnum

import pytest

from grevy.protocol import intents
from grevy.protocol.intents import (
    INTENTS,
    Intent,
    JobIntent,
    ProcessInstanceIntent,
    RejectionType,
    TimerIntent,
    ValueType,
)
from grevy.protocol.values import VALUES


def test_an_intent_number_names_one_intent() -> None:
    members = [intent for kind in Intent.__subclasses__() for intent in kind.__members__.values()]
    assert len({int(intent) for intent in members}) == len(members) == len(INTENTS)


def test_enumerations_have_no_aliases() -> None:
    kinds = [k for k in vars(intents).values() if isinstance(k, type) and issubclass(k, IntEnum)]
    for kind in kinds:
        assert len(kind.__members__) == len(list(kind)), kind


def test_every_value_type_has_intents_and_one_struct() -> None:
    assert {intent.value_type for intent in INTENTS.values()} == set(ValueType) == set(VALUES)


def test_the_intents_of_a_kind_have_one_value_type_named_alike() -> None:
    for kind in Intent.__subclasses__():
        (value_type,) = {intent.value_type for intent in kind}
        assert kind.__name__ == value_type.name.title().replace("_", "") + "Intent"


@pytest.mark.parametrize(
    ("intent", "value_type", "number"),
    [
        (JobIntent.CREATED, 0, 0),
        (JobIntent.TIMEOUT_UPDATED, 0, 18),
        (ProcessInstanceIntent.ELEMENT_COMPLETED, 5, 5),
        (ProcessInstanceIntent.TERMINATE_ELEMENT, 5, 10),
        (TimerIntent.CANCELED, 15, 4),
    ],
)
def test_known_numbers(intent: Intent, value_type: int, number: int) -> None:
    assert (intent.value_type, intent.number) == (value_type, number)


def test_rejection_types_count_from_zero() -> None:
    assert [kind.value for kind in RejectionType] == list(range(len(RejectionType)))
