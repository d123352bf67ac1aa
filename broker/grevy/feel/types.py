"""`instance of`: the types of FEEL, and whether a value is of one. Unknown type names hold for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from grevy.feel import ast
from grevy.feel.scope import Code, Run, Scope
from grevy.feel.values import FeelRange, Value, feel_type

Build: TypeAlias = Callable[[ast.Node], Code]

_ALIASES: Final = {
    "date time": "date and time",
    "dateTime": "date and time",
    "year-month-duration": "years and months duration",
    "day-time-duration": "days and time duration",
}


def build_instance_of(node: ast.InstanceOf, build: Build) -> Code:
    """`value instance of type`."""
    value, declared = build(node.value), node.type

    def test(scope: Scope) -> Value:
        return _is_instance(scope.run, value(scope), declared)

    return test


def _is_instance(run: Run, value: Value, declared: ast.FeelType) -> bool:
    if declared.name == "Any":
        return value is not None
    if feel_type(value) != _ALIASES.get(declared.name, declared.name):
        return False
    members = declared.members
    if not members:
        return True
    if isinstance(value, list):
        run.charge(len(value))
        return all(_is_member(run, item, members[0][1]) for item in value)
    if isinstance(value, dict):
        return all(key in value and _is_member(run, value[key], member) for key, member in members)
    if isinstance(value, FeelRange):
        bounds = (value.start, value.end)
        return all(_is_member(run, bound, members[0][1]) for bound in bounds)
    return True


def _is_member(run: Run, value: Value, declared: ast.FeelType) -> bool:
    """Inside of lists and contexts null is of every type."""
    return value is None or _is_instance(run, value, declared)
