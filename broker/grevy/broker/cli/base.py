"""`grevy` itself, and `grevy broker`, the one command that needs no client."""

from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer

from grevy.broker.cli.output import Output
from grevy.broker.cli.serving import serve

app = typer.Typer(
    help="Grevy: BPMN processes over a replicated log.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"grevy {version_of('grevy')}")
        raise typer.Exit


@app.callback()
def grevy(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Grevy: BPMN processes over a replicated log."""


@app.command()
def broker(
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of logs and checkpoints.")] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    partitions: Annotated[
        int | None, typer.Option(help="Logs that share the work; stays as at the first start.")
    ] = None,
    node_id: Annotated[int | None, typer.Option(help="Which broker this is, from 1.")] = None,
    cluster_size: Annotated[int | None, typer.Option(help="How many brokers there are.")] = None,
    replication_factor: Annotated[
        int | None, typer.Option(help="On how many brokers each partition lies.")
    ] = None,
    cluster_port: Annotated[
        int | None, typer.Option(help="Where the other brokers connect.")
    ] = None,
    contact_points: Annotated[
        str | None, typer.Option(help="Cluster addresses of some brokers: host:port,host:port.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="This broker's key pair.")] = None,
    broker_keys: Annotated[Path | None, typer.Option(help="Brokers' public keys.")] = None,
    client_keys: Annotated[Path | None, typer.Option(help="Clients' public keys.")] = None,
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond loopback unencrypted.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a broker in the foreground until it is interrupted."""
    output = Output(as_json=as_json)
    overrides: dict[str, object] = {
        "data": data,
        "host": host,
        "port": port,
        "partitions": partitions,
        "node_id": node_id,
        "cluster_size": cluster_size,
        "replication_factor": replication_factor,
        "cluster_port": cluster_port,
        "contact_points": contact_points,
        "keys": keys,
        "broker_keys": broker_keys,
        "client_keys": client_keys,
        "insecure": insecure or None,
    }
    raise typer.Exit(serve(config, overrides, output))
