"""The way to an Elasticsearch or OpenSearch cluster: plain HTTP, the same for both.

`elastic_transport` is the lower half of Elastic's client: nodes, connections, TLS. The upper half,
typed calls of one product that refuse the other's servers, is not needed for the five that we make.
"""

from __future__ import annotations

import logging
from typing import Final, TypeAlias

import msgspec
from elastic_transport import NodeConfig, Transport, TransportError

from grevy.exporting import ExportingError

logging.getLogger("elastic_transport").setLevel(logging.ERROR)
# What fails is raised, and told once by whoever drives the exporter.

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

ANSWER_CHARS_MAX: Final = 1_000
"""What is told of an answer that refuses a request: Elasticsearch's reason stands at its start."""

BAD_GATEWAY: Final = (502, 503, 504)


class ServerUnavailable(ExportingError):
    """No node could be reached, or none answered in time."""


class ServerRefused(ExportingError):
    """A node answered with an error; `status` is the HTTP status."""

    def __init__(self, request: str, status: int, answer: object) -> None:
        super().__init__(f"{request} was answered with {status}: {str(answer)[:ANSWER_CHARS_MAX]}")
        self.status = status


class SearchServer:
    """A cluster; each request goes to one of its nodes, and to another when that is not there."""

    def __init__(self, nodes: list[NodeConfig]) -> None:
        """Connects to nothing yet."""
        self._transport = Transport(
            nodes, max_retries=len(nodes) - 1, retry_on_status=BAD_GATEWAY, meta_header=False
        )

    def call(self, method: str, target: str, body: object = None) -> Json:
        """The answer to a request whose body, if it has one, is JSON.

        Raises `ServerUnavailable` or `ServerRefused`.
        """
        encoded = None if body is None else msgspec.json.encode(body)
        return self._perform(method, target, "application/json", encoded)

    def send_lines(self, target: str, lines: bytes) -> Json:
        """The answer to a POST of lines of JSON; raises like `call`."""
        return self._perform("POST", target, "application/x-ndjson", lines)

    def close(self) -> None:
        """Closes all connections."""
        self._transport.close()

    def _perform(self, method: str, target: str, content_type: str, body: bytes | None) -> Json:
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = content_type
        try:
            answer = self._transport.perform_request(method, target, headers=headers, body=body)
        except TransportError as error:
            # Its text tells what happened and where; the rest are layers of the HTTP library.
            raise ServerUnavailable(f"{method} {target}: {error}") from None
        if not 200 <= answer.meta.status < 300:
            raise ServerRefused(f"{method} {target}", answer.meta.status, answer.body)
        parsed: Json = answer.body
        return parsed
