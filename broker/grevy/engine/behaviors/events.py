"""Events: subscribing to what an element waits for, and what happens when it comes."""

from __future__ import annotations

from typing import NamedTuple

from grevy.bpmn.model import Element
from grevy.engine.behaviors.base import Here
from grevy.engine.behaviors.documents import split
from grevy.engine.behaviors.expressions import evaluate_text, evaluate_text_or_number
from grevy.engine.behaviors.remote_messages import close_command, open_command
from grevy.engine.behaviors.timers import Due, evaluate_timer
from grevy.engine.behaviors.transitions import value_of
from grevy.engine.behaviors.variables import set_local
from grevy.engine.step import Step
from grevy.engine.tables import (
    ElementInstance,
    EventTrigger,
    Lifecycle,
    SubscriptionState,
)
from grevy.protocol.intents import (
    BpmnElementType,
    ProcessEventIntent,
    ProcessInstanceIntent,
    ProcessMessageSubscriptionIntent,
    TimerIntent,
)
from grevy.protocol.keys import partition_of_correlation_key
from grevy.protocol.values import (
    Document,
    ProcessEventValue,
    ProcessInstanceValue,
    ProcessMessageSubscriptionValue,
    TimerValue,
)


class _Awaited(NamedTuple):
    """A message that an element waits for, its expressions evaluated."""

    event: Element
    name: str
    correlation_key: str


def awaited_events(element: Element) -> tuple[Element, ...]:
    """The events that an instance of this element waits for: its own, those behind a gateway, those
    on its boundary; of several the last one of the document first, as in Zeebe.
    """
    own = (element,) if element.message is not None or element.timer is not None else ()
    return own + element.event_targets[::-1] + element.boundary_events[::-1]


def subscribe(step: Step, here: Here) -> None:
    """Opens what the element waits for. All is evaluated first: an expression that fails opens
    nothing.
    """
    events = awaited_events(here.element)
    if not events:
        return
    messages, timers = [], []
    for event in events:
        if event.message is not None:
            messages.append(_evaluate_message(step, here, event))
        elif event.timer is not None:
            timers.append((event, evaluate_timer(step, event.timer, here.key)))
    for awaited in messages:
        _open_message(step, here, awaited)
    for event, due in timers:
        create_timer(step, event, due, here.value, here.key)


def _evaluate_message(step: Step, here: Here, event: Element) -> _Awaited:
    message = event.message
    assert message is not None, f"{event.id} waits for no message"
    assert message.correlation_key is not None, f"{event.id} has no correlation key"
    is_boundary = event.element_type is BpmnElementType.BOUNDARY_EVENT
    scope = here.scope_key if is_boundary else here.key
    name = evaluate_text(step, message.name, here.key)
    return _Awaited(event, name, evaluate_text_or_number(step, message.correlation_key, scope))


def _open_message(step: Step, here: Here, awaited: _Awaited) -> None:
    value = here.value
    partition = partition_of_correlation_key(awaited.correlation_key, step.partition_count)
    subscription = ProcessMessageSubscriptionValue(
        subscription_partition_id=partition,
        process_instance_key=value.process_instance_key,
        element_instance_key=here.key,
        process_definition_key=value.process_definition_key,
        bpmn_process_id=value.bpmn_process_id,
        message_name=awaited.name,
        correlation_key=awaited.correlation_key,
        element_id=awaited.event.id,
        interrupting=awaited.event.interrupting,
    )
    intent = ProcessMessageSubscriptionIntent.CREATING
    step.event(intent, step.next_key(), subscription)
    step.send(partition, open_command(subscription))


def create_timer(
    step: Step, event: Element, due: Due, owner: ProcessInstanceValue, element_instance_key: int
) -> None:
    """A timer of an element instance."""
    value = TimerValue(
        element_instance_key=element_instance_key,
        process_instance_key=owner.process_instance_key,
        due_date=due.at,
        target_element_id=event.id,
        repetitions=due.repetitions,
        process_definition_key=owner.process_definition_key,
    )
    step.event(TimerIntent.CREATED, step.next_key(), value)


def unsubscribe(step: Step, here: Here) -> None:
    """Closes what is still open: the element waits no longer."""
    if not awaited_events(here.element):
        return
    for timer in step.views.timers.of(here.key):
        step.event(TimerIntent.CANCELED, timer.key, timer.value)
    for subscription in step.views.subscriptions.of_element(here.key):
        if subscription.state is not SubscriptionState.CLOSING:
            _close_message(step, subscription.key, subscription.value)


def _close_message(step: Step, key: int, value: ProcessMessageSubscriptionValue) -> None:
    step.event(ProcessMessageSubscriptionIntent.DELETING, key, value)
    step.send(value.subscription_partition_id, close_command(value))


def instance_accepts(step: Step, instance: ElementInstance) -> bool:
    """Whether an element instance is in a state that events may change: at work, in a scope that no
    terminate end event has ended, and no other event has ended its wait. What it has waited for
    itself does not count, as in Zeebe.
    """
    if instance.state is not Lifecycle.ACTIVATED:
        return False
    scope = step.views.elements.get(instance.value.flow_scope_key)
    if scope is not None and scope.is_interrupted:
        return False
    if instance.triggers == 0:
        return True
    triggers = step.views.events.triggers(instance.key)
    return all(trigger.element_id == instance.value.element_id for trigger in triggers)


def trigger(step: Step, host: ElementInstance, event: Element, variables: Document) -> None:
    """Something has happened that an instance waits for: it completes, ends for its boundary event,
    or gains a path.
    """
    key = _happen(step, host.key, host.value, event.id, variables)
    if event.element_type is not BpmnElementType.BOUNDARY_EVENT:
        step.follow_up(ProcessInstanceIntent.COMPLETE_ELEMENT, host.key, host.value)
    elif event.interrupting:
        step.follow_up(ProcessInstanceIntent.TERMINATE_ELEMENT, host.key, host.value)
    else:
        taken = EventTrigger(key, event.id, variables)
        activate_triggered(step, host.value, host.key, event, taken)


def give_result(step: Step, here: Here, variables: Document) -> None:
    """The element's own work has given variables; they are its event, as those of a job would
    be.
    """
    _happen(step, here.key, here.value, here.element.id, variables)


def _happen(
    step: Step, scope_key: int, owner: ProcessInstanceValue, target_id: str, variables: Document
) -> int:
    """Records an event for an element to take up; its key."""
    value = ProcessEventValue(
        scope_key=scope_key,
        target_element_id=target_id,
        variables=variables,
        process_definition_key=owner.process_definition_key,
        process_instance_key=owner.process_instance_key,
    )
    key = step.next_key()
    step.event(ProcessEventIntent.TRIGGERING, key, value)
    return key


def activate_triggered(
    step: Step, owner: ProcessInstanceValue, scope_key: int, event: Element, trigger_: EventTrigger
) -> None:
    """Activates the event that was triggered in a scope, with what it brought as local
    variables.
    """
    triggered = ProcessEventValue(
        scope_key=scope_key,
        target_element_id=event.id,
        process_definition_key=owner.process_definition_key,
        process_instance_key=owner.process_instance_key,
    )
    step.event(ProcessEventIntent.TRIGGERED, trigger_.key, triggered)
    is_start = event.element_type is BpmnElementType.START_EVENT
    value = value_of(owner, event, owner.process_instance_key if is_start else owner.flow_scope_key)
    key = step.next_key()
    step.event(ProcessInstanceIntent.ELEMENT_ACTIVATING, key, value)
    step.event(ProcessInstanceIntent.ELEMENT_ACTIVATED, key, value)
    set_local(step, key, value, split(trigger_.variables))
    step.follow_up(ProcessInstanceIntent.COMPLETE_ELEMENT, key, value)
