"""The workflow engine: processes as state machines over a partition's state.

A command goes to its processor, which decides and writes events; each event goes to its applier,
which changes the state. Behaviours hold what one type of element does. There is no I/O here, no
clock, and nothing random.
"""

from __future__ import annotations

from grevy.engine.engine import Engine, Outcome
from grevy.engine.processors import CLIENT_COMMANDS, PARTITION_COMMANDS
from grevy.engine.step import Command, JobTaker, JobTopics, PushedJobs, SentCommand

__all__ = [
    "CLIENT_COMMANDS",
    "PARTITION_COMMANDS",
    "Command",
    "Engine",
    "JobTaker",
    "JobTopics",
    "Outcome",
    "PushedJobs",
    "SentCommand",
]
