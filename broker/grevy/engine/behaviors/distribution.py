"""The distribution of commands from partition 1, where definitions come from, to the others.

Each partition follows the commands of the queue one at a time, in their order, and acknowledges
each; what is not acknowledged is sent again.
"""

from __future__ import annotations

from typing import Final

from grevy.engine.partition_tables import QueuedDistribution
from grevy.engine.step import Command, Step
from grevy.protocol.intents import (
    INTENTS,
    CommandDistributionIntent,
    DeploymentIntent,
    RejectionType,
)
from grevy.protocol.keys import partition_of
from grevy.protocol.values import CommandDistributionValue

DEPLOYMENT_PARTITION: Final = 1
"""Where definitions get their keys and versions, and where start timers are."""

_QUEUE: Final = "DEPLOYMENT"
"""The one queue: a deletion overtakes no deployment."""


def distribute(step: Step, key: int, value: CommandDistributionValue) -> None:
    """Sends a command, which this partition has followed, to all others."""
    others = range(DEPLOYMENT_PARTITION + 1, step.partition_count + 1)
    if not others:
        return
    assert step.partition_id == DEPLOYMENT_PARTITION, step.partition_id
    intent = value.intent
    step.event(CommandDistributionIntent.STARTED, key, value)
    for partition_id in others:
        queued = CommandDistributionValue(intent, partition_id, _QUEUE)
        step.event(CommandDistributionIntent.ENQUEUED, key, queued)
    for partition_id in others:
        _send_first(step, partition_id)


def started(intent: DeploymentIntent | int) -> CommandDistributionValue:
    """The beginning of a distribution, to be given the command's value."""
    return CommandDistributionValue(int(intent), DEPLOYMENT_PARTITION, _QUEUE)


def distributed_command(value: CommandDistributionValue, key: int) -> Command:
    """The command that a distribution started with, as the others get it."""
    intent = INTENTS[value.intent]
    is_deployment = intent is DeploymentIntent.CREATE
    return Command(intent, key, value.deployment if is_deployment else value.resource_deletion)


def _send_first(step: Step, partition_id: int) -> None:
    """Sends a partition what is first in its queue, unless it has been sent that already."""
    queued = step.views.distributions.next_for(partition_id)
    if queued is None or queued.sent_at >= 0:
        return
    step.event(CommandDistributionIntent.DISTRIBUTING, queued.key, queued.value)
    distribution = step.views.distributions.get(queued.key)
    assert distribution is not None, f"distribution {queued.key} is queued and not there"
    step.send(partition_id, distributed_command(distribution.value, queued.key))


def acknowledge_distribution(step: Step, command: Command) -> None:
    """A partition has followed a command; it gets the next one."""
    value = command.value
    assert isinstance(value, CommandDistributionValue), value
    views, key, partition_id = step.views.distributions, command.key, value.partition_id
    queued: QueuedDistribution | None = views.queued(partition_id, key)
    if queued is None or queued.sent_at < 0:
        reason = (
            f"Expected to acknowledge the distribution {key} for partition {partition_id}, "
            "but it has nothing to acknowledge"
        )
        step.reject(command, RejectionType.NOT_FOUND, reason)
        return
    step.event(CommandDistributionIntent.ACKNOWLEDGED, key, queued.value)
    others = range(DEPLOYMENT_PARTITION + 1, step.partition_count + 1)
    if all(views.queued(other, key) is None for other in others):
        step.event(CommandDistributionIntent.FINISHED, key, queued.value)
    _send_first(step, partition_id)


def acknowledge(step: Step, command: Command) -> None:
    """Tells partition 1 that a distributed command was followed."""
    value = CommandDistributionValue(int(command.intent), step.partition_id)
    answer = Command(CommandDistributionIntent.ACKNOWLEDGE, command.key, value)
    step.send(partition_of(command.key), answer)


def is_new(step: Step, command: Command) -> bool:
    """Whether a distributed command is to be followed; one that comes again is refused and
    acknowledged again.
    """
    if not step.views.distributions.is_received(command.key):
        return True
    reason = f"Expected to follow the distributed command {command.key}, but that was done before"
    step.reject(command, RejectionType.ALREADY_EXISTS, reason)
    acknowledge(step, command)
    return False


def is_elsewhere(step: Step, command: Command) -> bool:
    """Refuses a client's command that only partition 1 takes."""
    if step.partition_id == DEPLOYMENT_PARTITION:
        return False
    reason = (
        f"Expected a command for partition {DEPLOYMENT_PARTITION}, which deploys and deletes, "
        f"but this is partition {step.partition_id}"
    )
    step.reject(command, RejectionType.INVALID_ARGUMENT, reason)
    return True
