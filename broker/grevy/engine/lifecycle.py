"""The life of an element instance, as a table.

A step that the table does not have is a bug of the engine, never of a user: it stops the partition
before it changes anything.
"""

from __future__ import annotations

from typing import Final

from grevy.engine.tables import Lifecycle

TRANSITIONS: Final[dict[Lifecycle, frozenset[Lifecycle]]] = {
    Lifecycle.ACTIVATING: frozenset({Lifecycle.ACTIVATED, Lifecycle.TERMINATING}),
    Lifecycle.ACTIVATED: frozenset({Lifecycle.COMPLETING, Lifecycle.TERMINATING}),
    Lifecycle.COMPLETING: frozenset({Lifecycle.COMPLETED, Lifecycle.TERMINATING}),
    Lifecycle.TERMINATING: frozenset({Lifecycle.TERMINATED}),
    Lifecycle.COMPLETED: frozenset(),
    Lifecycle.TERMINATED: frozenset(),
}
"""From each state, the states that may follow."""


def check_transition(current: Lifecycle, to: Lifecycle) -> None:
    """Asserts that an element instance may go from one state to another."""
    assert to in TRANSITIONS[current], f"an element instance never goes from {current!r} to {to!r}"
