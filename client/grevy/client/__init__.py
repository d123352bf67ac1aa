"""Grevy's client: start processes, publish messages, do jobs, read the log.

from grevy.client import Client, Worker, run
"""

from grevy.client.client import Client, Resource
from grevy.client.decisions import (
    DecisionEvaluation,
    EvaluatedDecision,
    EvaluatedInput,
    EvaluatedOutput,
    MatchedRule,
)
from grevy.client.errors import (
    AlreadyExists,
    BadRequest,
    ClientClosed,
    ClientError,
    ExceededBatchRecordSize,
    Forbidden,
    InvalidArgument,
    InvalidState,
    JobError,
    JobFailed,
    NotFound,
    Overloaded,
    ProcessingError,
    RecordsMissing,
    Rejected,
    RequestTimeout,
    ResourceExhausted,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnknownPartition,
)
from grevy.client.loop import run
from grevy.client.options import ClientKeys, ClientOptions, Duration, JsonValue, Variables
from grevy.client.results import (
    Decision,
    DecisionRequirements,
    Deployment,
    Instance,
    InstanceResult,
    Job,
    Partition,
    Process,
    Topology,
)
from grevy.client.subscriptions import JobSubscription, RecordBatch, RecordSubscription
from grevy.client.sync import SyncClient, SyncRecordSubscription
from grevy.client.worker import Worker, WorkerStatistics
from grevy.protocol.curve_keys import KeyFileError, KeyPair, load_key_pair

__all__ = [
    "AlreadyExists",
    "BadRequest",
    "Client",
    "ClientClosed",
    "ClientError",
    "ClientKeys",
    "ClientOptions",
    "Decision",
    "DecisionEvaluation",
    "DecisionRequirements",
    "Deployment",
    "Duration",
    "EvaluatedDecision",
    "EvaluatedInput",
    "EvaluatedOutput",
    "ExceededBatchRecordSize",
    "Forbidden",
    "Instance",
    "InstanceResult",
    "InvalidArgument",
    "InvalidState",
    "Job",
    "JobError",
    "JobFailed",
    "JobSubscription",
    "JsonValue",
    "KeyFileError",
    "KeyPair",
    "MatchedRule",
    "NotFound",
    "Overloaded",
    "Partition",
    "Process",
    "ProcessingError",
    "RecordBatch",
    "RecordSubscription",
    "RecordsMissing",
    "Rejected",
    "RequestTimeout",
    "Resource",
    "ResourceExhausted",
    "SyncClient",
    "SyncRecordSubscription",
    "TooLarge",
    "Topology",
    "Unauthorized",
    "Unavailable",
    "UnknownPartition",
    "Variables",
    "Worker",
    "WorkerStatistics",
    "load_key_pair",
    "run",
]
