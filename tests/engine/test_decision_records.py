"""The exported records of decisions, field by field, as Zeebe's engine exported them for the same
steps: evaluations that succeed and that fail, business rule tasks, and their incidents.

`data/decision_records.json.xz` has the files, the steps, and the records as value type, intent and
value. Of a value, texts for people and what belongs to other elements are left out, keys are told
by their order.
"""

from __future__ import annotations

import json
import lzma
from contextlib import suppress
from pathlib import Path
from typing import Final, TypedDict

import pytest

from grevy.protocol.intents import RecordType
from grevy.testing import InProcessEngine, Rejected

FILE: Final = Path(__file__).parent / "data" / "decision_records.json.xz"
KINDS: Final = ("DECISION", "DECISION_EVALUATION", "DECISION_REQUIREMENTS", "INCIDENT")
LEFT_OUT: Final = frozenset(
    (
        "elementInstancePath", "processDefinitionPath", "callingElementPath", "errorMessage",
        "checksum", "resource", "rootProcessInstanceKey",
    )
)  # fmt: skip

Row = tuple[str, str, object]


class Recording(TypedDict):
    """A line of steps, and what they led to."""

    name: str
    resources: dict[str, str]
    steps: list[list[object]]
    records: list[list[object]]


def recordings() -> list[Recording]:
    found: list[Recording] = json.loads(lzma.decompress(FILE.read_bytes()))
    return found


def played(recording: Recording) -> InProcessEngine:
    """An engine after the steps."""
    engine = InProcessEngine()
    for do, *rest in recording["steps"]:
        what, variables = (*rest, None, None)[:2]
        assert variables is None or isinstance(variables, dict)
        match do:
            case "deploy":
                assert isinstance(what, list)
                engine.deploy_files({name: recording["resources"][name] for name in what})
            case "evaluate":
                with suppress(Rejected):
                    engine.evaluate_decision(str(what), variables)
            case "create":
                engine.create(str(what), variables)
            case "set":
                engine.set_variables(engine.incidents()[0].process_instance_key, variables or {})
            case "resolve":
                engine.resolve_incident(engine.incidents()[0])
            case _:
                raise AssertionError(do)
    return engine


def exported(engine: InProcessEngine) -> list[Row]:
    """The records of decisions and of incidents."""
    found = []
    for record in engine.records:
        if record.record_type is RecordType.EVENT:
            row = record.exported()
            if row["valueType"] in KINDS:
                found.append((str(row["valueType"]), str(row["intent"]), row["value"]))
    return found


def told(rows: list[Row]) -> list[Row]:
    """The rows with numbers for keys, and without what is left out."""
    labels: dict[object, str] = {}

    def of(value: object, name: str) -> object:
        if isinstance(value, dict):
            return {key: of(value[key], key) for key in sorted(value) if key not in LEFT_OUT}
        if isinstance(value, list):
            return [of(item, name) for item in value]
        if name.endswith("Key") and isinstance(value, int) and value > 0:
            return labels.setdefault(value, f"#{len(labels)}")
        return value

    return [(kind, intent, of(value, "")) for kind, intent, value in rows]


@pytest.mark.parametrize("recording", recordings(), ids=lambda one: one["name"])
def test_exported_records(recording: Recording) -> None:
    expected = told(
        [(str(kind), str(intent), value) for kind, intent, value in recording["records"]]
    )
    assert told(exported(played(recording))) == expected
