"""The values of records: one frozen struct for each value type.

Field names are Zeebe's in snake case; `json_form` writes them as Zeebe exports them. Variables are
JSON documents kept as the bytes that came in (`Document`). Keys are -1 where there is none, times
are epoch milliseconds, spans milliseconds. Values also lie in the state as they are, hence
`array_like`; a new field goes to the end and has a default.
"""

from __future__ import annotations

from typing import ClassVar, Final, TypeAlias

from msgspec import Struct

from grevy.protocol.intents import (
    BpmnElementType,
    BpmnEventType,
    ErrorType,
    JobKind,
    JobListenerEventType,
    ValueType,
    VariableDocumentUpdateSemantic,
)

Document: TypeAlias = bytes
"""JSON text of an object, UTF-8."""

EMPTY_DOCUMENT: Final[Document] = b"{}"


class Value(Struct, frozen=True, array_like=True, gc=False):
    """Base of all record values."""

    value_type: ClassVar[ValueType]


class ResourceFile(Struct, frozen=True, array_like=True, gc=False):
    """A file in a deployment."""

    resource_name: str
    resource: bytes


class ProcessMetadata(Struct, frozen=True, array_like=True, gc=False):
    """What a deployment says of one of its processes; `checksum` is the MD5 of its resource."""

    bpmn_process_id: str
    version: int
    process_definition_key: int
    resource_name: str
    checksum: bytes
    duplicate: bool = False
    deployment_key: int = -1
    version_tag: str = ""


class DecisionRequirementsMetadata(Struct, frozen=True, array_like=True, gc=False):
    """What a deployment says of one of its requirement graphs; `checksum` is the MD5 of its
    resource.
    """

    decision_requirements_id: str
    decision_requirements_name: str
    decision_requirements_version: int
    decision_requirements_key: int
    namespace: str
    resource_name: str
    checksum: bytes
    duplicate: bool = False
    deployment_key: int = -1


class DecisionValue(Value, frozen=True, array_like=True, gc=False):
    """A decision and the requirement graph that it belongs to. It has no content beyond that, so
    deployments say the same of it.
    """

    value_type = ValueType.DECISION

    decision_id: str
    decision_name: str
    version: int
    decision_key: int
    decision_requirements_id: str
    decision_requirements_key: int
    duplicate: bool = False
    deployment_key: int = -1
    version_tag: str = ""


class DecisionRequirementsValue(Value, frozen=True, array_like=True, gc=False):
    """A requirement graph with the file that it is."""

    value_type = ValueType.DECISION_REQUIREMENTS

    decision_requirements_id: str
    decision_requirements_name: str
    decision_requirements_version: int
    decision_requirements_key: int
    namespace: str
    resource_name: str
    resource: bytes
    checksum: bytes
    duplicate: bool = False
    deployment_key: int = -1


class DeploymentValue(Value, frozen=True, array_like=True, gc=False):
    """Files to deploy (command), or what came of them (event, without the files)."""

    value_type = ValueType.DEPLOYMENT

    resources: tuple[ResourceFile, ...] = ()
    processes_metadata: tuple[ProcessMetadata, ...] = ()
    deployment_key: int = -1
    decisions_metadata: tuple[DecisionValue, ...] = ()
    decision_requirements_metadata: tuple[DecisionRequirementsMetadata, ...] = ()


class ResourceDeletionValue(Value, frozen=True, array_like=True, gc=False):
    """A process definition or a requirement graph to delete, or deleted, by its key."""

    value_type = ValueType.RESOURCE_DELETION

    resource_key: int = -1


class CommandDistributionValue(Value, frozen=True, array_like=True, gc=False):
    """A command that partition 1 has followed and the others are to follow: its intent (the number
    over all value types) and, when the distribution starts, its value, which is one of those below.
    """

    value_type = ValueType.COMMAND_DISTRIBUTION

    intent: int = 0
    partition_id: int = -1
    queue_id: str = ""
    deployment: DeploymentValue = DeploymentValue()
    resource_deletion: ResourceDeletionValue = ResourceDeletionValue()


class ProcessValue(Value, frozen=True, array_like=True, gc=False):
    """A process definition with the file that it stands in."""

    value_type = ValueType.PROCESS

    bpmn_process_id: str
    version: int
    process_definition_key: int
    resource_name: str
    resource: bytes
    checksum: bytes
    duplicate: bool = False
    deployment_key: int = -1
    version_tag: str = ""


class ProcessInstanceCreationValue(Value, frozen=True, array_like=True, gc=False):
    """A process instance to create, or created.

    `fetch_variables` names what a client that awaits the result wants; empty means all.
    `start_scopes` is our own and not exported: the scopes in which start instructions begin a path,
    one for each.
    """

    value_type = ValueType.PROCESS_INSTANCE_CREATION

    bpmn_process_id: str = ""
    process_definition_key: int = -1
    version: int = -1
    process_instance_key: int = -1
    variables: Document = EMPTY_DOCUMENT
    start_instructions: tuple[str, ...] = ()
    fetch_variables: tuple[str, ...] = ()
    start_scopes: tuple[int, ...] = ()


class ProcessInstanceValue(Value, frozen=True, array_like=True, gc=False):
    """One element of a process instance (or a sequence flow, or the process itself).

    `joining_gateway_id` is our own and not exported: the parallel gateway that a taken flow leads
    into, where tokens wait.
    """

    value_type = ValueType.PROCESS_INSTANCE

    bpmn_process_id: str = ""
    version: int = -1
    process_definition_key: int = -1
    process_instance_key: int = -1
    element_id: str = ""
    flow_scope_key: int = -1
    bpmn_element_type: BpmnElementType = BpmnElementType.UNSPECIFIED
    bpmn_event_type: BpmnEventType = BpmnEventType.UNSPECIFIED
    parent_process_instance_key: int = -1
    parent_element_instance_key: int = -1
    joining_gateway_id: str = ""


class ProcessInstanceResultValue(Value, frozen=True, array_like=True, gc=False):
    """The answer to a client that awaited the result of an instance."""

    value_type = ValueType.PROCESS_INSTANCE_RESULT

    bpmn_process_id: str = ""
    version: int = -1
    process_definition_key: int = -1
    process_instance_key: int = -1
    variables: Document = EMPTY_DOCUMENT


class ProcessInstanceBatchValue(Value, frozen=True, array_like=True, gc=False):
    """A piece of work on the children of an element; `index` is the key of the next child."""

    value_type = ValueType.PROCESS_INSTANCE_BATCH

    process_instance_key: int = -1
    process_definition_key: int = -1
    batch_element_instance_key: int = -1
    index: int = -1


class ProcessEventValue(Value, frozen=True, array_like=True, gc=False):
    """A trigger on its way to the element that it makes go on."""

    value_type = ValueType.PROCESS_EVENT

    scope_key: int = -1
    target_element_id: str = ""
    variables: Document = EMPTY_DOCUMENT
    process_definition_key: int = -1
    process_instance_key: int = -1


class JobValue(Value, frozen=True, array_like=True, gc=False):
    """A piece of work for a worker.

    `activation` counts the leases of the job: a completion under an old lease is refused; 0 means
    that the client names none. `custom_headers` is a JSON object of strings.
    """

    value_type = ValueType.JOB

    type: str = ""
    worker: str = ""
    retries: int = -1
    retry_backoff: int = 0
    recurring_time: int = -1
    deadline: int = -1
    timeout: int = -1
    error_message: str = ""
    error_code: str = ""
    custom_headers: Document = EMPTY_DOCUMENT
    variables: Document = EMPTY_DOCUMENT
    element_id: str = ""
    element_instance_key: int = -1
    bpmn_process_id: str = ""
    process_definition_version: int = -1
    process_definition_key: int = -1
    process_instance_key: int = -1
    job_kind: JobKind = JobKind.BPMN_ELEMENT
    job_listener_event_type: JobListenerEventType = JobListenerEventType.UNSPECIFIED
    changed_attributes: tuple[str, ...] = ()
    activation: int = 0


class JobBatchValue(Value, frozen=True, array_like=True, gc=False):
    """Jobs to activate for a worker, or activated.

    The jobs' variables are not repeated in the log: the event names the jobs, and a worker's push
    is made from the state.
    """

    value_type = ValueType.JOB_BATCH

    type: str = ""
    worker: str = ""
    timeout: int = -1
    max_jobs_to_activate: int = -1
    job_keys: tuple[int, ...] = ()
    fetch_variables: tuple[str, ...] = ()
    deadline: int = -1
    truncated: bool = False


class IncidentValue(Value, frozen=True, array_like=True, gc=False):
    """Something that keeps an element from going on until somebody resolves it.

    `parked_position` is our own and not exported: the command of the log that is processed again on
    resolution.
    """

    value_type = ValueType.INCIDENT

    error_type: ErrorType = ErrorType.UNKNOWN
    error_message: str = ""
    bpmn_process_id: str = ""
    process_definition_key: int = -1
    process_instance_key: int = -1
    element_id: str = ""
    element_instance_key: int = -1
    job_key: int = -1
    variable_scope_key: int = -1
    parked_position: int = -1


class MessageValue(Value, frozen=True, array_like=True, gc=False):
    """A published message; `deadline` is when it expires, `time_to_live` what the publisher asked
    for.
    """

    value_type = ValueType.MESSAGE

    name: str = ""
    correlation_key: str = ""
    message_id: str = ""
    time_to_live: int = 0
    deadline: int = -1
    variables: Document = EMPTY_DOCUMENT


class MessageBatchValue(Value, frozen=True, array_like=True, gc=False):
    """Messages whose time is up."""

    value_type = ValueType.MESSAGE_BATCH

    message_keys: tuple[int, ...] = ()


class MessageSubscriptionValue(Value, frozen=True, array_like=True, gc=False):
    """A subscription on the side of the message's partition.

    `correlation` is our own and not exported: which of the messages that the subscription of
    another partition's instance is sent this one is, from 1.
    """

    value_type = ValueType.MESSAGE_SUBSCRIPTION

    process_instance_key: int = -1
    element_instance_key: int = -1
    process_definition_key: int = -1
    bpmn_process_id: str = ""
    message_name: str = ""
    correlation_key: str = ""
    message_key: int = -1
    variables: Document = EMPTY_DOCUMENT
    interrupting: bool = True
    correlation: int = 0


class ProcessMessageSubscriptionValue(Value, frozen=True, array_like=True, gc=False):
    """A subscription on the side of the process instance's partition; `correlation` as on the other
    side.
    """

    value_type = ValueType.PROCESS_MESSAGE_SUBSCRIPTION

    subscription_partition_id: int = -1
    process_instance_key: int = -1
    element_instance_key: int = -1
    process_definition_key: int = -1
    bpmn_process_id: str = ""
    message_key: int = -1
    message_name: str = ""
    correlation_key: str = ""
    element_id: str = ""
    variables: Document = EMPTY_DOCUMENT
    interrupting: bool = True
    correlation: int = 0


class MessageStartEventSubscriptionValue(Value, frozen=True, array_like=True, gc=False):
    """A message start event that waits, or was triggered."""

    value_type = ValueType.MESSAGE_START_EVENT_SUBSCRIPTION

    process_definition_key: int = -1
    bpmn_process_id: str = ""
    start_event_id: str = ""
    message_name: str = ""
    process_instance_key: int = -1
    correlation_key: str = ""
    message_key: int = -1
    variables: Document = EMPTY_DOCUMENT


class TimerValue(Value, frozen=True, array_like=True, gc=False):
    """A timer; `repetitions` is how often it still fires, -1 without end. Start timers have no
    instance keys.
    """

    value_type = ValueType.TIMER

    element_instance_key: int = -1
    process_instance_key: int = -1
    due_date: int = -1
    target_element_id: str = ""
    repetitions: int = 1
    process_definition_key: int = -1


class SignalValue(Value, frozen=True, array_like=True, gc=False):
    """A signal for whoever waits for it; it is not buffered."""

    value_type = ValueType.SIGNAL

    signal_name: str = ""
    variables: Document = EMPTY_DOCUMENT


class VariableValue(Value, frozen=True, array_like=True, gc=False):
    """A variable in a scope; `value` is its JSON text."""

    value_type = ValueType.VARIABLE

    name: str = ""
    value: bytes = b"null"
    scope_key: int = -1
    process_instance_key: int = -1
    process_definition_key: int = -1
    bpmn_process_id: str = ""


class VariableDocumentValue(Value, frozen=True, array_like=True, gc=False):
    """Variables that a client sets at an element instance."""

    value_type = ValueType.VARIABLE_DOCUMENT

    scope_key: int = -1
    update_semantics: VariableDocumentUpdateSemantic = VariableDocumentUpdateSemantic.PROPAGATE
    variables: Document = EMPTY_DOCUMENT


class EvaluatedInput(Struct, frozen=True, array_like=True, gc=False):
    """An input of a decision table, and its value as JSON."""

    input_id: str
    input_name: str
    input_value: bytes


class EvaluatedOutput(Struct, frozen=True, array_like=True, gc=False):
    """An output of a rule that matched, and its value as JSON."""

    output_id: str
    output_name: str
    output_value: bytes


class MatchedRule(Struct, frozen=True, array_like=True, gc=False):
    """A rule of a decision table that matched; `rule_index` counts from 1."""

    rule_id: str
    rule_index: int
    evaluated_outputs: tuple[EvaluatedOutput, ...] = ()


class EvaluatedDecision(Struct, frozen=True, array_like=True, gc=False):
    """A decision that was evaluated on the way; `decision_output` is JSON."""

    decision_id: str
    decision_name: str
    decision_key: int
    decision_version: int
    decision_type: str
    decision_output: bytes
    evaluated_inputs: tuple[EvaluatedInput, ...] = ()
    matched_rules: tuple[MatchedRule, ...] = ()


class DecisionEvaluationValue(Value, frozen=True, array_like=True, gc=False):
    """A decision to evaluate (command: by its key, or by its id in its newest version), or what its
    evaluation gave: for a client, or for an element instance.

    `decision_output` is JSON. `evaluated_decisions` are in the order of evaluation: what others
    require comes before them. Events do not repeat the variables.
    """

    value_type = ValueType.DECISION_EVALUATION

    decision_key: int = -1
    decision_id: str = ""
    decision_name: str = ""
    decision_version: int = -1
    decision_requirements_id: str = ""
    decision_requirements_key: int = -1
    decision_output: bytes = b"null"
    variables: Document = EMPTY_DOCUMENT
    bpmn_process_id: str = ""
    process_definition_key: int = -1
    process_instance_key: int = -1
    element_id: str = ""
    element_instance_key: int = -1
    evaluated_decisions: tuple[EvaluatedDecision, ...] = ()
    evaluation_failure_message: str = ""
    failed_decision_id: str = ""


class ErrorValue(Value, frozen=True, array_like=True, gc=False):
    """Processing of a command failed unexpectedly."""

    value_type = ValueType.ERROR

    exception_message: str = ""
    stacktrace: str = ""
    error_event_position: int = -1
    process_instance_key: int = -1


VALUES: Final[dict[ValueType, type[Value]]] = {
    kind.value_type: kind for kind in Value.__subclasses__()
}
"""The struct of each value type."""
