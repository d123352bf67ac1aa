"""The start events of processes that wait: those of each process's newest version."""

from __future__ import annotations

from typing import NamedTuple

from grevy.bpmn.model import Element, Process
from grevy.engine.behaviors.base import Stuck
from grevy.engine.behaviors.distribution import DEPLOYMENT_PARTITION
from grevy.engine.behaviors.events import create_timer
from grevy.engine.behaviors.expressions import evaluate_text
from grevy.engine.behaviors.process_starts import root_value
from grevy.engine.behaviors.timers import Due, evaluate_timer
from grevy.engine.step import Step
from grevy.protocol.intents import MessageStartEventSubscriptionIntent, TimerIntent
from grevy.protocol.values import MessageStartEventSubscriptionValue, ProcessValue


class Starts(NamedTuple):
    """When the start timers of a process first fire, the messages that its start events wait for,
    and what is wrong with the others.
    """

    timers: list[tuple[Element, Due]]
    messages: list[tuple[Element, str]]
    faults: list[tuple[Element, str]]


def evaluate_starts(step: Step, model: Process) -> Starts:
    """What the start events of a process wait for, as of now; only one partition has timers."""
    has_timers = step.partition_id == DEPLOYMENT_PARTITION
    starts = Starts([], [], [])
    for start in reversed(model.root.start_events):  # the order in which Zeebe opens them
        try:
            if start.timer is not None and has_timers:
                starts.timers.append((start, evaluate_timer(step, start.timer, -1)))
            elif start.message is not None:
                starts.messages.append((start, evaluate_text(step, start.message.name, -1)))
        except Stuck as stuck:
            starts.faults.append((start, stuck.message))
    return starts


def open_starts(step: Step, process: ProcessValue, starts: Starts) -> None:
    """The start events of a process begin to wait."""
    key = process.process_definition_key
    for start, name in starts.messages:
        subscription = MessageStartEventSubscriptionValue(
            process_definition_key=key,
            bpmn_process_id=process.bpmn_process_id,
            start_event_id=start.id,
            message_name=name,
        )
        intent = MessageStartEventSubscriptionIntent.CREATED
        step.event(intent, step.next_key(), subscription)
    for start, due in starts.timers:
        create_timer(step, start, due, root_value(process, -1), -1)


def close_starts(step: Step, process_definition_key: int) -> None:
    """The start events of a process wait no longer."""
    for subscription in step.views.subscriptions.start_events_of(process_definition_key):
        intent = MessageStartEventSubscriptionIntent.DELETED
        step.event(intent, subscription.key, subscription.value)
    for timer in step.views.timers.of(-process_definition_key):
        step.event(TimerIntent.CANCELED, timer.key, timer.value)
