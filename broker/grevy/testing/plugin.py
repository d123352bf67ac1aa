"""The pytest plug-in: a fresh engine for each test that asks for one.

    def test_order_is_paid(grevy_engine):
        grevy_engine.deploy("order.bpmn")
        instance = grevy_engine.create("order", {"amount": 3})

        grevy_engine.complete("charge-card", {"paid": True})

        assert grevy_engine.records.has_completed(instance)
        assert grevy_engine.records.taken_flows(instance) == ["to-charge", "to-end"]

It needs no entry in a conftest: pytest finds it by its entry point. The engine is imported when a
test first asks for it. The report of a test that fails shows what the engine recorded.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from grevy.testing.engine import InProcessEngine

RECORDS_SHOWN_MAX: Final = 300
"""The newest records in the report of a failed test."""


@pytest.fixture
def grevy_engine() -> InProcessEngine:
    """An engine without definitions and instances, on a clock of its own."""
    from grevy.testing.engine import InProcessEngine  # not at the top: see above

    return InProcessEngine()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its engine recorded."""
    report = yield
    engine: InProcessEngine | None = getattr(item, "funcargs", {}).get("grevy_engine")
    if report.failed and engine is not None:
        lines = engine.records.text().splitlines()
        left_out = max(len(lines) - RECORDS_SHOWN_MAX, 0)
        title = f"grevy records, {left_out} older ones left out" if left_out else "grevy records"
        report.sections.append((title, "\n".join(lines[left_out:])))
    return report
