"""The pytest plug-in: a fresh engine for each test that asks for one.

    def test_order_is_paid(grevy_engine):
        grevy_engine.deploy("order.bpmn")
        instance = grevy_engine.create("order", {"amount": 3})

        grevy_engine.complete("charge-card", {"paid": True})

        assert grevy_engine.records.has_completed(instance)
        assert grevy_engine.records.taken_flows(instance) == ["to-charge", "to-end"]

It needs no entry in a conftest: pytest finds it by its entry point. The engine is imported when a
test first asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from grevy.testing.engine import InProcessEngine


@pytest.fixture
def grevy_engine() -> InProcessEngine:
    """An engine without definitions and instances, on a clock of its own."""
    from grevy.testing.engine import InProcessEngine  # not at the top: see above

    return InProcessEngine()
