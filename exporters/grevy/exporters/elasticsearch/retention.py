"""How long indices are kept: a policy for the server's own index management, which deletes them.

Elasticsearch calls it ILM; indices name their policy in a setting. OpenSearch calls it ISM; a
policy names the indices that it takes in when they are made. A server may have neither: then
nothing is deleted, and that is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from msgspec import Struct

from grevy.exporters.elasticsearch.server import Json, SearchServer, ServerRefused
from grevy.exporters.elasticsearch.settings import ElasticsearchArguments, RetentionArguments

_log: Final = logging.getLogger(__name__)

UNKNOWN_PATH: Final = frozenset({400, 404, 405, 410})
"""How servers answer where they lack the part that a path or a setting belongs to."""

POLICY_SETTING: Final = "index.lifecycle.name"


class _Version(Struct, frozen=True):
    distribution: str = "elasticsearch"


class _ServerInfo(Struct, frozen=True):
    version: _Version


class _StoredPolicy(Struct, frozen=True, rename={"seq_no": "_seq_no", "term": "_primary_term"}):
    seq_no: int
    term: int


def put_retention(server: SearchServer, arguments: ElasticsearchArguments) -> dict[str, Json]:
    """Puts the policy, or takes it from the indices that are there; the settings of new indices.

    Raises what `SearchServer.call` raises.
    """
    info = msgspec.convert(server.call("GET", "/"), _ServerInfo)
    if info.version.distribution == "opensearch":
        if arguments.retention.enabled:
            with _where_supported("ISM"):
                _put_ism_policy(server, arguments.index.prefix, arguments.retention)
        return {}
    settings: dict[str, Json] = {}
    with _where_supported("ILM"):
        if arguments.retention.enabled:
            _put_ilm_policy(server, arguments.retention)
            settings = {POLICY_SETTING: arguments.retention.policy_name}
        _apply_to_existing(server, arguments.index.prefix, settings)
    return settings


@contextmanager
def _where_supported(part: str) -> Iterator[None]:
    try:
        yield
    except ServerRefused as error:
        if error.status not in UNKNOWN_PATH:
            raise
        _log.warning("the server has no %s: old indices are not deleted (%s)", part, error)


def _put_ilm_policy(server: SearchServer, retention: RetentionArguments) -> None:
    phase = {"min_age": retention.minimum_age, "actions": {"delete": {}}}
    policy = {"policy": {"phases": {"delete": phase}}}
    server.call("PUT", f"/_ilm/policy/{retention.policy_name}", policy)


def _apply_to_existing(server: SearchServer, prefix: str, settings: dict[str, Json]) -> None:
    target = f"/{prefix}_*/_settings?allow_no_indices=true&expand_wildcards=all"
    server.call("PUT", target, {POLICY_SETTING: None, **settings})


def _put_ism_policy(server: SearchServer, prefix: str, retention: RetentionArguments) -> None:
    when = {"min_index_age": retention.minimum_age}
    policy = {
        "description": retention.policy_description,
        "default_state": "kept",
        "states": [
            {"name": "kept", "transitions": [{"state_name": "deleted", "conditions": when}]},
            {"name": "deleted", "actions": [{"delete": {}}]},
        ],
        "ism_template": [{"index_patterns": [f"{prefix}_*"], "priority": 1}],
    }
    target = f"/_plugins/_ism/policies/{retention.policy_name}"
    try:
        stored = msgspec.convert(server.call("GET", target), _StoredPolicy)
    except ServerRefused as error:
        if error.status != 404:
            raise
    else:
        target += f"?if_seq_no={stored.seq_no}&if_primary_term={stored.term}"
    server.call("PUT", target, {"policy": policy})
