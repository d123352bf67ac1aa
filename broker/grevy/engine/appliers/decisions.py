"""Appliers of decisions and requirement graphs. What an evaluation gave changes nothing."""

from __future__ import annotations

from grevy.engine.stores import Stores
from grevy.protocol.values import DecisionRequirementsValue, DecisionValue


def apply_decision_created(stores: Stores, _key: int, value: DecisionValue) -> None:
    """A decision is there."""
    stores.decisions.put(value)


def apply_decision_deleted(stores: Stores, _key: int, value: DecisionValue) -> None:
    """A decision is gone."""
    stores.decisions.remove(value)


def apply_decision_requirements_created(
    stores: Stores, _key: int, value: DecisionRequirementsValue
) -> None:
    """A requirement graph is there."""
    stores.decisions.put_graph(value)


def apply_decision_requirements_deleted(
    stores: Stores, _key: int, value: DecisionRequirementsValue
) -> None:
    """A requirement graph is gone."""
    stores.decisions.remove_graph(value)
