"""The processor of timers that are due."""

from __future__ import annotations

from msgspec.structs import replace

from grevy.bpmn.model import Element, TimerKind
from grevy.engine.behaviors.base import Stuck
from grevy.engine.behaviors.events import create_timer, instance_accepts, trigger
from grevy.engine.behaviors.process_starts import root_value, start_instance
from grevy.engine.behaviors.timers import evaluate_repetition
from grevy.engine.step import Command, Step
from grevy.protocol.intents import RejectionType, TimerIntent
from grevy.protocol.values import EMPTY_DOCUMENT, ProcessInstanceValue, TimerValue


def trigger_timer(step: Step, command: Command) -> None:
    """A timer fires: its element goes on, or a process starts. A cycle is set again."""
    value = command.value
    assert isinstance(value, TimerValue), value
    owner = step.views.timers.owner_of(value.element_instance_key, value.process_definition_key)
    timer = step.views.timers.get(owner, command.key)
    if timer is None:
        reason = (
            f"Expected to trigger the timer with key {command.key}, but no such timer was found"
        )
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    if timer.value.element_instance_key > 0:
        _trigger_element(step, command, timer.value)
    else:
        _trigger_start(step, command, timer.value)


def _trigger_start(step: Step, command: Command, value: TimerValue) -> None:
    definition = value.process_definition_key
    instance = step.next_key()
    fired = replace(value, process_instance_key=instance)
    step.event(TimerIntent.TRIGGERED, command.key, fired)
    start_instance(
        step,
        process_definition_key=definition,
        process_instance_key=instance,
        start_event_id=value.target_element_id,
        variables=EMPTY_DOCUMENT,
    )
    process = step.views.processes.get(definition)
    assert process is not None, definition
    event = step.models.get(definition).elements[value.target_element_id]
    _set_again(step, event, value, root_value(process, -1))


def _trigger_element(step: Step, command: Command, value: TimerValue) -> None:
    instance = step.views.elements.get(value.element_instance_key)
    if instance is None or not instance_accepts(step, instance):
        reason = (
            f"Expected to trigger the timer with key {command.key}, but its element is not active"
        )
        step.reject(command, RejectionType.INVALID_STATE, reason)
        return
    step.event(TimerIntent.TRIGGERED, command.key, value)
    process = step.models.get(value.process_definition_key)
    event = process.elements[value.target_element_id]
    trigger(step, instance, event, EMPTY_DOCUMENT)
    _set_again(step, event, value, instance.value)


def _set_again(step: Step, event: Element, value: TimerValue, owner: ProcessInstanceValue) -> None:
    if event.timer is None or event.timer.kind is not TimerKind.CYCLE:
        return
    if value.repetitions in (0, 1):
        return
    left = value.repetitions - 1 if value.repetitions > 0 else -1
    try:
        due = evaluate_repetition(
            step, event.timer, value.element_instance_key, value.due_date, left
        )
    except Stuck:
        return  # its expression gives no cycle any more: the timer ends with this time
    if due is not None:
        create_timer(step, event, due, owner, value.element_instance_key)
