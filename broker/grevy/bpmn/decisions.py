"""Called decisions: which decision a business rule task evaluates, in which version."""

from __future__ import annotations

from typing import Final

from grevy.bpmn.extensions import extension, extensions
from grevy.bpmn.model import Binding, CalledDecision
from grevy.bpmn.reading import Reading, typed
from grevy.xml import Node, quote

CALLED_DECISION: Final = "zeebe:calledDecision"

_BINDINGS: Final = {binding.value: binding for binding in Binding}


def check_called_decisions(node: Node, reading: Reading) -> None:
    """Refuses called decisions that are wrong by themselves, whether the element has a use for them
    or not.
    """
    for called in extensions(node, CALLED_DECISION):
        _read(node, called, reading)


def read_called_decision(node: Node, reading: Reading) -> CalledDecision | None:
    """The decision that a task calls, if it calls one."""
    called = extension(node, CALLED_DECISION, reading)
    return None if called is None else _read(node, called, reading)


def _read(node: Node, called: Node, reading: Reading) -> CalledDecision | None:
    what = "The decision id of the called decision"
    decision_id = typed(reading.name(node, called.get("decisionId"), what))
    result_variable = called.get("resultVariable")
    if not result_variable:
        reading.faults.add(node, "The called decision must name a result variable")
    raw, tag = called.get("bindingType") or Binding.LATEST.value, called.get("versionTag")
    binding = _BINDINGS.get(raw)
    if binding is None:
        known = ", ".join(_BINDINGS)
        reading.faults.add(node, f"The binding type must be one of {known}, but is '{quote(raw)}'")
        return None
    if binding is Binding.VERSION_TAG and not tag:
        reading.faults.add(node, f"The binding type '{raw}' needs a version tag")
    elif binding is not Binding.VERSION_TAG and tag:
        reading.faults.add(node, f"A version tag has no meaning with the binding type '{raw}'")
    return CalledDecision(decision_id, result_variable, binding, tag)
