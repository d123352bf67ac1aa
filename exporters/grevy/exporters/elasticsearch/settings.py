"""The arguments, named and defaulted as those of Zeebe's Elasticsearch exporter."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from elastic_transport import NodeConfig
from elastic_transport.client_utils import basic_auth_to_header, url_to_node_config
from msgspec import Meta, Struct

from grevy.exporters.elasticsearch.index_names import check_date_pattern
from grevy.exporting import Context, RecordFilter
from grevy.protocol.intents import RecordType, ValueType

Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Prefix: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


class Arguments(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Base of all parts of the arguments."""


class BulkArguments(Arguments, frozen=True):
    """When documents are sent: every `delay` seconds, and at `size` or `memory_limit` bytes."""

    delay: Annotated[float, Meta(gt=0)] = 5
    size: Positive = 1000
    memory_limit: Positive = 10 * 1024 * 1024


class AuthenticationArguments(Arguments, frozen=True):
    """Name and password for HTTP basic authentication."""

    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"AuthenticationArguments(username={self.username!r}, password=…)"


class SecurityArguments(Arguments, frozen=True):
    """How an https server is known: by the system's authorities, or by those in a PEM file."""

    certificate_path: str = ""


class RetentionArguments(Arguments, frozen=True):
    """How long indices are kept, by a policy of the server's own index management."""

    enabled: bool = False
    minimum_age: Annotated[str, Meta(pattern=r"^\d+(d|h|m|s|ms)$")] = "30d"
    policy_name: str = "zeebe-record-retention-policy"
    policy_description: str = "Zeebe record retention policy"


class IndexArguments(Arguments, frozen=True):
    """What is exported, and into which indices. `None` for shards: the template's own number."""

    prefix: Prefix = "zeebe-record"
    create_template: bool = True
    index_suffix_date_pattern: str = "yyyy-MM-dd"
    number_of_shards: Positive | None = None
    number_of_replicas: Annotated[int, Meta(ge=0)] = 0

    command: bool = False
    event: bool = True
    rejection: bool = False

    command_distribution: bool = True
    decision: bool = True
    decision_evaluation: bool = True
    decision_requirements: bool = True
    deployment: bool = True
    error: bool = True
    incident: bool = True
    job: bool = True
    job_batch: bool = False
    message: bool = True
    message_batch: bool = False
    message_start_event_subscription: bool = True
    message_subscription: bool = True
    process: bool = True
    process_event: bool = False
    process_instance: bool = True
    process_instance_batch: bool = False
    process_instance_creation: bool = True
    process_instance_result: bool = True
    process_message_subscription: bool = True
    resource_deletion: bool = True
    signal: bool = True
    timer: bool = True
    variable: bool = True
    variable_document: bool = True

    def record_filter(self) -> RecordFilter:
        """The records that the flags let pass."""
        types = {
            RecordType.COMMAND: self.command,
            RecordType.EVENT: self.event,
            RecordType.COMMAND_REJECTION: self.rejection,
        }
        return RecordFilter(
            record_types=frozenset(kind for kind, wanted in types.items() if wanted),
            value_types=frozenset(kind for kind in ValueType if getattr(self, kind.name.lower())),
        )


class ElasticsearchArguments(Arguments, frozen=True):
    """All arguments. `url` is one or several, separated by commas: nodes of one cluster."""

    url: str = "http://localhost:9200"
    request_timeout_ms: Positive = 30_000
    authentication: AuthenticationArguments = AuthenticationArguments()
    security: SecurityArguments = SecurityArguments()
    bulk: BulkArguments = BulkArguments()
    index: IndexArguments = IndexArguments()
    retention: RetentionArguments = RetentionArguments()

    def nodes(self) -> list[NodeConfig]:
        """The nodes to talk to; raises `ValueError` for a URL that is none."""
        headers = {"accept": "application/json"}
        if self.authentication.username:
            credentials = (self.authentication.username, self.authentication.password)
            headers["authorization"] = basic_auth_to_header(credentials)
        return [self._node(url.strip(), headers) for url in self.url.split(",")]

    def _node(self, url: str, headers: dict[str, str]) -> NodeConfig:
        node = url_to_node_config(url, use_default_ports_for_scheme=True)
        return node.replace(
            headers={**node.headers, **headers},
            request_timeout=self.request_timeout_ms / 1000,
            ca_certs=self.security.certificate_path or None,
        )


def read_settings(context: Context) -> ElasticsearchArguments:
    """The arguments of a context; raises `InvalidArguments`, which names what is wrong."""
    arguments = context.read_arguments(ElasticsearchArguments)
    try:
        arguments.nodes()
    except ValueError as error:
        raise context.invalid(f"{error} - at `args.url`") from None
    try:
        check_date_pattern(arguments.index.index_suffix_date_pattern)
    except ValueError as error:
        raise context.invalid(f"{error} - at `args.index.indexSuffixDatePattern`") from None
    return arguments
