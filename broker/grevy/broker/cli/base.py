"""`grevy` itself, and `grevy broker`, the one command that needs no client."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Annotated

import typer

from grevy.broker.cli import broker_options as options
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
    config: options.Config = None,
    data: options.Data = None,
    host: options.Host = None,
    port: options.Port = None,
    hosts: options.Hosts = None,
    partitions: options.Partitions = None,
    node_id: options.NodeId = None,
    cluster_size: options.ClusterSize = None,
    replication_factor: options.ReplicationFactor = None,
    cluster_host: options.ClusterHost = None,
    cluster_port: options.ClusterPort = None,
    contact_points: options.ContactPoints = None,
    join: options.Join = False,
    advertised_host: options.AdvertisedHost = None,
    disk_free_min_mb: options.DiskFreeMinMb = None,
    keys: options.Keys = None,
    broker_keys: options.BrokerKeys = None,
    client_keys: options.ClientKeys = None,
    *,
    insecure: options.Insecure = False,
    as_json: Json = False,
) -> None:
    """Run a broker in the foreground until it is interrupted."""
    output = Output(as_json=as_json)
    overrides: dict[str, object] = {
        "data": data,
        "host": host,
        "port": port,
        "hosts": hosts,
        "partitions": partitions,
        "node_id": node_id,
        "cluster_size": cluster_size,
        "replication_factor": replication_factor,
        "cluster_host": cluster_host,
        "cluster_port": cluster_port,
        "contact_points": contact_points,
        "join": join or None,
        "advertised_host": advertised_host,
        "disk_free_min_mb": disk_free_min_mb,
        "keys": keys,
        "broker_keys": broker_keys,
        "client_keys": client_keys,
        "insecure": insecure or None,
    }
    raise typer.Exit(serve(config, overrides, output))
