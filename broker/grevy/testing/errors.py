"""Errors of the test engine.

GrevyError
├── Rejected    the engine has refused a command
├── NoJob       a job was asked for by its type, and none of it is activatable
└── NoResult    the result of an instance was asked for that has not completed
"""

from __future__ import annotations

from grevy.protocol.errors import GrevyError
from grevy.protocol.intents import Intent, RejectionType


class Rejected(GrevyError):
    """The engine has refused a command; nothing but the rejection is recorded."""

    def __init__(self, intent: Intent, rejection_type: RejectionType, reason: str) -> None:
        super().__init__(f"{intent.name}: {rejection_type.name}: {reason}")
        self.intent = intent
        self.rejection_type = rejection_type
        self.reason = reason


class NoJob(GrevyError):
    """No job of a type is activatable."""

    def __init__(self, job_type: str) -> None:
        super().__init__(f"no job of type '{job_type}' is activatable")
        self.job_type = job_type


class NoResult(GrevyError):
    """The instance has not completed, so it has no result yet."""

    def __init__(self, process_instance_key: int) -> None:
        super().__init__(f"process instance {process_instance_key} has not completed")
        self.process_instance_key = process_instance_key
