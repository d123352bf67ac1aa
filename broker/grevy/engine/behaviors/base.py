"""What a behaviour is: how one type of element is activated, completed and terminated."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from grevy.bpmn.model import Element
from grevy.engine.step import Step
from grevy.protocol.intents import ErrorType
from grevy.protocol.values import ProcessInstanceValue


class Here(Struct, frozen=True, gc=False):
    """The element instance that a step is at."""

    key: int
    value: ProcessInstanceValue
    element: Element

    @property
    def scope_key(self) -> int:
        """The flow scope around it; -1 around a process."""
        return self.value.flow_scope_key


class Stuck(Exception):
    """The element cannot go on until somebody mends something: it becomes an incident, and what was
    done before stays.
    """

    def __init__(
        self, error_type: ErrorType, message: str, *, scope_key: int = -1, job_key: int = -1
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.scope_key = scope_key
        self.job_key = job_key


class Behavior(Protocol):
    """One type of element. Each call comes after the event that announces it, and may come again
    after an incident.
    """

    def activate(self, step: Step, here: Here) -> None:
        """The instance is ACTIVATING."""

    def complete(self, step: Step, here: Here) -> None:
        """The instance is COMPLETING."""

    def terminate(self, step: Step, here: Here) -> None:
        """The instance is TERMINATING."""
