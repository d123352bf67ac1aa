"""The client: what an application, a tool or a gateway says to a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias, TypeVar

from grevy.client.cluster import ClusterAdmin
from grevy.client.decisions import DecisionEvaluation, evaluation_of
from grevy.client.errors import BadRequest, NotFound, TooLarge, UnknownPartition
from grevy.client.link import Link
from grevy.client.options import (
    ClientOptions,
    Duration,
    JsonValue,
    Variables,
    document_of,
    endpoint_of,
    milliseconds,
    variables_of,
)
from grevy.client.results import (
    Deployment,
    Instance,
    InstanceResult,
    Job,
    Partition,
    Topology,
    deployment_of,
)
from grevy.client.subscriptions import JobSubscription, RecordSubscription
from grevy.protocol.intents import (
    DecisionEvaluationIntent,
    DeploymentIntent,
    IncidentIntent,
    Intent,
    JobBatchIntent,
    JobIntent,
    MessageIntent,
    ProcessInstanceCreationIntent,
    ProcessInstanceIntent,
    ResourceDeletionIntent,
    SignalIntent,
    ValueType,
    VariableDocumentIntent,
    VariableDocumentUpdateSemantic,
)
from grevy.protocol.keys import partition_of, partition_of_correlation_key
from grevy.protocol.limits import MESSAGE_BYTES_MAX, RESOURCE_BYTES_MAX
from grevy.protocol.messages import ActivatedJob, OpenJobSubscription, OpenRecordSubscription
from grevy.protocol.record import Answer
from grevy.protocol.values import (
    DecisionEvaluationValue,
    DeploymentValue,
    IncidentValue,
    JobBatchValue,
    JobValue,
    MessageValue,
    ProcessInstanceCreationValue,
    ProcessInstanceResultValue,
    ProcessInstanceValue,
    ResourceDeletionValue,
    ResourceFile,
    SignalValue,
    Value,
    VariableDocumentValue,
)

Resource: TypeAlias = str | PathLike[str] | tuple[str, bytes]
"""A file to deploy: its path, or its name and content."""

_Kind = TypeVar("_Kind", bound=Value)

_DEPLOYMENTS_PARTITION = 1
_REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX - 64 * 1024
"""What a request may hold so that its message, with all that is around it, stays below its
limit.
"""


class Client:
    """A connection to a cluster; make it with `connect`, in the loop that uses it.

    Commands go to the leader of their partition, and are repeated under the same number until they
    are answered, so that each happens once. All methods raise `ClientError`s; see `errors`.

        async with await Client.connect("127.0.0.1:26600") as client:
            await client.deploy("order.bpmn")
            instance = await client.create_instance("order", variables={"orderId": 42})
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    async def connect(
        cls,
        *contact_points: str,
        options: ClientOptions | None = None,
        timeout_s: float | None = None,
    ) -> Client:
        """Connect by brokers that are known: "broker", "broker:26600" or "tcp://broker:26600".

        One that answers is enough: it tells of the others. Raises `Unavailable` if none does within
        `timeout_s` (None: the options' `request_timeout_s`), `NotLetIn` where it is known why, and
        `ValueError` for what is no contact point.
        """
        if not contact_points:
            raise ValueError("expected at least one contact point")
        for contact_point in contact_points:
            endpoint_of(contact_point)
        client = cls(Link(contact_points, options or ClientOptions()))
        try:
            await client._link.topology(timeout_s)
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Leave: what is under way fails with `ClientClosed`, subscriptions end."""
        self._link.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.close()

    async def deploy(self, *resources: Resource) -> Deployment:
        """Deploy BPMN and DMN files, together or not at all."""
        files = tuple([await asyncio.to_thread(_resource, resource) for resource in resources])
        size = sum(len(file.resource) for file in files)
        if size > _REQUEST_BYTES_MAX:
            raise TooLarge(f"resources of {size} bytes together: at most {_REQUEST_BYTES_MAX}")
        answer = await self._link.ask(
            _DEPLOYMENTS_PARTITION,
            DeploymentIntent.CREATE,
            DeploymentValue(resources=files),
            size=size,
        )
        return deployment_of(answer.key, _value(answer, DeploymentValue))

    async def delete_resource(self, key: int) -> None:
        """Delete a process definition that has no running instances, or a requirement graph with
        its decisions, by the key of the one or the other.
        """
        value = ResourceDeletionValue(resource_key=key)
        await self._link.ask(_DEPLOYMENTS_PARTITION, ResourceDeletionIntent.DELETE, value)

    async def evaluate_decision(
        self,
        decision_id: str = "",
        *,
        variables: Variables | None = None,
        decision_key: int = -1,
    ) -> DecisionEvaluation:
        """Evaluate a decision: by its id, in its newest version, or by its key.

        An evaluation that fails is no error: it has a `failure`. `NotFound` if there is no such
        decision.
        """
        document = document_of(variables)
        value = DecisionEvaluationValue(
            decision_key=decision_key, decision_id=decision_id, variables=document
        )
        answer = await self._anywhere(DecisionEvaluationIntent.EVALUATE, value, size=len(document))
        return evaluation_of(answer.key, _value(answer, DecisionEvaluationValue))

    async def create_instance(
        self,
        bpmn_process_id: str = "",
        *,
        variables: Variables | None = None,
        version: int = -1,
        key: int = -1,
        start_before: Sequence[str] = (),
    ) -> Instance:
        """Start a process: by its id, in its latest or a given version, or by its definition key.

        `start_before` names elements to start at, instead of the start event.
        """
        document = document_of(variables)
        value = ProcessInstanceCreationValue(
            bpmn_process_id=bpmn_process_id,
            process_definition_key=key,
            version=version,
            variables=document,
            start_instructions=tuple(start_before),
        )
        answer = await self._anywhere(
            ProcessInstanceCreationIntent.CREATE, value, size=len(document)
        )
        created = _value(answer, ProcessInstanceCreationValue)
        return Instance(
            created.process_instance_key,
            created.bpmn_process_id,
            created.version,
            created.process_definition_key,
        )

    async def create_instance_with_result(
        self,
        bpmn_process_id: str = "",
        *,
        variables: Variables | None = None,
        version: int = -1,
        key: int = -1,
        start_before: Sequence[str] = (),
        fetch_variables: Sequence[str] = (),
        timeout: Duration | None = None,
    ) -> InstanceResult:
        """Start a process and wait until it has completed, for its variables or some of them.

        Without `timeout` the wait is as long as any request's.
        """
        document = document_of(variables)
        value = ProcessInstanceCreationValue(
            bpmn_process_id=bpmn_process_id,
            process_definition_key=key,
            version=version,
            variables=document,
            start_instructions=tuple(start_before),
            fetch_variables=tuple(fetch_variables),
        )
        answer = await self._anywhere(
            ProcessInstanceCreationIntent.CREATE_WITH_AWAITING_RESULT,
            value,
            size=len(document),
            timeout_s=None if timeout is None else milliseconds(timeout) / 1000,
        )
        result = _value(answer, ProcessInstanceResultValue)
        return InstanceResult(
            result.process_instance_key,
            result.bpmn_process_id,
            result.version,
            result.process_definition_key,
            variables_of(result.variables),
        )

    async def cancel_instance(self, key: int) -> None:
        """Terminate a process instance; answered as soon as that begins."""
        await self._about(key, ProcessInstanceIntent.CANCEL, ProcessInstanceValue())

    async def set_variables(
        self, element_instance_key: int, variables: Variables, *, local: bool = False
    ) -> int:
        """Set variables where they are found upwards from an element instance, or `local`: at it.

        Gives the key of the change.
        """
        document = document_of(variables)
        semantic = VariableDocumentUpdateSemantic
        value = VariableDocumentValue(
            scope_key=element_instance_key,
            update_semantics=semantic.LOCAL if local else semantic.PROPAGATE,
            variables=document,
        )
        intent = VariableDocumentIntent.UPDATE
        return (await self._about(element_instance_key, intent, value, size=len(document))).key

    async def publish_message(
        self,
        name: str,
        correlation_key: str = "",
        *,
        variables: Variables | None = None,
        time_to_live: Duration = 3600.0,
        message_id: str = "",
    ) -> int:
        """Publish a message, which waits `time_to_live` for who has not come yet; gives its key.

        A second one with the same `message_id`, while the first waits, is `AlreadyExists`.
        """
        document = document_of(variables)
        value = MessageValue(
            name=name,
            correlation_key=correlation_key,
            message_id=message_id,
            time_to_live=milliseconds(time_to_live),
            variables=document,
        )
        count = len(self._link.leaders.partitions) or 1
        partition_id = partition_of_correlation_key(correlation_key, count)
        answer = await self._link.ask(
            partition_id, MessageIntent.PUBLISH, value, size=len(document)
        )
        return answer.key

    async def broadcast_signal(self, name: str, *, variables: Variables | None = None) -> int:
        """Tell a signal to all who wait for it now; gives its key."""
        document = document_of(variables)
        value = SignalValue(signal_name=name, variables=document)
        answer = await self._link.ask(
            _DEPLOYMENTS_PARTITION, SignalIntent.BROADCAST, value, size=len(document)
        )
        return answer.key

    async def resolve_incident(self, key: int) -> None:
        """Try again where an incident stopped it; a job needs retries first."""
        await self._about(key, IncidentIntent.RESOLVE, IncidentValue())

    async def activate_jobs(
        self,
        job_type: str,
        *,
        worker: str = "",
        max_jobs: int = 32,
        timeout: Duration = 300.0,
        fetch_variables: Sequence[str] = (),
    ) -> list[Job]:
        """Take jobs that wait now, from one partition after the other; a `Worker` is pushed them.

        Whoever takes a job has `timeout` for it; then another may. An answer that was lost with
        its connection leaves its jobs to that time-out.
        """
        jobs: list[Job] = []
        for _ in range(len(self._link.leaders.partitions) or 1):
            value = JobBatchValue(
                type=job_type,
                worker=worker,
                timeout=milliseconds(timeout),
                max_jobs_to_activate=max_jobs - len(jobs),
                fetch_variables=tuple(fetch_variables),
            )
            call = self._link.submit(self._link.next_partition(), JobBatchIntent.ACTIVATE, value)
            await call.future
            jobs.extend(map(Job, call.jobs))
            if len(jobs) >= max_jobs:
                break
        return jobs

    async def complete_job(self, job: Job | int, variables: Variables | None = None) -> None:
        """A job is done; its process goes on with the variables."""
        document = document_of(variables)
        key, activation = _lease(job)
        value = JobValue(variables=document, activation=activation)
        await self._about(key, JobIntent.COMPLETE, value, size=len(document))

    async def fail_job(
        self,
        job: Job | int,
        *,
        retries: int,
        error_message: str = "",
        retry_backoff: Duration = 0.0,
        variables: Variables | None = None,
    ) -> None:
        """A job could not be done: it may be tried `retries` times more, 0 makes an incident."""
        document = document_of(variables)
        key, activation = _lease(job)
        value = JobValue(
            retries=retries,
            retry_backoff=milliseconds(retry_backoff),
            error_message=error_message,
            variables=document,
            activation=activation,
        )
        await self._about(key, JobIntent.FAIL, value, size=len(document))

    async def throw_error(
        self,
        job: Job | int,
        code: str,
        message: str = "",
        variables: Variables | None = None,
    ) -> None:
        """Throw a BPMN error instead of completing a job."""
        document = document_of(variables)
        key, activation = _lease(job)
        value = JobValue(
            error_code=code, error_message=message, variables=document, activation=activation
        )
        await self._about(key, JobIntent.THROW_ERROR, value, size=len(document))

    async def update_job_retries(self, job: Job | int, retries: int) -> None:
        """Set how often a job may still be tried."""
        await self._about(_lease(job)[0], JobIntent.UPDATE_RETRIES, JobValue(retries=retries))

    async def update_job_timeout(self, job: Job | int, timeout: Duration) -> None:
        """Give whoever has a job so long, from now."""
        value = JobValue(timeout=milliseconds(timeout))
        await self._about(_lease(job)[0], JobIntent.UPDATE_TIMEOUT, value)

    async def topology(self) -> Topology:
        """The cluster's partitions and their leaders, and how its brokers are."""
        reply = await self._link.topology()
        partitions = (Partition(p.partition_id, p.leader, p.term) for p in reply.partitions)
        return Topology(
            reply.cluster_id,
            reply.version,
            tuple(partitions),
            reply.brokers,
            reply.replication_factor,
        )

    @property
    def cluster(self) -> ClusterAdmin:
        """How the cluster is as a whole, and how that is changed."""
        return ClusterAdmin(self._link)

    async def status(self) -> dict[str, JsonValue]:
        """A broker's figures."""
        return variables_of(await self._link.status())

    def subscribe_records(
        self,
        partition_id: int = 1,
        from_position: int = 0,
        *,
        value_types: Sequence[ValueType] = (),
        exporter_id: str = "",
        credit: int = 1_000,
    ) -> RecordSubscription:
        """The committed log of a partition from a position on, 0: from its beginning.

        Only entries with a record of the value types, if some are named. With an `exporter_id` the
        log is kept until it is acknowledged, and position -1 is where the exporter left off.
        `credit` bounds the entries that are on their way or not iterated over yet.
        """
        terms = OpenRecordSubscription(
            0, partition_id, from_position, tuple(value_types), credit, exporter_id
        )
        subscription = RecordSubscription(terms, self._link.unsubscribe)
        self._link.subscribe(subscription)
        return subscription

    def subscribe_jobs(
        self,
        terms: OpenJobSubscription,
        take: Callable[[JobSubscription, tuple[ActivatedJob, ...]], None],
    ) -> list[JobSubscription]:
        """Have jobs pushed to `take`, as a `Worker` does: one subscription for each partition.

        `terms` say what is asked for; their number and partition do not count.
        """
        subscriptions = [
            JobSubscription(partition_id, terms, take)
            for partition_id in self._link.leaders.partitions
        ]
        for subscription in subscriptions:
            self._link.subscribe(subscription)
        return subscriptions

    def unsubscribe_jobs(self, subscriptions: Sequence[JobSubscription]) -> None:
        """No more jobs; those that were pushed and are not finished go back."""
        for subscription in subscriptions:
            self._link.unsubscribe(subscription)

    def statistics(self) -> dict[str, int]:
        """Figures of this client: requests under way, sent again, answered too late."""
        calls = self._link.calls
        return {
            "in_flight": len(calls),
            "retries": calls.retries,
            "stale_replies": calls.stale_replies,
        }

    async def _anywhere(
        self, intent: Intent, value: Value, *, size: int, timeout_s: float | None = None
    ) -> Answer:
        """Ask some partition. One that has not heard yet of a definition knows nothing of it; the
        one that definitions are deployed to then has the last word.
        """
        link = self._link
        partition_id = link.next_partition()
        try:
            return await link.ask(partition_id, intent, value, size=size, timeout_s=timeout_s)
        except NotFound:
            if partition_id == _DEPLOYMENTS_PARTITION:
                raise
        return await link.ask(_DEPLOYMENTS_PARTITION, intent, value, size=size, timeout_s=timeout_s)

    def _about(
        self, key: int, intent: Intent, value: Value, size: int = 0
    ) -> Coroutine[object, object, Answer]:
        """Ask the partition that gave out a key."""
        partition_id = partition_of(key)
        leaders = self._link.leaders
        if not leaders.knows(partition_id):
            count = len(leaders.partitions)
            raise UnknownPartition(
                f"Expected a key of one of the {count} partitions, but got {key}"
            )
        return self._link.ask(partition_id, intent, value, key=key, size=size)


def _lease(job: Job | int) -> tuple[int, int]:
    """A job's key and activation; 0 for whoever knows only the key."""
    return (job, 0) if isinstance(job, int) else (job.key, job.activation)


def _resource(resource: Resource) -> ResourceFile:
    if isinstance(resource, tuple):
        file = ResourceFile(*resource)
    else:
        path = Path(resource)
        file = ResourceFile(path.name, path.read_bytes())
    if len(file.resource) > RESOURCE_BYTES_MAX:
        raise TooLarge(
            f"{file.resource_name} has {len(file.resource)} bytes: "
            f"RESOURCE_BYTES_MAX is {RESOURCE_BYTES_MAX}"
        )
    return file


def _value(answer: Answer, kind: type[_Kind]) -> _Kind:
    """The value of an answer, which must be of the kind that the command asks for."""
    if not isinstance(answer.value, kind):
        raise BadRequest(
            f"expected an answer with a {kind.__name__}, but got {answer.value!r:.200}"
        )
    return answer.value
