"""An engine for tests: processes run in the test's own process, on a clock that the test moves.

    from grevy.testing import InProcessEngine

    engine = InProcessEngine()
    engine.deploy("order.bpmn")
    instance = engine.create("order", {"amount": 3})
    engine.complete("charge-card", {"paid": True})
    assert engine.records.has_completed(instance)

With pytest the fixture `grevy_engine` gives a fresh one to each test (see `plugin`). It is the
engine, stream processor, codec and state that a broker runs; only sockets, log and clock are left
out. What is imported from here is loaded when it is first used, so that the plug-in costs a test
run that does not need it nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from grevy.testing.clock import VirtualClock
    from grevy.testing.decisions import DecisionOutcome
    from grevy.testing.engine import AwaitedInstance, InProcessEngine
    from grevy.testing.errors import NoJob, NoResult, Rejected
    from grevy.testing.records import Incident, LoggedRecord, RecordLog

__all__ = [
    "AwaitedInstance",
    "DecisionOutcome",
    "InProcessEngine",
    "Incident",
    "LoggedRecord",
    "NoJob",
    "NoResult",
    "RecordLog",
    "Rejected",
    "VirtualClock",
]

_HOMES: Final = {
    "AwaitedInstance": "engine",
    "DecisionOutcome": "decisions",
    "Incident": "records",
    "InProcessEngine": "engine",
    "LoggedRecord": "records",
    "NoJob": "errors",
    "NoResult": "errors",
    "RecordLog": "records",
    "Rejected": "errors",
    "VirtualClock": "clock",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    return value
