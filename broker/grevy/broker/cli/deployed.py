"""What `grevy deploy` prints."""

from __future__ import annotations

from grevy.broker.cli.output import Output
from grevy.client import Deployment


def show_deployment(deployment: Deployment, output: Output) -> None:
    """A row for each process and for each decision; `graph` is the key that deletes a decision."""
    if deployment.processes:
        rows = [
            (p.bpmn_process_id, p.version, p.key, p.resource_name) for p in deployment.processes
        ]
        output.rows(("process", "version", "key", "file"), rows)
    if deployment.decision_requirements:
        files = {graph.key: graph.resource_name for graph in deployment.decision_requirements}
        output.rows(
            ("decision", "version", "key", "graph", "file"),
            [
                (d.decision_id, d.version, d.key, d.requirements_key, files[d.requirements_key])
                for d in deployment.decisions
            ],
        )
