"""What the two sides of a message subscription ask of each other.

Each command is made of the stored subscription alone, so that it can be sent again as it was.
"""

from __future__ import annotations

from grevy.engine.step import Command
from grevy.protocol.intents import MessageSubscriptionIntent, ProcessMessageSubscriptionIntent
from grevy.protocol.values import MessageSubscriptionValue, ProcessMessageSubscriptionValue


def open_command(value: ProcessMessageSubscriptionValue) -> Command:
    """An element begins to wait: for the message's partition."""
    create = MessageSubscriptionValue(
        process_instance_key=value.process_instance_key,
        element_instance_key=value.element_instance_key,
        process_definition_key=value.process_definition_key,
        bpmn_process_id=value.bpmn_process_id,
        message_name=value.message_name,
        correlation_key=value.correlation_key,
        interrupting=value.interrupting,
    )
    return Command(MessageSubscriptionIntent.CREATE, -1, create)


def close_command(value: ProcessMessageSubscriptionValue) -> Command:
    """An element waits no longer: for the message's partition. It says which message was the last
    that the element took.
    """
    delete = MessageSubscriptionValue(
        process_instance_key=value.process_instance_key,
        element_instance_key=value.element_instance_key,
        bpmn_process_id=value.bpmn_process_id,
        message_name=value.message_name,
        correlation_key=value.correlation_key,
        correlation=value.correlation,
    )
    return Command(MessageSubscriptionIntent.DELETE, -1, delete)


def answer_command(
    value: ProcessMessageSubscriptionValue, intent: MessageSubscriptionIntent
) -> Command:
    """A message was taken (CORRELATE) or not (REJECT): for the message's partition."""
    is_taken = intent is MessageSubscriptionIntent.CORRELATE
    answer = MessageSubscriptionValue(
        process_instance_key=value.process_instance_key,
        element_instance_key=value.element_instance_key,
        process_definition_key=value.process_definition_key,
        bpmn_process_id=value.bpmn_process_id,
        message_name=value.message_name,
        correlation_key=value.correlation_key,
        message_key=value.message_key,
        interrupting=is_taken and value.interrupting,
        correlation=value.correlation,
    )
    return Command(intent, -1, answer)


def process_side_command(
    value: MessageSubscriptionValue, intent: ProcessMessageSubscriptionIntent, partition_id: int
) -> Command:
    """The subscription is open (CREATE), has a message (CORRELATE) or is closed (DELETE): for the
    instance's partition, from the message's.
    """
    side = ProcessMessageSubscriptionValue(
        subscription_partition_id=partition_id,
        process_instance_key=value.process_instance_key,
        element_instance_key=value.element_instance_key,
        process_definition_key=value.process_definition_key,
        bpmn_process_id=value.bpmn_process_id,
        message_key=value.message_key,
        message_name=value.message_name,
        correlation_key=value.correlation_key,
        variables=value.variables,
        interrupting=value.interrupting,
        correlation=value.correlation,
    )
    return Command(intent, -1, side)
