"""The vocabulary of records: value types, their intents, record and rejection types.

Numbers and names are Zeebe's (its protocol definition), so that what reads a Zeebe log reads ours.
An intent's value is `value_type << 8 | intent number`: one integer names an intent among those of
all value types, so that the tables of processors and appliers are keyed by it alone.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class RecordType(IntEnum):
    """What a record is; the numbers go on the wire."""

    EVENT = 0
    COMMAND = 1
    COMMAND_REJECTION = 2


class ValueType(IntEnum):
    """The kind of thing a record speaks of; the numbers go on the wire."""

    JOB = 0
    DEPLOYMENT = 4
    PROCESS_INSTANCE = 5
    INCIDENT = 6
    MESSAGE = 10
    MESSAGE_SUBSCRIPTION = 11
    PROCESS_MESSAGE_SUBSCRIPTION = 12
    JOB_BATCH = 14
    TIMER = 15
    MESSAGE_START_EVENT_SUBSCRIPTION = 16
    VARIABLE = 17
    VARIABLE_DOCUMENT = 18
    PROCESS_INSTANCE_CREATION = 19
    ERROR = 20
    PROCESS_INSTANCE_RESULT = 21
    PROCESS = 22
    PROCESS_EVENT = 24
    DECISION = 25
    DECISION_REQUIREMENTS = 26
    DECISION_EVALUATION = 27
    SIGNAL = 31
    RESOURCE_DELETION = 32
    COMMAND_DISTRIBUTION = 33
    PROCESS_INSTANCE_BATCH = 34
    MESSAGE_BATCH = 35


class RejectionType(IntEnum):
    """Why a command was refused; the numbers go on the wire."""

    INVALID_ARGUMENT = 0
    NOT_FOUND = 1
    ALREADY_EXISTS = 2
    INVALID_STATE = 3
    PROCESSING_ERROR = 4
    EXCEEDED_BATCH_RECORD_SIZE = 5
    UNAUTHORIZED = 6
    FORBIDDEN = 7
    RESOURCE_EXHAUSTED = 8


class Intent(IntEnum):
    """Base of all intents; see the module's docstring for the numbers."""

    @property
    def value_type(self) -> ValueType:
        """The value type that this intent belongs to."""
        return ValueType(self >> 8)

    @property
    def number(self) -> int:
        """The intent's number among those of its value type: 0 to 255."""
        return self & 0xFF


class JobIntent(Intent):
    """What happens to a job."""

    CREATED = 0x0000
    COMPLETE = 0x0001
    COMPLETED = 0x0002
    TIME_OUT = 0x0003
    TIMED_OUT = 0x0004
    FAIL = 0x0005
    FAILED = 0x0006
    UPDATE_RETRIES = 0x0007
    RETRIES_UPDATED = 0x0008
    CANCELED = 0x000A
    THROW_ERROR = 0x000B
    ERROR_THROWN = 0x000C
    RECUR_AFTER_BACKOFF = 0x000D
    RECURRED_AFTER_BACKOFF = 0x000E
    YIELD = 0x000F
    YIELDED = 0x0010
    UPDATE_TIMEOUT = 0x0011
    TIMEOUT_UPDATED = 0x0012


class DeploymentIntent(Intent):
    """What happens to a deployment."""

    CREATE = 0x0400
    CREATED = 0x0401


class ProcessInstanceIntent(Intent):
    """The lifecycle of a process instance and its elements."""

    CANCEL = 0x0500
    SEQUENCE_FLOW_TAKEN = 0x0501
    ELEMENT_ACTIVATING = 0x0502
    ELEMENT_ACTIVATED = 0x0503
    ELEMENT_COMPLETING = 0x0504
    ELEMENT_COMPLETED = 0x0505
    ELEMENT_TERMINATING = 0x0506
    ELEMENT_TERMINATED = 0x0507
    ACTIVATE_ELEMENT = 0x0508
    COMPLETE_ELEMENT = 0x0509
    TERMINATE_ELEMENT = 0x050A


class IncidentIntent(Intent):
    """What happens to an incident."""

    CREATED = 0x0600
    RESOLVE = 0x0601
    RESOLVED = 0x0602


class MessageIntent(Intent):
    """What happens to a published message."""

    PUBLISH = 0x0A00
    PUBLISHED = 0x0A01
    EXPIRE = 0x0A02
    EXPIRED = 0x0A03


class MessageSubscriptionIntent(Intent):
    """A subscription on the side of the message's partition."""

    CREATE = 0x0B00
    CREATED = 0x0B01
    CORRELATE = 0x0B02
    CORRELATED = 0x0B03
    REJECT = 0x0B04
    REJECTED = 0x0B05
    DELETE = 0x0B06
    DELETED = 0x0B07
    CORRELATING = 0x0B08


class ProcessMessageSubscriptionIntent(Intent):
    """A subscription on the side of the process instance's partition."""

    CREATING = 0x0C00
    CREATE = 0x0C01
    CREATED = 0x0C02
    CORRELATE = 0x0C03
    CORRELATED = 0x0C04
    DELETING = 0x0C05
    DELETE = 0x0C06
    DELETED = 0x0C07


class JobBatchIntent(Intent):
    """The activation of jobs for a worker."""

    ACTIVATE = 0x0E00
    ACTIVATED = 0x0E01


class TimerIntent(Intent):
    """What happens to a timer."""

    CREATED = 0x0F00
    TRIGGER = 0x0F01
    TRIGGERED = 0x0F02
    CANCEL = 0x0F03
    CANCELED = 0x0F04


class MessageStartEventSubscriptionIntent(Intent):
    """A process that waits for a message to start an instance."""

    CREATED = 0x1000
    CORRELATED = 0x1001
    DELETED = 0x1002


class VariableIntent(Intent):
    """What happens to one variable."""

    CREATED = 0x1100
    UPDATED = 0x1101


class VariableDocumentIntent(Intent):
    """A client sets variables."""

    UPDATE = 0x1200
    UPDATED = 0x1201


class ProcessInstanceCreationIntent(Intent):
    """A client creates a process instance."""

    CREATE = 0x1300
    CREATED = 0x1301
    CREATE_WITH_AWAITING_RESULT = 0x1302


class ErrorIntent(Intent):
    """Processing failed unexpectedly."""

    CREATED = 0x1400


class ProcessInstanceResultIntent(Intent):
    """The answer to a client that awaits the result of an instance."""

    COMPLETED = 0x1500


class ProcessIntent(Intent):
    """A process definition."""

    CREATED = 0x1600
    DELETING = 0x1601
    DELETED = 0x1602


class ProcessEventIntent(Intent):
    """An event that triggers an element, with its variables."""

    TRIGGERING = 0x1800
    TRIGGERED = 0x1801


class DecisionIntent(Intent):
    """A decision of a deployed requirement graph."""

    CREATED = 0x1900
    DELETED = 0x1901


class DecisionRequirementsIntent(Intent):
    """A requirement graph: a DMN file with its decisions."""

    CREATED = 0x1A00
    DELETED = 0x1A01


class DecisionEvaluationIntent(Intent):
    """The evaluation of a decision."""

    EVALUATED = 0x1B00
    FAILED = 0x1B01
    EVALUATE = 0x1B02


class SignalIntent(Intent):
    """What happens to a signal."""

    BROADCAST = 0x1F00
    BROADCASTED = 0x1F01


class ResourceDeletionIntent(Intent):
    """A client deletes what it has deployed."""

    DELETE = 0x2000
    DELETING = 0x2001
    DELETED = 0x2002


class CommandDistributionIntent(Intent):
    """A command on its way to the other partitions."""

    STARTED = 0x2100
    DISTRIBUTING = 0x2101
    ACKNOWLEDGE = 0x2102
    ACKNOWLEDGED = 0x2103
    FINISHED = 0x2104
    ENQUEUED = 0x2105


class ProcessInstanceBatchIntent(Intent):
    """Work on many children of one element, cut in pieces."""

    TERMINATE = 0x2200
    ACTIVATE = 0x2201


class MessageBatchIntent(Intent):
    """The expiry of many messages."""

    EXPIRE = 0x2300


INTENTS: Final[dict[int, Intent]] = {
    int(intent): intent for kind in Intent.__subclasses__() for intent in kind
}
"""Every intent by its number over all value types."""


class BpmnElementType(IntEnum):
    """The type of a BPMN element, as records show it; the numbers go on the wire."""

    UNSPECIFIED = 0
    PROCESS = 1
    SUB_PROCESS = 2
    EVENT_SUB_PROCESS = 3
    AD_HOC_SUB_PROCESS = 4
    AD_HOC_SUB_PROCESS_INNER_INSTANCE = 5
    START_EVENT = 6
    INTERMEDIATE_CATCH_EVENT = 7
    INTERMEDIATE_THROW_EVENT = 8
    BOUNDARY_EVENT = 9
    END_EVENT = 10
    SERVICE_TASK = 11
    RECEIVE_TASK = 12
    USER_TASK = 13
    MANUAL_TASK = 14
    TASK = 15
    EXCLUSIVE_GATEWAY = 16
    PARALLEL_GATEWAY = 17
    EVENT_BASED_GATEWAY = 18
    INCLUSIVE_GATEWAY = 19
    SEQUENCE_FLOW = 20
    MULTI_INSTANCE_BODY = 21
    CALL_ACTIVITY = 22
    BUSINESS_RULE_TASK = 23
    SCRIPT_TASK = 24
    SEND_TASK = 25


class BpmnEventType(IntEnum):
    """The trigger of a BPMN event, as records show it; the numbers go on the wire."""

    UNSPECIFIED = 0
    CONDITIONAL = 1
    ERROR = 2
    ESCALATION = 3
    LINK = 4
    MESSAGE = 5
    NONE = 6
    SIGNAL = 7
    TERMINATE = 8
    TIMER = 9
    COMPENSATION = 10


class ErrorType(IntEnum):
    """Why an incident was raised; the numbers go on the wire."""

    UNKNOWN = 0
    IO_MAPPING_ERROR = 1
    JOB_NO_RETRIES = 2
    EXECUTION_LISTENER_NO_RETRIES = 3
    CONDITION_ERROR = 4
    EXTRACT_VALUE_ERROR = 5
    CALLED_ELEMENT_ERROR = 6
    UNHANDLED_ERROR_EVENT = 7
    MESSAGE_SIZE_EXCEEDED = 8
    CALLED_DECISION_ERROR = 9
    DECISION_EVALUATION_ERROR = 10
    FORM_NOT_FOUND = 11


class JobKind(IntEnum):
    """What a job does its work for; the numbers go on the wire."""

    BPMN_ELEMENT = 0
    EXECUTION_LISTENER = 1
    TASK_LISTENER = 2
    AD_HOC_SUB_PROCESS = 3


class JobListenerEventType(IntEnum):
    """The event that a listener's job belongs to; the numbers go on the wire."""

    UNSPECIFIED = 0
    START = 1
    END = 2


class VariableDocumentUpdateSemantic(IntEnum):
    """Where `VARIABLE_DOCUMENT.UPDATE` puts its variables; the numbers go on the wire."""

    PROPAGATE = 0
    LOCAL = 1
