"""What a client gets back: plain values."""

from __future__ import annotations

from msgspec import Struct

from grevy.client.options import JsonValue, variables_of
from grevy.protocol.messages import ActivatedJob, BrokerInfo
from grevy.protocol.values import DeploymentValue


class Process(Struct, frozen=True):
    """A process definition of a deployment."""

    bpmn_process_id: str
    version: int
    key: int
    resource_name: str


class Decision(Struct, frozen=True):
    """A decision of a deployment."""

    decision_id: str
    name: str
    version: int
    key: int
    requirements_id: str
    requirements_key: int


class DecisionRequirements(Struct, frozen=True):
    """A requirement graph of a deployment: a DMN file."""

    id: str
    name: str
    version: int
    key: int
    resource_name: str


class Deployment(Struct, frozen=True):
    """What a deployment brought; where nothing has changed, processes and decisions have their old
    versions.
    """

    key: int
    processes: tuple[Process, ...]
    decisions: tuple[Decision, ...] = ()
    decision_requirements: tuple[DecisionRequirements, ...] = ()


def deployment_of(key: int, value: DeploymentValue) -> Deployment:
    """The result of a request, from the value of its answer."""
    return Deployment(
        key,
        tuple(
            Process(p.bpmn_process_id, p.version, p.process_definition_key, p.resource_name)
            for p in value.processes_metadata
        ),
        tuple(
            Decision(
                d.decision_id,
                d.decision_name,
                d.version,
                d.decision_key,
                d.decision_requirements_id,
                d.decision_requirements_key,
            )
            for d in value.decisions_metadata
        ),
        tuple(
            DecisionRequirements(
                r.decision_requirements_id,
                r.decision_requirements_name,
                r.decision_requirements_version,
                r.decision_requirements_key,
                r.resource_name,
            )
            for r in value.decision_requirements_metadata
        ),
    )


class Instance(Struct, frozen=True, gc=False):
    """A process instance."""

    key: int
    bpmn_process_id: str
    version: int
    process_definition_key: int


class InstanceResult(Struct, frozen=True):
    """A process instance that completed, and the variables that it ended with."""

    key: int
    bpmn_process_id: str
    version: int
    process_definition_key: int
    variables: dict[str, JsonValue]


class Partition(Struct, frozen=True):
    """A partition, and where its leader listens for clients: "" while there is none."""

    id: int
    leader: str
    term: int


class Topology(Struct, frozen=True):
    """The cluster, as a broker sees it."""

    cluster_id: str
    version: str
    partitions: tuple[Partition, ...]
    brokers: tuple[BrokerInfo, ...] = ()
    replication_factor: int = 1


class Job:
    """A job in a worker's hands; its documents are read when they are asked for."""

    __slots__ = ("_headers", "_variables", "pushed")

    def __init__(self, pushed: ActivatedJob) -> None:
        self.pushed = pushed
        """The job as the broker sent it."""
        self._variables: dict[str, JsonValue] | None = None
        self._headers: dict[str, JsonValue] | None = None

    def __repr__(self) -> str:
        return f"Job(key={self.key}, type={self.type!r}, element_id={self.element_id!r})"

    @property
    def key(self) -> int:
        """The job's key."""
        return self.pushed.key

    @property
    def type(self) -> str:
        """The job type."""
        return self.pushed.type

    @property
    def worker(self) -> str:
        """The name of the worker that has it."""
        return self.pushed.worker

    @property
    def retries(self) -> int:
        """How often it may still fail, this time included."""
        return self.pushed.retries

    @property
    def deadline(self) -> int:
        """When another worker gets it, in epoch milliseconds."""
        return self.pushed.deadline

    @property
    def activation(self) -> int:
        """The number of this lease."""
        return self.pushed.activation

    @property
    def element_id(self) -> str:
        """The BPMN element that it does the work for."""
        return self.pushed.element_id

    @property
    def element_instance_key(self) -> int:
        """The element instance that waits for it."""
        return self.pushed.element_instance_key

    @property
    def bpmn_process_id(self) -> str:
        """The process that it belongs to."""
        return self.pushed.bpmn_process_id

    @property
    def process_definition_version(self) -> int:
        """The version of that process."""
        return self.pushed.process_definition_version

    @property
    def process_definition_key(self) -> int:
        """The definition of that process."""
        return self.pushed.process_definition_key

    @property
    def process_instance_key(self) -> int:
        """The process instance that it belongs to."""
        return self.pushed.process_instance_key

    @property
    def variables(self) -> dict[str, JsonValue]:
        """The variables that the job sees, or those of them that were asked for."""
        if self._variables is None:
            self._variables = variables_of(self.pushed.variables)
        return self._variables

    @property
    def headers(self) -> dict[str, JsonValue]:
        """The task headers of the element, strings."""
        if self._headers is None:
            self._headers = variables_of(self.pushed.custom_headers)
        return self._headers
