"""The third golden entry: commands on their way to other partitions, and subscriptions of their
instances.
"""

from __future__ import annotations

from grevy.protocol.intents import (
    CommandDistributionIntent,
    DeploymentIntent,
    MessageSubscriptionIntent,
    ProcessMessageSubscriptionIntent,
    RecordType,
    ResourceDeletionIntent,
)
from grevy.protocol.record import Entry, Record
from grevy.protocol.values import (
    CommandDistributionValue,
    DeploymentValue,
    MessageSubscriptionValue,
    ProcessMessageSubscriptionValue,
    ProcessMetadata,
    ResourceDeletionValue,
    ResourceFile,
)

KEY = 2251799813685249
MD5 = bytes(range(16))
EVENT = RecordType.EVENT

DEPLOYMENT = DeploymentValue(
    (ResourceFile("order.bpmn", b"<definitions/>"),),
    (ProcessMetadata("order", 1, KEY + 1, "order.bpmn", MD5, deployment_key=KEY),),
    KEY,
)
CREATE = int(DeploymentIntent.CREATE)
DELETE = int(ResourceDeletionIntent.DELETE)
DISTRIBUTION = CommandDistributionValue(CREATE, 2, "DEPLOYMENT")

DISTRIBUTION_RECORDS = (
    Record(
        EVENT,
        CommandDistributionIntent.STARTED,
        KEY,
        CommandDistributionValue(CREATE, 1, "DEPLOYMENT", DEPLOYMENT),
    ),
    Record(EVENT, CommandDistributionIntent.ENQUEUED, KEY, DISTRIBUTION),
    Record(EVENT, CommandDistributionIntent.DISTRIBUTING, KEY, DISTRIBUTION),
    Record(RecordType.COMMAND, CommandDistributionIntent.ACKNOWLEDGE, KEY, DISTRIBUTION),
    Record(EVENT, CommandDistributionIntent.ACKNOWLEDGED, KEY, DISTRIBUTION),
    Record(EVENT, CommandDistributionIntent.FINISHED, KEY, DISTRIBUTION),
    Record(
        EVENT,
        CommandDistributionIntent.STARTED,
        KEY + 2,
        CommandDistributionValue(
            DELETE, 1, "DEPLOYMENT", resource_deletion=ResourceDeletionValue(KEY + 1)
        ),
    ),
    Record(
        EVENT,
        MessageSubscriptionIntent.CORRELATING,
        KEY + 3,
        MessageSubscriptionValue(KEY + 4, KEY + 5, KEY + 1, "order", "paid", "17", correlation=2),
    ),
    Record(
        RecordType.COMMAND,
        ProcessMessageSubscriptionIntent.CORRELATE,
        -1,
        ProcessMessageSubscriptionValue(
            2, KEY + 4, KEY + 5, KEY + 1, "order", KEY + 6, "paid", "17", correlation=2
        ),
    ),
)
DISTRIBUTION_ENTRY = Entry(1, 1_700_000_000_000, 61, 61, DISTRIBUTION_RECORDS, (), 17)
